"""Question: how fast are single inserts, one after another?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.users import users
from benchmarks.harness.bars import faster_than_both, near_native
from benchmarks.harness.case import Case, Work
from benchmarks.harness.digest import documents_digest
from benchmarks.harness.stage import Stage


class InsertOne(Case):
    name = "insert_one"
    question = "How fast are single inserts, one after another?"
    unit = "insert"
    count = None
    native = ("insert_one", 0)
    collection = "insert_one"
    bars = [
        *faster_than_both(wall=2.2, cpu=5),
        *near_native("barewire", "barewire-async"),
    ]

    def before(self, stage: Stage, work: Work) -> None:
        stage.empty(self.collection)

    def load(self, peer: Any, work: Work) -> Any:
        return users(work.count)

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        insert_one = collection.insert_one
        return [insert_one(document).inserted_id for document in work.input]

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        insert_one = collection.insert_one
        return [(await insert_one(document)).inserted_id for document in work.input]

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        written_back = [document.get("_id") for document in work.input]
        return {"ids written back": written_back == result and len(set(result)) == work.count}

    def after(self, stage: Stage, peer: Any, work: Work) -> dict[str, Any]:
        seen = {"stored": stage.collection(self.collection).count_documents({})}
        return {**seen, "contents": stage.digest(self.collection)} if work.thorough else seen

    def expected(self, work: Work) -> dict[str, Any]:
        wanted = {"stored": work.count, "ids written back": True}
        return {**wanted, "contents": documents_digest(users(work.count))} if work.thorough else wanted


CASES = [InsertOne()]
