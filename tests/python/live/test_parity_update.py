# Updates, replacements and deletes give PyMongo's results, errors and effects.
from __future__ import annotations

from typing import Any

import pytest
from parity_fixtures import KINDS, compare
from pymongo.collation import Collation


async def fill(c: Any, do: Any) -> None:
    await do(c.insert_many([{"_id": i, "n": i % 3, "a": [{"k": 1}, {"k": 2}]} for i in range(10)]))


async def fast_update_one(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await do(c.update_one({"_id": 1}, {"$set": {"x": 1}})),
        await do(c.update_one({"_id": 1}, {"$set": {"x": 1}})),
        await do(c.update_one({"_id": 99}, {"$set": {"x": 1}})),
        await do(c.update_one({"_id": 99}, {"$set": {"x": 1}}, upsert=True)),
        await do(c.update_one({"y": 1}, {"$set": {"x": 1}}, upsert=True, session=None)),
    ]


async def fast_update_one_options(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await do(c.update_one({"_id": 1}, {"$set": {"a.$[e].k": 9}}, array_filters=[{"e.k": 1}])),
        await do(c.update_one({"n": 1}, [{"$set": {"p": "$n"}}], hint="_id_", comment="c")),
        await do(c.update_one({"$expr": {"$eq": ["$_id", "$$i"]}}, {"$inc": {"n": 1}}, let={"i": 4})),
        await do(c.update_one({"s": "x"}, {"$set": {"x": 1}}, collation=Collation("en"))),
        await do(c.update_one({"_id": 2}, {"$set": {"x": 1}}, bypass_document_validation=True)),
    ]


async def fast_update_many(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await do(c.update_many({"n": 1}, {"$inc": {"x": 1}})),
        await do(c.update_many({"n": 50}, {"$inc": {"x": 1}}, upsert=True)),
        await do(c.update_many({}, {"$unset": {"a": ""}})),
    ]


async def fast_update_duplicate(c: Any, do: Any) -> Any:
    await fill(c, do)
    await do(c.create_index("u", unique=True, sparse=True))
    await do(c.update_one({"_id": 1}, {"$set": {"u": 1}}))
    return await do(c.update_one({"_id": 2}, {"$set": {"u": 1}}))


async def fast_update_server_error(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await do(c.update_one({"_id": 1}, {"$nope": {"x": 1}}))


async def any_update_without_operator(c: Any, do: Any) -> Any:
    return await do(c.update_one({"_id": 1}, {"x": 1}))


async def any_update_empty(c: Any, do: Any) -> Any:
    return await do(c.update_one({"_id": 1}, {}))


async def any_update_bad_filter(c: Any, do: Any) -> Any:
    return await do(c.update_one(5, {"$set": {"x": 1}}))


async def any_update_bad_array_filters(c: Any, do: Any) -> Any:
    return await do(c.update_one({}, {"$set": {"x": 1}}, array_filters={}))


async def any_update_bad_upsert(c: Any, do: Any) -> Any:
    return await do(c.update_one({}, {"$set": {"x": 1}}, upsert="yes"))


async def fast_replace_one(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await do(c.replace_one({"_id": 1}, {"x": 1})),
        await do(c.replace_one({"_id": 77}, {"x": 2}, upsert=True)),
        await do(c.replace_one({"_id": 78}, {"x": 2})),
    ]


async def any_replace_with_operator(c: Any, do: Any) -> Any:
    return await do(c.replace_one({"_id": 1}, {"$set": {"x": 1}}))


async def fast_replace_id_change(c: Any, do: Any) -> Any:
    await fill(c, do)
    return await do(c.replace_one({"_id": 1}, {"_id": 2}))


async def fast_delete(c: Any, do: Any) -> Any:
    await fill(c, do)
    return [
        await do(c.delete_one({"n": 1})), await do(c.delete_one({"n": 77})),
        await do(c.delete_many({"n": 2})), await do(c.delete_many({"s": "A"}, collation=Collation("en", strength=1))),
        await do(c.delete_one({"_id": 0}, hint="_id_", comment="c")), await do(c.delete_many({})),
    ]


async def fast_delete_server_error(c: Any, do: Any) -> Any:
    return await do(c.delete_one({"x": {"$nope": 1}}))


async def any_delete_bad_filter(c: Any, do: Any) -> Any:
    return await do(c.delete_one("x"))


SCENARIOS = {name: value for name, value in list(globals().items()) if name.startswith(("fast_", "any_"))}
METHODS: tuple[str, ...] = ('update_one', 'update_many', 'replace_one', 'delete_one', 'delete_many')


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_same_outcome(name: str, kind: str, mongo_uri: str, database_name: str, pymongo_client: Any) -> None:
    fast = METHODS if name.startswith("fast_") else ()
    await compare(kind, SCENARIOS[name], mongo_uri, database_name, pymongo_client, fast=fast)
