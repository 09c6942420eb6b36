# PyMongo's own methods over the engine, on a real server: the seam at work, on the oldest and the newest release.
from __future__ import annotations

import asyncio
import inspect
from typing import Any

import gridfs
import pytest
from gridfs.asynchronous import AsyncGridFSBucket
from pymongo import IndexModel, WriteConcern, monitoring

from barewire.mongo import AsyncMongoClient, MongoClient


async def wait(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@pytest.fixture(params=[AsyncMongoClient, MongoClient], ids=["async", "blocking"])
async def client(request, mongo_uri):
    client = request.param(mongo_uri)
    yield client
    await wait(client.close())


class Commands(monitoring.CommandListener):
    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: Any) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


async def test_one_set_of_connections(client, database_name):
    """Hot and inherited methods use the same pool, and PyMongo opens no socket."""
    things = client[database_name].things
    await wait(things.insert_one({"_id": 1}))
    await wait(things.create_indexes([IndexModel("a")]))
    assert sorted(await wait(things.index_information())) == ["_id_", "a_1"]
    assert await wait(client[database_name].list_collection_names()) == ["things"]
    assert await wait(things.estimated_document_count()) == 1
    (pool,) = client._link.engine.pool_stats()
    assert pool["created"] == 1
    assert await wait(client.primary) == await wait(client.address)


async def test_explicit_session_and_transaction(client, database_name):
    things = client[database_name].things
    await wait(things.insert_one({"_id": 0}))
    session = client.start_session()
    await wait(session.start_transaction())
    await wait(things.insert_one({"_id": 1}, session=session))
    assert await wait(things.find_one({"_id": 1})) is None
    assert await wait(things.find_one({"_id": 1}, session=session)) == {"_id": 1}
    await wait(session.commit_transaction())
    await wait(session.end_session())
    assert await wait(things.find_one({"_id": 1})) == {"_id": 1}


async def test_change_stream(client, database_name):
    things = client[database_name].things
    await wait(things.insert_one({"_id": 0}))
    stream = await wait(things.watch(max_await_time_ms=200))
    await wait(things.insert_one({"_id": 1}))
    for _ in range(50):
        change = await wait(stream.try_next())
        if change is not None:
            break
    assert change["fullDocument"] == {"_id": 1}
    await wait(stream.close())


async def test_gridfs(client, database_name):
    bucket_class = AsyncGridFSBucket if isinstance(client, AsyncMongoClient) else gridfs.GridFSBucket
    bucket = bucket_class(client[database_name])
    key = await wait(bucket.upload_from_stream("name", b"x" * 600_000))
    out = await wait(bucket.open_download_stream(key))
    assert await wait(out.read()) == b"x" * 600_000


async def test_unacknowledged_writes_have_no_reply(client, database_name):
    things = client[database_name].things
    await wait(things.insert_one({"_id": 0}))
    quiet = things.with_options(write_concern=WriteConcern(0))
    for i in range(1, 20):
        assert not (await wait(quiet.insert_one({"_id": i}))).acknowledged
    for _ in range(100):
        if await wait(things.count_documents({})) == 20:
            break
        await asyncio.sleep(0.02)
    assert await wait(things.count_documents({})) == 20


async def test_listeners_hear_every_command(client, mongo_uri, database_name):
    heard = Commands()
    other = type(client)(mongo_uri, event_listeners=[heard])
    things = other[database_name].things
    await wait(things.insert_one({"_id": 0}))
    await wait(things.find_one())
    await wait(things.update_one({}, {"$set": {"a": 1}}))
    await wait(other.close())
    assert [name for name in heard.names if name in ("insert", "find", "update")] == ["insert", "find", "update"]


async def test_raw_batches_and_commands(client, database_name):
    things = client[database_name].things
    await wait(things.insert_many([{"_id": i} for i in range(250)]))
    cursor = things.find_raw_batches(batch_size=100)
    batches = [batch async for batch in cursor] if hasattr(cursor, "__aiter__") else list(cursor)
    assert len(batches) == 3
    cursor = await wait(client[database_name].cursor_command("find", "things", batchSize=10))
    assert len(await wait(cursor.to_list())) == 250


async def test_nothing_is_opened_by_a_constructor(client):
    assert client._link.engine.used is False
    assert client._opened is False
