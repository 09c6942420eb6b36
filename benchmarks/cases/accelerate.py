"""Question: what does ``barewire.bson.accelerate()`` bring to an unchanged PyMongo program?"""

from __future__ import annotations

from benchmarks.harness.bars import faster

from .find import Find
from .insert_many import InsertMany

PEERS = ("pymongo", "pymongo-accelerated")


class AcceleratedInsertMany(InsertMany):
    peers = PEERS

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.name = f"accelerate/insert_many_{size}"
        self.question = f"Unchanged PyMongo on Barewire's codec: insert_many of {size:,} documents?"
        self.bars = faster("pymongo-accelerated", "pymongo", cpu=1.8)


class AcceleratedFind(Find):
    peers = PEERS
    bars = faster("pymongo-accelerated", "pymongo", cpu=1.5)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.name = f"accelerate/find_{size}"
        self.question = f"Unchanged PyMongo on Barewire's codec: {size:,} found documents to a list?"


CASES = [AcceleratedInsertMany(10_000), AcceleratedFind(10_000)]
