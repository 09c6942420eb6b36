"""Opens the MongoDB client of one peer inside its own process. Nothing is timed here."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .case import Case
from .peers import Missing, Peer


def attribute(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise Missing(f"{module}.{name}: {error}") from error


def check_c_extensions() -> None:
    """Raises RuntimeError unless bson and pymongo run on their C extensions: anything else is not the incumbent."""
    import bson
    import pymongo

    if not bson.has_c() or not pymongo.has_c():
        raise RuntimeError("bson or pymongo runs without its C extension; such a peer must not be measured")


def accelerate() -> None:
    """Put Barewire's codec under the installed PyMongo."""
    attribute("barewire.bson", "accelerate")()


@contextlib.contextmanager
def open_blocking(peer: Peer, case: Case, uri: str, database: str) -> Iterator[Any]:
    """A connected collection with PyMongo's API; raises Missing where the peer is not installed."""
    factory = attribute("barewire.mongo" if peer.ours and not peer.accelerated else "pymongo", "MongoClient")
    if peer.accelerated:
        accelerate()
    client = factory(uri)
    try:
        client.admin.command("ping")
        yield client[database][case.collection]
    finally:
        client.close()


@contextlib.asynccontextmanager
async def open_asyncio(peer: Peer, case: Case, uri: str, database: str) -> AsyncIterator[Any]:
    """A connected collection with PyMongo Async's or Motor's API; raises Missing where the peer is not installed."""
    if peer.name == "motor":
        client = attribute("motor.motor_asyncio", "AsyncIOMotorClient")(uri)
    elif peer.ours:
        client = attribute("barewire.mongo", "AsyncMongoClient")(uri)
    else:
        client = attribute("pymongo", "AsyncMongoClient")(uri)
    try:
        await client.admin.command("ping")
        yield client[database][case.collection]
    finally:
        closed = client.close()
        if closed is not None:
            await closed
