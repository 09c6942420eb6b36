"""Question: how fast is an update of one document by its ``_id``?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.users import identifier, visit_order
from benchmarks.harness.bars import faster_than_both, near_native
from benchmarks.harness.case import Case, Work
from benchmarks.harness.stage import Stage

USERS = 10_000


class UpdateOne(Case):
    name = "update_one"
    question = "How fast is one document updated by its _id?"
    unit = "update"
    count = None
    native = ("update_one", USERS)
    collection = "updated_users"
    bars = [*faster_than_both(wall=2, cpu=5), *near_native("barewire", "barewire-async")]

    def prepare(self, stage: Stage) -> None:
        stage.users(self.collection, USERS)

    def load(self, peer: Any, work: Work) -> Any:
        # The token differs in every run and no user has a negative score: the server can tell whose updates it holds.
        return [(identifier(index), -float(work.token)) for index in visit_order(work.count, USERS)]

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        update_one = collection.update_one
        return [update_one({"_id": wanted}, {"$set": {"score": score}}) for wanted, score in work.input]

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        update_one = collection.update_one
        return [await update_one({"_id": wanted}, {"$set": {"score": score}}) for wanted, score in work.input]

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return {
            "matched": sum(each.matched_count for each in result),
            "modified": sum(each.modified_count for each in result),
        }

    def after(self, stage: Stage, peer: Any, work: Work) -> dict[str, Any]:
        return {"stored": stage.collection(self.collection).count_documents({"score": -float(work.token)})}

    def expected(self, work: Work) -> dict[str, Any]:
        return {"matched": work.count, "modified": work.count, "stored": work.count}


CASES = [UpdateOne()]
