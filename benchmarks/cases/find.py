"""Question: how fast does a whole result set become a list of dicts?"""

from __future__ import annotations

import functools
from typing import Any

from benchmarks.data.users import identifier, user
from benchmarks.harness.bars import faster_than_both, near_native
from benchmarks.harness.case import Case, Work
from benchmarks.harness.digest import documents_digest
from benchmarks.harness.stage import Stage


@functools.cache
def contents(size: int) -> str:
    return documents_digest({"_id": identifier(index), **user(index)} for index in range(size))


class Find(Case):
    unit = "call"
    bars = [
        *faster_than_both(wall=2.2, cpu=3.5),
        # The floor walks the cursor without building dicts, so its ratio is stated, not demanded.
        *near_native("barewire", "barewire-async", threshold=None),
    ]

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"find/{size}"
        self.question = f"How fast do {size:,} found documents become a list, default batch sizes?"
        self.native = ("find", size)
        self.collection = f"users_{size}"
        self.repetitions = 25
        self.count = None if size <= 1_000 else 1
        self.count_limit = 50

    def prepare(self, stage: Stage) -> None:
        stage.users(self.collection, self.size)

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        for _ in range(work.count):
            found = collection.find({}).to_list()
        return found

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        for _ in range(work.count):
            found = await collection.find({}).to_list(None)
        return found

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        seen = {"found": len(result)}
        return {**seen, "digest": documents_digest(result)} if work.thorough else seen

    def expected(self, work: Work) -> dict[str, Any]:
        return {"found": self.size, "digest": contents(self.size)}


CASES = [Find(1_000), Find(10_000)]
