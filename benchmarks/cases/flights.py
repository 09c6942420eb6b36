"""Question: how fast does a large real data set go in from a generator, and with how much memory?"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

from benchmarks.data import flights
from benchmarks.harness.bars import Bar, faster
from benchmarks.harness.case import Case, Work
from benchmarks.harness.digest import documents_digest
from benchmarks.harness.peers import Missing
from benchmarks.harness.stage import Stage

#: Documents per insert_many call of the incumbents, which take lists only.
CHUNK = 10_000


@functools.cache
def contents() -> str:
    import bson

    # Through BSON once, as the server gives them back: times come back naive and in UTC.
    return documents_digest(bson.decode(bson.encode(row)) for row in flights.rows())


def chunks() -> Iterator[list[dict[str, Any]]]:
    rows = flights.rows()
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield chunk


class Flights(Case):
    name = "flights"
    question = (
        f"How fast do {flights.ROWS:,} flights go in from a generator that reads the CSV? "
        f"(others: insert_many in chunks of {CHUNK:,}; source: the generator alone)"
    )
    unit = "load"
    peers = ("pymongo", "pymongo-async", "motor", "barewire", "barewire-async", "source")
    collection = "flights"
    repetitions = 5
    quick_repetitions = 1
    fresh_process = True
    bars = [
        *faster("barewire-async", "motor", wall=2),
        Bar("barewire-async", (), "peak_memory", 150e6),
        Bar("barewire", (), "peak_memory", 150e6),
    ]

    def setup(self, peer: Any, collection: Any) -> None:
        try:
            flights.source()
        except ModuleNotFoundError as error:
            raise Missing(str(error)) from error
        if collection is not None and peer.ours and not callable(getattr(type(collection), "insert_many_unsafe", None)):
            raise Missing(f"{type(collection).__name__} has no insert_many_unsafe")

    def before(self, stage: Stage, work: Work) -> None:
        stage.empty(self.collection)

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        if peer.ours:
            collection.insert_many_unsafe(flights.rows())
        else:
            for chunk in chunks():
                collection.insert_many(chunk)
        return flights.ROWS

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        if peer.ours:
            await collection.insert_many_unsafe(flights.rows())
        else:
            for chunk in chunks():
                await collection.insert_many(chunk)
        return flights.ROWS

    def run_local(self, peer: Any, work: Work) -> Any:
        return sum(1 for _ in flights.rows())

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return {"rows": result}

    def after(self, stage: Stage, peer: Any, work: Work) -> dict[str, Any]:
        if peer.kind == "local":  # "source" stores nothing, and is held to the number of rows alone
            return {}
        stored = stage.collection(self.collection).count_documents({})
        return {"stored": stored, **({"contents": stage.digest(self.collection)} if work.thorough else {})}

    def expected(self, work: Work) -> dict[str, Any]:
        wanted = {"rows": flights.ROWS, "stored": flights.ROWS}
        return {**wanted, "contents": contents()} if work.thorough else wanted


CASES = [Flights()]
