# find, find_one and cursors give PyMongo's documents, errors and states.
from __future__ import annotations

from typing import Any

import bson
import pymongo
import pytest
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from parity import to_list
from parity_fixtures import KINDS, compare
from pymongo.collation import Collation


async def fill(c: Any, do: Any, count: int = 300) -> None:
    await do(c.insert_many([{"_id": i, "n": i % 7, "s": f"text {i}", "t": {"u": [i, i + 1]}} for i in range(count)]))


async def fast_find_one_by_id(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [await do(c.find_one({"_id": 5})), await do(c.find_one(7)), await do(c.find_one({"_id": -1}))]


async def fast_find_one_nothing(c: Any, do: Any) -> Any:
    return await do(c.find_one())


async def fast_find_one_session_none(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await do(c.find_one({"n": 3}, session=None))


async def fast_find_one_options(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await do(c.find_one({"n": 3}, {"s": 1, "_id": 0})),
        await do(c.find_one({"n": 3}, ["s"])),
        await do(c.find_one({"n": 3}, sort=[("_id", -1)])),
        await do(c.find_one({"n": 3}, sort=[("_id", 1)], skip=2)),
        await do(c.find_one(filter={"n": 3}, projection={"t.u": {"$slice": 1}}, max_time_ms=5000)),
        await do(c.find_one({"s": "TEXT 4"}, collation=Collation("en", strength=2))),
        await do(c.find_one({"n": 1}, hint="_id_", comment={"why": 1})),
        await do(c.find_one({"n": 1}, batch_size=3, allow_disk_use=True, no_cursor_timeout=True)),
        await do(c.find_one({"$expr": {"$eq": ["$n", "$$wanted"]}}, let={"wanted": 2})),
    ]


async def any_find_one_bad_filter(c: Any, do: Any) -> Any:
    return await do(c.find_one(filter=[1]))


async def fast_find_one_server_error(c: Any, do: Any) -> Any:
    return await do(c.find_one({"x": {"$nope": 1}}))


async def any_find_one_unknown_option(c: Any, do: Any) -> Any:
    return await do(c.find_one({}, wrong=1))


async def fast_find_one_unencodable(c: Any, do: Any) -> Any:
    return await do(c.find_one({"x": {1}}))


async def any_find_all(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await to_list(c.find())


async def any_find_to_list(c: Any, do: Any) -> Any:
    await fill(c, do)
    cursor = c.find({"n": {"$lt": 5}}, {"t": 0}).sort("_id", -1).skip(3).limit(150).batch_size(20)
    first = await do(cursor.to_list(30))
    rest = await do(cursor.to_list())
    return [first, rest, cursor.alive, cursor.cursor_id, cursor.retrieved, await do(cursor.to_list())]


async def any_find_batches(c: Any, do: Any) -> Any:
    await fill(c, do)
    found = []
    for size, limit in ((2, 0), (2, 5), (1, 1), (500, 0), (0, -10), (7, 21)):
        cursor = c.find({}, limit=limit, batch_size=size)
        found.append([d["_id"] for d in await to_list(cursor)])
    return found


async def any_find_cursor_states(c: Any, do: Any) -> Any:
    await fill(c, do)
    cursor = c.find().batch_size(10)
    states = [cursor.alive, cursor.cursor_id, cursor.address is None]
    first = await do(cursor.next())
    states += [cursor.alive, cursor.cursor_id not in (None, 0), cursor.address is not None, cursor.session is None]
    await do(cursor.close())
    return [states, first, cursor.alive]


async def any_find_clone_and_rewind(c: Any, do: Any) -> Any:
    await fill(c, do, 10)
    cursor = c.find({"n": 1})
    one = await to_list(cursor)
    two = await to_list(cursor.clone())
    await do(cursor.rewind())
    return [one, two, await to_list(cursor), type(cursor.clone()) is type(cursor)]


async def any_find_modified_after_start(c: Any, do: Any) -> Any:
    await fill(c, do, 10)
    cursor = c.find()
    await do(cursor.next())
    return cursor.limit(3)


async def any_find_server_error(c: Any, do: Any) -> Any:
    return await to_list(c.find({"x": {"$nope": 1}}))


async def any_find_get_more_error(c: Any, do: Any) -> Any:
    await fill(c, do)
    cursor = c.find({}, batch_size=5)
    await do(cursor.next())
    await do(c.database.command("killCursors", c.name, cursors=[cursor.cursor_id]))
    return await to_list(cursor)


async def any_find_bad_arguments(c: Any, do: Any) -> Any:
    return c.find({}, skip="three")


async def any_find_explain_hint_minmax(c: Any, do: Any) -> Any:
    await fill(c, do, 20)
    await do(c.create_index("n"))
    cursor = c.find({}, hint=[("n", 1)], min=[("n", 2)], max=[("n", 4)])
    return [d["_id"] for d in await to_list(cursor)]


async def any_find_tailable(c: Any, do: Any) -> Any:
    log = await do(c.database.create_collection("log", capped=True, size=100_000))
    await do(log.insert_many([{"_id": i} for i in range(5)]))
    cursor = log.find(cursor_type=pymongo.CursorType.TAILABLE)
    found = [await do(cursor.next()) for _ in range(5)]
    alive = cursor.alive
    await do(cursor.close())
    return [found, alive]


async def any_find_distinct_and_count(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await do(c.distinct("n")), await do(c.distinct("n", {"_id": {"$lt": 3}})), await do(c.find({"n": 2}).distinct("s")),
        await do(c.count_documents({})), await do(c.count_documents({"n": 1}, skip=3, limit=5)),
        await do(c.estimated_document_count()),
    ]


SCENARIOS = {name: value for name, value in list(globals().items()) if name.startswith(("fast_", "any_"))}
METHODS: tuple[str, ...] = ('find_one',)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_same_outcome(name: str, kind: str, mongo_uri: str, database_name: str, pymongo_client: Any) -> None:
    fast = METHODS if name.startswith("fast_") else ()
    await compare(kind, SCENARIOS[name], mongo_uri, database_name, pymongo_client, fast=fast)


OPTIONS = {
    "son": {"document_class": SON},
    "aware": {"tz_aware": True},
    "raw": {"document_class": RawBSONDocument},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OPTIONS)
async def test_codec_options_hold(name: str, kind: str, mongo_uri: str, database_name: str, pymongo_client: Any) -> None:
    import datetime

    async def scenario(c: Any, do: Any) -> Any:
        when = datetime.datetime(2024, 5, 6, 7, 8, 9)
        await do(c.insert_many([{"_id": i, "when": when, "sub": {"x": [when]}} for i in range(3)]))
        documents = [await do(c.find_one({"_id": 1})), *await to_list(c.find()), *await to_list(c.aggregate([]))]
        return [[type(d).__name__, type(d["sub"]).__name__, d["when"]] for d in documents]

    options = bson.codec_options.CodecOptions(**OPTIONS[name])
    await compare(kind, scenario, mongo_uri, database_name, pymongo_client, collection_options={"codec_options": options})
