# The clients that scenarios run on: PyMongo's own, ours as it is, and ours with every hot method sent to the inherited way.
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pymongo
import pymongo.asynchronous.collection
import pymongo.asynchronous.cursor
import pymongo.synchronous.collection
import pymongo.synchronous.cursor
import pytest
from parity import Scenario, do, outcome

import barewire.mongo
import barewire.mongo._engine

KINDS = {
    "async": (pymongo.AsyncMongoClient, barewire.mongo.AsyncMongoClient, pymongo.asynchronous.collection.AsyncCollection),
    "sync": (pymongo.MongoClient, barewire.mongo.MongoClient, pymongo.synchronous.collection.Collection),
}
CURSORS = {"async": pymongo.asynchronous.cursor.AsyncCursor, "sync": pymongo.synchronous.cursor.Cursor}


@contextmanager
def refused(base: type, names: tuple[str, ...]) -> Iterator[None]:
    """While inside, PyMongo's own methods of these names fail: what still works has taken the fast path."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the inherited method was called where the fast path was expected")

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(base, name, refuse)
        yield


@contextmanager
def inherited_only() -> Iterator[None]:
    """Clients made inside take no fast path at all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(barewire.mongo._engine, "_needs_inherited_methods", lambda client: True)
        yield


@contextmanager
def counted(base: type, names: tuple[str, ...]) -> Iterator[list[str]]:
    """Lists the calls of PyMongo's own methods of these names."""
    calls: list[str] = []

    def wrap(name: str) -> Any:
        original = getattr(base, name)

        def count(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return original(*args, **kwargs)

        return count

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(base, name, wrap(name))
        yield calls


async def compare(kind: str, scenario: Scenario, uri: str, database: str, witness: pymongo.MongoClient, *,
                  fast: tuple[str, ...] = (), client_options: dict[str, Any] | None = None,
                  collection_options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs `scenario` on PyMongo and twice on ours; asserts that all outcomes are equal and gives that outcome.

    `fast` names the collection methods that must not reach PyMongo in the first of our two runs.
    """
    stock, ours, base = KINDS[kind]
    outcomes = {}
    for label, client_class in (("pymongo", stock), ("fast", ours), ("inherited", ours)):
        name = f"{database}_{label[0]}"  # equally long names: sizes of messages stand in some errors
        with inherited_only() if label == "inherited" else nullcontext():
            client = client_class(uri, **(client_options or {}))
        try:
            collection = client[name].get_collection("things", **(collection_options or {}))
            # Creating the collection first keeps "collection exists" out of what is compared.
            witness[name].create_collection("things")
            watch = refused(base, fast) if label == "fast" else counted(base, fast)
            # find_one has no inherited method of its own: there it is PyMongo's cursor that fetches.
            with watch as calls, counted(CURSORS[kind], ("_send_message",)) as fetches:
                outcomes[label] = await outcome(scenario, collection, witness[name])
            if fast and label == "inherited":
                assert calls or fetches, "the inherited methods were not reached"
        finally:
            await do(client.close())
            witness.drop_database(name)
    assert outcomes["fast"] == outcomes["pymongo"]
    assert outcomes["inherited"] == outcomes["pymongo"]
    return outcomes["pymongo"]
