# insert_many_unsafe of both faces on a real server: what is written, what is reported, what stays flat.
from __future__ import annotations

import asyncio
import resource

import pytest
from bson import ObjectId
from pymongo.errors import BulkWriteError, ConfigurationError, DocumentTooLarge, InvalidDocument

from barewire.mongo import AsyncMongoClient, MongoClient, UnsafeInsertError


class Blocking:
    """The blocking face under the async face's calls, so that each test is written once."""

    def __init__(self, uri: str) -> None:
        self.client = MongoClient(uri)

    async def insert(self, database: str, documents, write_concern=None, **options):
        collection = self.client[database].load
        if write_concern is not None:
            collection = collection.with_options(write_concern=write_concern)
        return await asyncio.to_thread(collection.insert_many_unsafe, documents, **options)

    async def close(self) -> None:
        await asyncio.to_thread(self.client.close)


class Async:
    def __init__(self, uri: str) -> None:
        self.client = AsyncMongoClient(uri)

    async def insert(self, database: str, documents, write_concern=None, **options):
        collection = self.client[database].load
        if write_concern is not None:
            collection = collection.with_options(write_concern=write_concern)
        return await collection.insert_many_unsafe(documents, **options)

    async def close(self) -> None:
        await self.client.close()


@pytest.fixture(params=[Async, Blocking], ids=["async", "blocking"])
async def face(request, mongo_uri):
    face = request.param(mongo_uri)
    yield face
    await face.close()


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("kind", [list, iter, tuple])
async def test_everything_arrives_once(face, pymongo_database, ordered, kind):
    documents = [{"i": i, "text": f"document {i}"} for i in range(5003)]
    result = await face.insert(pymongo_database.name, kind(documents), ordered=ordered, chunk=500)
    assert result.inserted_count == 5003
    assert result.inserted_ids is None
    assert all("_id" not in document for document in documents)
    found = list(pymongo_database.load.find({}, {"_id": 0}).sort("i", 1))
    assert found == documents


async def test_ids_are_returned_in_order(face, pymongo_database):
    documents = [{"i": i} if i % 3 else {"_id": f"own {i}", "i": i} for i in range(1000)]
    result = await face.insert(pymongo_database.name, documents, chunk=64, return_ids=True)
    assert len(result.inserted_ids) == 1000
    assert result.inserted_ids[3] == "own 3"
    assert isinstance(result.inserted_ids[1], ObjectId)
    stored = {document["_id"]: document["i"] for document in pymongo_database.load.find()}
    assert [stored[key] for key in result.inserted_ids] == list(range(1000))


async def test_nothing_to_insert(face, pymongo_database):
    assert (await face.insert(pymongo_database.name, iter(()))).inserted_count == 0
    assert (await face.insert(pymongo_database.name, [])).inserted_count == 0


async def test_duplicates_without_order(face, pymongo_database):
    documents = [{"_id": i % 900} for i in range(1000)]
    with pytest.raises(UnsafeInsertError) as caught:
        await face.insert(pymongo_database.name, documents, chunk=100, connections=1)
    error = caught.value
    assert isinstance(error, BulkWriteError)
    assert error.written == [(0, 900)]
    assert error.refused == [(900, 1000)]
    assert (error.uncertain, error.not_tried, error.stopped_at) == ([], [], None)
    assert error.details["nInserted"] == 900 == pymongo_database.load.count_documents({})
    assert error.details["writeErrors"][0]["index"] == 900
    assert error.details["writeErrors"][0]["code"] == 11000
    assert "900 documents written: positions 0-899" in str(error)


async def test_duplicate_in_order_stops(face, pymongo_database):
    documents = [{"_id": i} for i in range(1000)]
    documents[250] = {"_id": 3}
    with pytest.raises(UnsafeInsertError) as caught:
        await face.insert(pymongo_database.name, documents, chunk=100, ordered=True)
    error = caught.value
    assert error.written == [(0, 250)]
    assert error.refused == [(250, 251)]
    assert error.not_tried == [(251, 300)]
    assert error.stopped_at == 300
    assert pymongo_database.load.count_documents({}) == 250 == error.details["nInserted"]


@pytest.mark.parametrize(
    ("bad", "cause"),
    [({"x": object()}, InvalidDocument), ({"x": b"-" * (17 << 20)}, DocumentTooLarge), (7, TypeError)],
    ids=["not BSON", "too large", "no document"],
)
async def test_a_document_that_cannot_be_sent(face, pymongo_database, bad, cause):
    documents = [{"i": i} for i in range(777)]
    documents[333] = bad
    with pytest.raises(UnsafeInsertError) as caught:
        await face.insert(pymongo_database.name, iter(documents), chunk=100)
    error = caught.value
    assert isinstance(error.__cause__, cause)
    assert error.written == [(0, 333)]
    assert error.stopped_at == 333
    assert {document["i"] for document in pymongo_database.load.find()} == set(range(333))


async def test_an_iterable_that_raises(face, pymongo_database):
    def documents():
        for i in range(250):
            yield {"i": i}
        raise ZeroDivisionError("no more")

    with pytest.raises(UnsafeInsertError) as caught:
        await face.insert(pymongo_database.name, documents(), chunk=100)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.written == [(0, 250)]
    assert pymongo_database.load.count_documents({}) == 250


async def test_what_it_cannot_do_is_refused(face, pymongo_database):
    from pymongo import WriteConcern

    with pytest.raises(ConfigurationError, match="acknowledged"):
        await face.insert(pymongo_database.name, [{}], write_concern=WriteConcern(0))
    with pytest.raises(ValueError, match="at least 1"):
        await face.insert(pymongo_database.name, [{}], chunk=0)
    with pytest.raises(TypeError):
        await face.insert(pymongo_database.name, 5)


async def test_memory_stays_flat_for_a_generator(face, pymongo_database):
    text = "x" * 1000
    await face.insert(pymongo_database.name, ({"i": i, "text": text} for i in range(4000)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await face.insert(pymongo_database.name, ({"i": i, "text": text} for i in range(40000)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 16 * 1024  # kB; the documents are 40 MB
