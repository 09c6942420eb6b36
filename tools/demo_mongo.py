# The MongoDB demo: real flights into a real server and back, by Barewire and its peers, with equal results.
"""Loads and reads the flights with Barewire, PyMongo Async and Motor."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import bson
import pymongo
from demo_compare import Comparer
from demo_report import OURS, Comparison
from rich.console import Console
from rich.progress import Progress

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


class MongoDemo(Comparer):
    """One run: the documents, the clients, and what was measured."""

    def __init__(self, uri: str, flights: list[dict[str, Any]], console: Console, progress: Progress) -> None:
        super().__init__("MongoDB", console, progress)
        self.flights = flights
        self.witness = Witness(uri)
        self.clients = make_clients(uri)

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


async def run_mongo(
    flights: list[dict[str, Any]], options: argparse.Namespace, console: Console, progress: Progress
) -> tuple[list[Comparison], dict[str, Any]]:
    """The whole of it on an embedded server: the comparisons, and what the figures depend on."""
    task = progress.add_task("starting MongoDB", total=1)
    with MongoServer(cache_megabytes=512) as server:
        progress.update(task, completed=1)
        # w=1, for everybody: the default of a replica set waits for the journal on the disk.
        demo = MongoDemo(f"{server.uri}&w=1", flights, console, progress)
        version = demo.witness.version
        console.print(f"MongoDB {version}, {len(flights):,} flights with {len(flights[0])} fields")
        try:
            await demo.loads(options.load_repetitions)
            await demo.reads(options.repetitions, options.find)
        finally:
            await demo.close()
    return demo.comparisons, {"mongodb": version}
