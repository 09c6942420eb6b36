# find_one_and_*, aggregate, distinct, count, bulk_write and command give PyMongo's results and errors.
from __future__ import annotations

from typing import Any

import pymongo
import pytest
from bson.son import SON
from parity import to_list
from parity_fixtures import KINDS, compare
from pymongo.collation import Collation


async def fill(c: Any, do: Any) -> None:
    await do(c.insert_many([{"_id": i, "n": i % 3, "a": [{"k": 1}, {"k": 2}]} for i in range(200)]))


async def fast_find_one_and(c: Any, do: Any) -> Any:
    await fill(c, do)
    after = pymongo.ReturnDocument.AFTER
    return [
        await do(c.find_one_and_update({"_id": 1}, {"$set": {"x": 1}})),
        await do(c.find_one_and_update({"_id": 1}, {"$set": {"x": 2}}, {"x": 1}, return_document=after)),
        await do(c.find_one_and_update({"_id": 900}, {"$set": {"x": 2}}, upsert=True, return_document=after)),
        await do(c.find_one_and_update({"_id": 901}, {"$set": {"x": 2}})),
        await do(c.find_one_and_update({"n": 1}, {"$inc": {"z": 1}}, sort=[("_id", -1)], array_filters=None, session=None)),
        await do(c.find_one_and_update({"_id": 3}, {"$set": {"a.$[e].k": 7}}, array_filters=[{"e.k": 2}], return_document=after)),
        await do(c.find_one_and_replace({"_id": 2}, {"new": True}, return_document=after)),
        await do(c.find_one_and_delete({"n": 2}, {"n": 1}, sort=[("_id", 1)])),
        await do(c.find_one_and_delete({"n": 50})),
    ]


async def fast_find_one_and_error(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await do(c.find_one_and_update({"_id": 1}, {"$nope": {"x": 1}}))


async def any_find_one_and_bad(c: Any, do: Any) -> Any:
    return await do(c.find_one_and_update({"_id": 1}, {"x": 1}))


async def any_find_one_and_bad_return(c: Any, do: Any) -> Any:
    return await do(c.find_one_and_update({"_id": 1}, {"$set": {"x": 1}}, return_document="after"))


async def fast_count(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await do(c.count_documents({})), await do(c.count_documents({"n": 1})), await do(c.count_documents({"n": 99})),
        await do(c.count_documents({"n": 1}, skip=5, limit=10, hint="_id_", comment="c", maxTimeMS=5000)),
        await do(c.count_documents({"s": "A"}, collation=Collation("en"))),
    ]


async def fast_count_error(c: Any, do: Any) -> Any:
    return await do(c.count_documents({"x": {"$nope": 1}}))


async def any_aggregate(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await to_list(c.aggregate([{"$group": {"_id": "$n", "c": {"$sum": 1}}}, {"$sort": {"_id": 1}}])),
        await to_list(c.aggregate([{"$match": {"n": 1}}], batchSize=7)),
        await to_list(c.aggregate([{"$match": {"$expr": {"$eq": ["$_id", "$$i"]}}}], let={"i": 4}, allowDiskUse=True)),
        await to_list(c.aggregate([{"$sort": {"_id": 1}}, {"$limit": 3}], session=None, comment="c", maxTimeMS=5000)),
        await to_list(c.aggregate([{"$match": {"n": 1}}, {"$project": {"n": 1}}, {"$out": "copied"}])),
        await to_list(c.aggregate([])),
    ]


async def any_aggregate_error(c: Any, do: Any) -> Any:
    return await to_list(c.aggregate([{"$nope": 1}]))


async def any_aggregate_bad(c: Any, do: Any) -> Any:
    return await to_list(c.aggregate({"$match": 1}))


async def any_distinct(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [await do(c.distinct("n")), await do(c.distinct("a.k", {"n": 1})), await do(c.distinct("zzz"))]


async def any_distinct_bad(c: Any, do: Any) -> Any:
    return await do(c.distinct(5))


def requests() -> list[Any]:
    return [
        pymongo.InsertOne({"_id": 500, "x": 1}), pymongo.InsertOne({"_id": 501}),
        pymongo.UpdateOne({"_id": 1}, {"$set": {"b": 1}}), pymongo.UpdateMany({"n": 2}, {"$inc": {"b": 1}}),
        pymongo.UpdateOne({"_id": 600}, {"$set": {"b": 1}}, upsert=True), pymongo.ReplaceOne({"_id": 3}, {"r": 1}),
        pymongo.DeleteOne({"_id": 4}), pymongo.DeleteMany({"n": 1}), pymongo.InsertOne({"x": "own id made"}),
    ]


async def any_bulk_write(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await do(c.bulk_write(requests()))


async def any_bulk_write_unordered(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await do(c.bulk_write(requests(), ordered=False, comment="c"))


async def any_bulk_write_inserts(c: Any, do: Any) -> Any:
    return await do(c.bulk_write([pymongo.InsertOne({"_id": i}) for i in range(150)]))


async def any_bulk_write_error(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await do(c.bulk_write([pymongo.InsertOne({"_id": 1000}), pymongo.InsertOne({"_id": 1}), pymongo.DeleteOne({"_id": 2})]))


async def any_bulk_write_unordered_errors(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await do(c.bulk_write(
        [pymongo.InsertOne({"_id": 1}), pymongo.UpdateOne({"_id": 5}, {"$nope": 1}), pymongo.DeleteOne({"_id": 2})], ordered=False))


async def any_bulk_write_empty(c: Any, do: Any) -> Any:
    return await do(c.bulk_write([]))


async def any_bulk_write_bad(c: Any, do: Any) -> Any:
    return await do(c.bulk_write([{"insert": 1}]))


async def any_command(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        (await do(c.database.command("ping")))["ok"],
        await do(c.database.command("count", c.name, query={"n": 1})),
        await do(c.database.command({"distinct": c.name, "key": "n"})),
        (await do(c.database.command(SON([("collStats", c.name)]))))["count"],
        await do(c.database.command("nonsense", check=False)),
        (await do(c.database.command("count", c.name, session=None)))["n"],
    ]


async def any_command_error(c: Any, do: Any) -> Any:
    return await do(c.database.command("nonsense"))


async def any_command_allowed_error(c: Any, do: Any) -> Any:
    return await do(c.database.command("nonsense", allowable_errors=[59]))


async def any_session_and_transaction(c: Any, do: Any) -> Any:
    await fill(c, do)
    session = await do(c.database.client.start_session())
    async def work() -> None:
        await do(c.insert_one({"_id": "t"}, session=session))
        await do(c.update_one({"_id": 1}, {"$set": {"t": 1}}, session=session))
    await do(session.start_transaction())
    await work()
    inside = await do(c.count_documents({}, session=session))
    outside = await do(c.count_documents({}))
    await do(session.abort_transaction())
    aborted = await do(c.find_one({"_id": "t"}))
    await do(session.start_transaction())
    await work()
    await do(session.commit_transaction())
    await do(session.end_session())
    return [inside, outside, aborted, await do(c.find_one({"_id": "t"}))]


async def any_indexes(c: Any, do: Any) -> Any:
    await do(c.create_index([("n", 1), ("x", -1)], name="nx"))
    await do(c.create_index("u", unique=True))
    information = await do(c.index_information())
    await do(c.drop_index("nx"))
    return [information, sorted(await do(c.index_information()))]


SCENARIOS = {name: value for name, value in list(globals().items()) if name.startswith(("fast_", "any_"))}
METHODS: tuple[str, ...] = ('find_one_and_update', 'find_one_and_replace', 'find_one_and_delete', 'count_documents')


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_same_outcome(name: str, kind: str, mongo_uri: str, database_name: str, pymongo_client: Any) -> None:
    fast = METHODS if name.startswith("fast_") else ()
    await compare(kind, SCENARIOS[name], mongo_uri, database_name, pymongo_client, fast=fast)
