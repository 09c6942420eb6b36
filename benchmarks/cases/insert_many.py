"""Question: how fast is ``insert_many`` with PyMongo's semantics (ordered, ``_id`` written back)?"""

from __future__ import annotations

import functools
from typing import Any

from benchmarks.data.users import users
from benchmarks.harness.bars import Bar, faster_than_both, near_native
from benchmarks.harness.case import Case, Work
from benchmarks.harness.digest import documents_digest
from benchmarks.harness.stage import Stage

BARS: dict[int, list[Bar]] = {
    1_000: near_native("barewire", "barewire-async"),
    10_000: [*faster_than_both(wall=2.2, cpu=8), *near_native("barewire", "barewire-async")],
    50_000: [*faster_than_both(wall=2.2, cpu=8), *near_native("barewire", "barewire-async")],
}


@functools.cache
def contents(size: int) -> str:
    return documents_digest(users(size))


class InsertMany(Case):
    unit = "call"
    collection = "insert_many"

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"insert_many/{size}"
        self.question = f"How fast is insert_many of {size:,} documents, ordered, ids written back?"
        self.native = ("insert_many", size)
        self.bars = BARS[size]
        self.repetitions = 21 if size <= 1_000 else 15 if size <= 10_000 else 9
        self.quick_repetitions = 5 if size <= 10_000 else 3

    def before(self, stage: Stage, work: Work) -> None:
        stage.empty(self.collection)

    def load(self, peer: Any, work: Work) -> Any:
        return users(self.size)

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        return collection.insert_many(work.input).inserted_ids

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        return (await collection.insert_many(work.input)).inserted_ids

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        written_back = [document.get("_id") for document in work.input]
        return {"ids written back": written_back == result and len(set(result)) == self.size}

    def after(self, stage: Stage, peer: Any, work: Work) -> dict[str, Any]:
        seen = {"stored": stage.collection(self.collection).count_documents({})}
        return {**seen, "contents": stage.digest(self.collection)} if work.thorough else seen

    def expected(self, work: Work) -> dict[str, Any]:
        wanted = {"stored": self.size, "ids written back": True}
        return {**wanted, "contents": contents(self.size)} if work.thorough else wanted


CASES = [InsertMany(size) for size in BARS]
