"""Question: how fast is the trusted bulk load, against ``insert_many`` of the others and the same in C++?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.users import users
from benchmarks.harness.bars import Bar, faster_than_both, near_native
from benchmarks.harness.case import Case, Work
from benchmarks.harness.peers import Missing
from benchmarks.harness.stage import Stage

from .insert_many import contents

BARS: dict[int, list[Bar]] = {
    1_000: near_native("barewire", "barewire-async", threshold=None),
    10_000: near_native("barewire", "barewire-async", threshold=None),
    50_000: [*faster_than_both(wall=3, cpu=11), *near_native("barewire", "barewire-async")],
}


class InsertManyUnsafe(Case):
    unit = "call"
    collection = "insert_many_unsafe"

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"insert_many_unsafe/{size}"
        self.question = (
            f"How fast is insert_many_unsafe of {size:,} documents? (others: insert_many; native: two connections, "
            "unordered, chunks of 2,000, no retry)"
        )
        self.native = ("insert_many_unsafe", size)
        self.bars = BARS[size]
        self.repetitions = 21 if size <= 1_000 else 15 if size <= 10_000 else 11
        self.quick_repetitions = 5 if size <= 10_000 else 3

    def setup(self, peer: Any, collection: Any) -> None:
        # Asked of the type: an instance answers any name with a sub-collection.
        if peer.ours and not callable(getattr(type(collection), "insert_many_unsafe", None)):
            raise Missing(f"{type(collection).__name__} has no insert_many_unsafe")

    def before(self, stage: Stage, work: Work) -> None:
        stage.empty(self.collection)

    def load(self, peer: Any, work: Work) -> Any:
        return users(self.size)

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        return (collection.insert_many_unsafe if peer.ours else collection.insert_many)(work.input)

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        return await (collection.insert_many_unsafe if peer.ours else collection.insert_many)(work.input)

    def after(self, stage: Stage, peer: Any, work: Work) -> dict[str, Any]:
        seen = {"stored": stage.collection(self.collection).count_documents({})}
        return {**seen, "contents": stage.digest(self.collection)} if work.thorough else seen

    def expected(self, work: Work) -> dict[str, Any]:
        return {"stored": self.size, **({"contents": contents(self.size)} if work.thorough else {})}


CASES = [InsertManyUnsafe(size) for size in BARS]
