# The clients that scenarios run on: PyMongo's own, ours as it is, and ours with every hot method sent to the inherited way.
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
import pymongo.asynchronous.collection
import pymongo.synchronous.collection
import pytest
from parity import Scenario, do, outcome

import barewire.mongo

KINDS = {
    "async": (pymongo.AsyncMongoClient, barewire.mongo.AsyncMongoClient, pymongo.asynchronous.collection.AsyncCollection),
    "sync": (pymongo.MongoClient, barewire.mongo.MongoClient, pymongo.synchronous.collection.Collection),
}


@contextmanager
def refused(base: type, names: tuple[str, ...]) -> Iterator[None]:
    """While inside, PyMongo's own methods of these names fail: what still works has taken the fast path."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the inherited method was called where the fast path was expected")

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(base, name, refuse)
        yield


async def compare(kind: str, scenario: Scenario, uri: str, database: str, witness: pymongo.MongoClient, *,
                  fast: tuple[str, ...] = (), client_options: dict[str, Any] | None = None,
                  collection_options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs `scenario` on PyMongo and twice on ours; asserts that all outcomes are equal and gives that outcome.

    `fast` names the collection methods that must not reach PyMongo in the first of our two runs.
    """
    stock, ours, base = KINDS[kind]
    outcomes = {}
    for label, client_class, inherited in (("pymongo", stock, False), ("fast", ours, False), ("inherited", ours, True)):
        name = f"{database}_{label[0]}"  # equally long names: sizes of messages stand in some errors
        client = client_class(uri, **(client_options or {}))
        if inherited:
            client._barewire_inherited_only = True
        try:
            collection = client[name].get_collection("things", **(collection_options or {}))
            names = fast if label == "fast" else ()
            # Creating the collection first keeps "collection exists" out of what is compared.
            witness[name].create_collection("things")
            with refused(base, names):
                outcomes[label] = await outcome(scenario, collection, witness[name])
        finally:
            await do(client.close())
            witness.drop_database(name)
    assert outcomes["fast"] == outcomes["pymongo"]
    assert outcomes["inherited"] == outcomes["pymongo"]
    return outcomes["pymongo"]
