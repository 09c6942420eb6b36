# The MongoDB demo: real flights into a real server and back, by Barewire and its peers, with equal results.
"""Starts an embedded MongoDB and loads and reads 336,776 flights with Barewire, PyMongo Async and Motor."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import gc
import hashlib
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import bson
import pymongo
from demo_flights import TOTAL, read_flights
from demo_report import OURS, Comparison, Series, chart, environment, failures, human, save, table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from barewire.embedded import MongoServer

_CHUNK = 10_000  # documents per insert_many: what a careful program would send at once
_BY_ID = 500  # find_one calls per repetition
_TASKS = 50
_DIGEST = 1 << 128


def make_clients(uri: str) -> dict[str, Any]:
    """A client of each library, all asyncio, all with the same URI."""
    from motor.motor_asyncio import AsyncIOMotorClient

    from barewire.mongo import AsyncMongoClient

    return {
        OURS: AsyncMongoClient(uri),
        "PyMongo Async": pymongo.AsyncMongoClient(uri),
        "Motor": AsyncIOMotorClient(uri),
    }


def _digest(documents: Any) -> int:
    """Of encoded documents, whatever their order; equal ones count as often as they occur."""
    hashes = (hashlib.blake2b(one, digest_size=16).digest() for one in documents)
    return sum(int.from_bytes(one, "big") for one in hashes) % _DIGEST


class Witness:
    """PyMongo's blocking client: says what is really on the server. Never timed."""

    def __init__(self, uri: str) -> None:
        self.client = pymongo.MongoClient(uri)
        self.database = self.client.flights
        self.version = self.client.server_info()["version"]

    def stored(self, name: str) -> tuple[int, int]:
        """How many documents there are, and the digest of their bytes without ``_id``."""
        count, digest = 0, 0
        for batch in self.database[name].find_raw_batches({}, {"_id": 0}):
            position, found = 0, []
            while position < len(batch):
                end = position + int.from_bytes(batch[position : position + 4], "little")
                found.append(batch[position:end])
                position = end
            count += len(found)
            digest = (digest + _digest(found)) % _DIGEST
        return count, digest


class Demo:
    """One run: the documents, the clients, and what was measured."""

    def __init__(self, uri: str, flights: list[dict[str, Any]], console: Console, progress: Progress) -> None:
        self.flights = flights
        self.console = console
        self.progress = progress
        self.witness = Witness(uri)
        self.clients = make_clients(uri)
        self.comparisons: list[Comparison] = []

    async def compare(
        self,
        title: str,
        repetitions: int,
        contestants: Sequence[tuple[str, str, Callable[[], Awaitable[Any]]]],
        check: Callable[[Any], str | None],
        *,
        calls: int = 1,
        warm_up: bool = True,
    ) -> None:
        """Time every contestant once per repetition, in a rotating order; check each result outside the time.

        Args:
            contestants: client, method, and the operation.
            check: None for a right result, else what is wrong with it.
            calls: the operation does so many calls; times are kept per call.
            warm_up: run each once before, unmeasured.
        """
        comparison = Comparison(title, [Series(client, method) for client, method, _ in contestants])
        self.comparisons.append(comparison)
        task = self.progress.add_task(title, total=repetitions * len(contestants))
        pairs = list(zip(comparison.series, (run for _, _, run in contestants)))
        for repetition in range(-1 if warm_up else 0, repetitions):
            turn = repetition % len(pairs)
            for series, run in pairs[turn:] + pairs[:turn]:
                if series.correct:
                    self.progress.update(task, description=f"{title} · {series.label}")
                    await self._once(series, run, check, calls, kept=repetition >= 0)
                if repetition >= 0:
                    self.progress.advance(task)
        self.progress.update(task, description=title)
        peer = comparison.fastest_peer("wall")
        parts = []
        for one in comparison.series:
            text = human(one.median) if one.wall else "failed"
            if one.client == OURS and one.wall and peer:
                text = f"[bold]{text} ({peer / one.median:.2f}x)[/]"
            parts.append(f"{one.label} {text}")
        self.console.print(f"[dim]{title}:[/] " + ", ".join(parts), highlight=False)

    async def _once(
        self,
        series: Series,
        run: Callable[[], Awaitable[Any]],
        check: Callable[[Any], str | None],
        calls: int,
        *,
        kept: bool,
    ) -> None:
        gc.collect()
        try:
            wall, cpu = time.perf_counter(), time.process_time()
            result = await run()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            wrong = check(result)
        except Exception as error:  # a client that fails is a result; the others go on
            wrong = f"{type(error).__name__}: {error}"
        if wrong is not None:
            series.fail(wrong)
        elif kept:
            series.wall.append(wall / calls)
            series.cpu.append(cpu / calls)

    async def loads(self, repetitions: int) -> None:
        """All flights into an empty collection: insert_many in chunks, and Barewire's insert_many_unsafe."""
        expected = (len(self.flights), _digest(bson.encode(flight) for flight in self.flights))

        def in_chunks(client: str) -> Callable[[], Awaitable[str]]:
            async def run() -> str:
                collection = self.clients[client].flights[name]
                for start in range(0, len(self.flights), _CHUNK):
                    await collection.insert_many(self.flights[start : start + _CHUNK])
                return "ids"

            return run

        async def unsafe() -> str:
            collection = self.clients[OURS].flights[name]
            await collection.insert_many_unsafe(flight for flight in self.flights)
            return "no ids"

        def check(ids: str) -> str | None:
            # insert_many leaves an _id in every dict it is given; the next client must not find it there.
            taken = [flight.pop("_id", None) for flight in self.flights]
            left = sum(one is not None for one in taken)
            if left != (len(taken) if ids == "ids" else 0):
                return f"{left} of {len(taken)} documents got their _id written back"
            stored = self.witness.stored(name)
            self.witness.database.drop_collection(name)
            if stored[0] != expected[0]:
                return f"{stored[0]} documents on the server instead of {expected[0]}"
            return None if stored == expected else "the documents on the server differ from the input"

        name = "load"
        for client in self.clients.values():  # connections, and the code's first run
            await client.flights.warm_up.insert_many([dict(flight) for flight in self.flights[:1000]])
        await self.clients[OURS].flights.warm_up.insert_many_unsafe(dict(one) for one in self.flights[:1000])
        self.witness.database.drop_collection("warm_up")
        contestants = [(OURS, "insert_many_unsafe", unsafe)]
        contestants += [(client, "insert_many", in_chunks(client)) for client in self.clients]
        title = f"load {len(self.flights):,} flights"
        await self.compare(title, repetitions, contestants, check, warm_up=False)

    async def reads(self, repetitions: int, sizes: Sequence[int]) -> None:
        """The same questions to every client; each answer is compared with the witness's."""
        stored = self.witness.database.stored
        for start in range(0, len(self.flights), _CHUNK):
            stored.insert_many([dict(flight) for flight in self.flights[start : start + _CHUNK]])
        collections = {client: self.clients[client].flights.stored for client in self.clients}

        async def compare(
            title: str, right: Any, operation: Callable[[Any], Awaitable[Any]], **options: Any
        ) -> None:
            def check(result: Any) -> str | None:
                return None if result == right else "the answer differs from PyMongo's"

            def run(collection: Any) -> Callable[[], Awaitable[Any]]:
                return lambda: operation(collection)

            contestants = [(client, "", run(collection)) for client, collection in collections.items()]
            await self.compare(title, repetitions, contestants, check, **options)

        for size in sizes:

            async def find(collection: Any, size: int = size) -> Any:
                return await collection.find({}, limit=size).to_list(None)

            await compare(f"find {size:,} flights to a list", stored.find({}, limit=size).to_list(), find)

        everything = [flight["_id"] for flight in stored.find({}, {"_id": 1})]
        wanted = random.Random(2013).sample(everything, min(_BY_ID, len(everything)))
        found = {flight["_id"]: flight for flight in stored.find({"_id": {"$in": wanted}})}
        right = [found[one] for one in wanted]

        async def one_by_one(collection: Any) -> Any:
            return [await collection.find_one({"_id": one}) for one in wanted]

        async def by_tasks(collection: Any) -> Any:
            async def part(first: int) -> list[Any]:
                return [await collection.find_one({"_id": one}) for one in wanted[first::_TASKS]]

            parts = await asyncio.gather(*(part(first) for first in range(_TASKS)))
            return [parts[number % _TASKS][number // _TASKS] for number in range(len(wanted))]

        await compare("find_one by _id, 1 task", right, one_by_one, calls=len(wanted))
        await compare(f"find_one by _id, {_TASKS} tasks", right, by_tasks, calls=len(wanted))

        route = {"carrier": "$carrier", "dest": "$dest"}
        pipeline = [
            {"$match": {"arr_delay": {"$ne": None}}},
            {"$group": {"_id": route, "flights": {"$sum": 1}, "delay": {"$avg": "$arr_delay"}}},
            {"$sort": {"flights": -1, "_id": 1}},
        ]

        async def aggregate(collection: Any) -> Any:
            cursor = collection.aggregate(pipeline)
            if not hasattr(cursor, "to_list"):
                cursor = await cursor  # PyMongo's returns a coroutine, Motor's a cursor
            return await cursor.to_list(None)

        await compare("aggregate delays by route", stored.aggregate(pipeline).to_list(), aggregate)

    async def close(self) -> None:
        for client in self.clients.values():
            closing = client.close()
            if closing is not None:
                await closing
        self.witness.client.close()


async def run(arguments: argparse.Namespace, console: Console) -> int:
    """The whole demo; the exit code."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # A slow refresh: drawing takes processor time from whoever is being measured.
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        task = progress.add_task("reading the flights", total=1)
        flights = read_flights(arguments.flights)
        progress.update(task, completed=1)
        # The input is not what is measured: the garbage collector shall not walk it for any client.
        gc.collect()
        gc.freeze()
        task = progress.add_task("starting MongoDB", total=1)
        with MongoServer(cache_megabytes=512) as server:
            progress.update(task, completed=1)
            # w=1, for everybody: the default of a replica set waits for the journal on the disk.
            demo = Demo(f"{server.uri}&w=1", flights, console, progress)
            version = demo.witness.version
            console.print(f"MongoDB {version}, {len(flights):,} flights with {len(flights[0])} fields")
            about = environment() | {"mongodb": version, "flights": len(flights)}
            try:
                await demo.loads(arguments.load_repetitions)
                await demo.reads(arguments.repetitions, arguments.find)
            finally:
                await demo.close()
    console.print()
    console.print(table(demo.comparisons, console.width))
    console.print(
        "ratio: median of the faster peer divided by this median. CPU: processor time of this process, "
        "without the server's. find_one: per call. correct: what was stored or found equals what PyMongo's blocking "
        "client says.",
        style="dim",
    )
    if not about["python_optimised_build"]:
        console.print("This Python was built without profile-guided optimisation.", style="dim")
    arguments.results.mkdir(parents=True, exist_ok=True)
    stem = arguments.results / f"mongo-flights-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    save(demo.comparisons, about, stem.with_suffix(".json"))
    chart(demo.comparisons, stem.with_suffix(".png"))
    for what, suffix in (("figures", ".json"), ("chart", ".png")):
        console.print(f"{what}: {stem.with_suffix(suffix)}", highlight=False, soft_wrap=True)
    return 1 if failures(demo.comparisons, console) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/demo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50,000 flights, fewer repetitions")
    parser.add_argument("--flights", type=int, metavar="N", help=f"how many of the {TOTAL:,} flights")
    parser.add_argument("--repetitions", type=int, metavar="N", help="of each read")
    parser.add_argument("--load-repetitions", type=int, metavar="N", help="of each load")
    parser.add_argument("--results", type=Path, default=Path("demo-results"), help="folder of the results")
    arguments = parser.parse_args()
    quick = arguments.quick
    arguments.flights = arguments.flights or (50_000 if quick else TOTAL)
    arguments.repetitions = arguments.repetitions or (5 if quick else 7)
    arguments.load_repetitions = arguments.load_repetitions or 3
    sizes = (10_000,) if quick else (10_000, 100_000)
    arguments.find = [size for size in sizes if size <= arguments.flights]
    if min(arguments.flights, arguments.repetitions, arguments.load_repetitions) < 1:
        parser.error("numbers must be positive")
    return arguments


def main() -> int:
    console = Console()
    try:
        return asyncio.run(run(_arguments(), console))
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
