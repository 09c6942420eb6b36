# insert_one and insert_many give PyMongo's results, errors and effects.
from __future__ import annotations

from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from parity_fixtures import KINDS, compare


async def fast_insert_one(c: Any, do: Any) -> Any:
    document = {"x": 1, "nested": {"a": [1, 2.5, None, True, "text"]}}
    result = await do(c.insert_one(document))
    return [result, document, result.inserted_id == document["_id"]]


async def fast_insert_one_with_id(c: Any, do: Any) -> Any:
    return await do(c.insert_one({"x": 1, "_id": "own"}))


async def fast_insert_one_session_none(c: Any, do: Any) -> Any:
    return await do(c.insert_one({"x": 1}, session=None, comment="why", bypass_document_validation=False))


async def fast_insert_one_duplicate(c: Any, do: Any) -> Any:
    await do(c.insert_one({"_id": 1}))
    return await do(c.insert_one({"_id": 1, "again": True}))


async def fast_insert_one_null_id(c: Any, do: Any) -> Any:
    return await do(c.insert_one({"_id": None, "x": 1}))


async def fast_insert_one_raw(c: Any, do: Any) -> Any:
    return await do(c.insert_one(RawBSONDocument(bson.encode({"_id": 5, "x": 1}))))


async def fast_insert_one_son(c: Any, do: Any) -> Any:
    document = SON([("b", 1), ("a", 2)])
    await do(c.insert_one(document))
    return list(document)


async def fast_insert_one_unencodable(c: Any, do: Any) -> Any:
    return await do(c.insert_one({"x": {1, 2}}))


async def fast_insert_one_number_key(c: Any, do: Any) -> Any:
    return await do(c.insert_one({1: 2}))


async def fast_insert_one_nul_key(c: Any, do: Any) -> Any:
    return await do(c.insert_one({"a\0b": 2}))


async def fast_insert_one_huge_integer(c: Any, do: Any) -> Any:
    return await do(c.insert_one({"x": 2**70}))


async def any_insert_one_not_a_document(c: Any, do: Any) -> Any:
    return await do(c.insert_one([("x", 1)]))


async def any_insert_one_wrong_arity(c: Any, do: Any) -> Any:
    return await do(c.insert_one())


async def fast_insert_one_too_large(c: Any, do: Any) -> Any:
    await do(c.insert_one({"_id": 0}))  # the text counts $clusterTime too, which ours learns from the first reply only
    return await do(c.insert_one({"_id": 1, "x": "x" * (17 * 1024 * 1024)}))


async def fast_insert_one_dollar_key(c: Any, do: Any) -> Any:
    return await do(c.insert_one({"_id": 1, "$x": 1, "a.b": 2}))


async def fast_insert_many(c: Any, do: Any) -> Any:
    documents = [{"n": i} for i in range(250)]
    result = await do(c.insert_many(documents))
    return [result, documents, result.inserted_ids == [d["_id"] for d in documents]]


async def fast_insert_many_iterator_and_own_ids(c: Any, do: Any) -> Any:
    documents = [{"_id": i, "n": i} if i % 2 else {"n": i} for i in range(20)]
    return [await do(c.insert_many(documents, ordered=False)), documents]


async def any_insert_many_generator(c: Any, do: Any) -> Any:
    return await do(c.insert_many({"_id": i} for i in range(5)))


async def any_insert_many_empty(c: Any, do: Any) -> Any:
    return await do(c.insert_many([]))


async def any_insert_many_not_documents(c: Any, do: Any) -> Any:
    return await do(c.insert_many([{"_id": 1}, 5, {"_id": 2}]))


async def any_insert_many_string(c: Any, do: Any) -> Any:
    return await do(c.insert_many("abc"))


async def fast_insert_many_ordered_duplicate(c: Any, do: Any) -> Any:
    return await do(c.insert_many([{"_id": 1}, {"_id": 2}, {"_id": 1, "x": "again"}, {"_id": 3}]))


async def fast_insert_many_unordered_duplicates(c: Any, do: Any) -> Any:
    return await do(c.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}, {"_id": 2}, {"_id": 3}], ordered=False))


async def fast_insert_many_unencodable_in_the_middle(c: Any, do: Any) -> Any:
    return await do(c.insert_many([{"_id": 1}, {"_id": 2, "x": object}, {"_id": 3}]))


async def fast_insert_many_too_large_in_the_middle(c: Any, do: Any) -> Any:
    return await do(c.insert_many([{"_id": 1}, {"_id": 2, "x": "x" * (17 * 1024 * 1024)}, {"_id": 3}]))


async def fast_insert_many_over_one_message(c: Any, do: Any) -> Any:
    # 60 MB: more than one message of 48 MB.
    result = await do(c.insert_many([{"_id": i, "x": "x" * 6_000_000} for i in range(10)]))
    return len(result.inserted_ids)


async def fast_insert_many_validation(c: Any, do: Any) -> Any:
    await do(c.database.command("collMod", c.name, validator={"n": {"$type": "int"}}))
    return await do(c.insert_many([{"_id": 1, "n": 1}, {"_id": 2, "n": "text"}, {"_id": 3, "n": 3}], ordered=False))


async def fast_insert_many_same_document_twice(c: Any, do: Any) -> Any:
    document: dict[str, Any] = {"x": 1}
    return await do(c.insert_many([document, document]))


SCENARIOS = {name: value for name, value in list(globals().items()) if name.startswith(("fast_", "any_"))}
METHODS: tuple[str, ...] = ('insert_one', 'insert_many')


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_same_outcome(name: str, kind: str, mongo_uri: str, database_name: str, pymongo_client: Any) -> None:
    fast = METHODS if name.startswith("fast_") else ()
    await compare(kind, SCENARIOS[name], mongo_uri, database_name, pymongo_client, fast=fast)
