# How one scenario is run on several clients and what of its outcome is compared; the scenarios are in test_parity_*.py.
"""A scenario is an async function ``scenario(collection, do)``: every result that may be awaitable goes through ``do``, so
the same text runs on blocking and on asyncio clients. Its outcome is the returned value or the exception, plus everything
that is in the database afterwards, with what differs by nature (new ids, times, counters of the server) replaced by tokens.
"""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import bson
import pymongo.errors
import pymongo.results

Scenario = Callable[[Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]

# Fields of a server's reply that no two runs share.
_VOLATILE = {"$clusterTime", "operationTime", "opTime", "electionId", "localTime", "connectionId", "signature"}
_RESULTS = (
    pymongo.results.InsertOneResult,
    pymongo.results.InsertManyResult,
    pymongo.results.UpdateResult,
    pymongo.results.DeleteResult,
    pymongo.results.BulkWriteResult,
)
_FULL_ERROR = re.compile(r", full error: .*", re.S)
_CURSOR_ID = re.compile(r"\b\d{15,20}\b")
_HEX_ID = re.compile(r"\b[0-9a-f]{24}\b")


async def do(value: Any) -> Any:
    """Awaits what can be awaited and gives back the rest."""
    return await value if inspect.isawaitable(value) else value


async def to_list(cursor: Any) -> list[Any]:
    """All documents of a cursor of either kind, by iteration."""
    cursor = await do(cursor)
    if hasattr(cursor, "__aiter__"):
        return [document async for document in cursor]
    return list(cursor)


class Normaliser:
    """Replaces ids by the order of their first appearance and drops volatile fields; exact types stay visible."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._tokens: dict[str, str] = {}

    def _token(self, text: str) -> str:
        return self._tokens.setdefault(text, f"<id {len(self._tokens)}>")

    def __call__(self, value: Any) -> Any:
        if isinstance(value, bson.ObjectId):
            return self._token(str(value))
        if isinstance(value, str):
            # The reply that PyMongo prints into the text is compared as `details`; cursor ids never repeat.
            text = _FULL_ERROR.sub(", full error", value.replace(self._database, "<database>"))
            text = _CURSOR_ID.sub("<cursor>", text)
            return _HEX_ID.sub(lambda match: self._token(match.group()), text)
        if isinstance(value, Mapping):
            kept = {self(key): self(item) for key, item in value.items() if key not in _VOLATILE}
            return (type(value).__name__, kept)
        if isinstance(value, (list, tuple)):
            return [self(item) for item in value]
        if isinstance(value, datetime.datetime):
            return ("datetime", value.tzinfo is not None)
        if isinstance(value, _RESULTS):
            names = [n for n in dir(type(value)) if isinstance(getattr(type(value), n), property)]
            return (type(value).__name__, {n: self(getattr(value, n)) for n in names})
        if isinstance(value, bool) or value is None:
            return value
        return (type(value).__name__, repr(value).replace(self._database, "<database>"))

    def error(self, error: BaseException) -> Any:
        """Class, text and what PyMongo's errors carry."""
        found: dict[str, Any] = {"class": type(error).__name__, "module": type(error).__module__, "text": self(str(error))}
        if isinstance(error, pymongo.errors.OperationFailure):
            found["code"] = error.code
            found["details"] = self(error.details)
        if isinstance(error, pymongo.errors.PyMongoError):
            found["labels"] = sorted(error._error_labels)
        return found


async def outcome(scenario: Scenario, collection: Any, witness: Any) -> dict[str, Any]:
    """Runs the scenario; `witness` is PyMongo's own view of the same database."""
    normalise = Normaliser(collection.database.name)
    result: dict[str, Any] = {}
    try:
        result["value"] = normalise(await scenario(collection, do))
    except Exception as error:
        if isinstance(error, AssertionError):
            raise
        result["error"] = normalise.error(error)
    result["stored"] = {
        name.replace(collection.database.name, "<database>"): normalise(list(witness[name].find().sort("$natural", 1)))
        for name in sorted(witness.list_collection_names())
    }
    return result
