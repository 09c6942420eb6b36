"""Question: how fast is one document found by its ``_id``, by one caller and by 50 at the same time?"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.data.users import identifier, user, visit_order
from benchmarks.harness.bars import faster, faster_than_both, near_native
from benchmarks.harness.case import Case, Work
from benchmarks.harness.digest import documents_digest
from benchmarks.harness.stage import Stage

USERS = 10_000
#: Blocking peers and the native program have no tasks: they use this many threads instead.
THREADS = 8


class FindOne(Case):
    name = "find_one/1"
    question = "How fast is one document found by its _id, one caller?"
    unit = "find"
    count = None
    native = ("find_one", USERS)
    collection = "users"
    bars = [
        *faster_than_both(wall=2.5, cpu=5),
        *faster("barewire", "pymongo", wall=2.3, cpu=6),
        # The floor reads the reply without building a dict, so its ratio is stated, not demanded.
        *near_native("barewire", "barewire-async", threshold=None),
    ]

    def prepare(self, stage: Stage) -> None:
        stage.users(self.collection, USERS)

    def load(self, peer: Any, work: Work) -> Any:
        return [identifier(index) for index in visit_order(work.count, USERS)]

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        find_one = collection.find_one
        return [find_one({"_id": wanted}) for wanted in work.input]

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        find_one = collection.find_one
        return [await find_one({"_id": wanted}) for wanted in work.input]

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return {"digest": documents_digest(result)}

    def expected(self, work: Work) -> dict[str, Any]:
        wanted = visit_order(work.count, USERS)
        return {"digest": documents_digest({"_id": identifier(index), **user(index)} for index in wanted)}


class FindOneConcurrent(FindOne):
    name = "find_one/50"
    question = f"The same with 50 tasks at once (blocking and native peers: {THREADS} threads)?"
    tasks = 50
    count_multiple = tasks * THREADS
    native = ("find_one_threads", USERS)
    bars = [
        *faster_than_both(wall=3.5, cpu=6),
        *near_native("barewire", "barewire-async", threshold=None),
    ]

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        shares = [work.input[start::THREADS] for start in range(THREADS)]

        def finds(share: list[Any]) -> list[Any]:
            find_one = collection.find_one
            return [find_one({"_id": wanted}) for wanted in share]

        with ThreadPoolExecutor(THREADS) as threads:
            return [found for part in threads.map(finds, shares) for found in part]

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        shares = [work.input[start::self.tasks] for start in range(self.tasks)]

        async def finds(share: list[Any]) -> list[Any]:
            find_one = collection.find_one
            return [await find_one({"_id": wanted}) for wanted in share]

        parts = await asyncio.gather(*map(finds, shares))
        return [found for part in parts for found in part]


CASES = [FindOne(), FindOneConcurrent()]
