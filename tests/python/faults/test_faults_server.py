# Servers that die, hang, refuse or are not there: nothing hangs past its timeout, each gives the class PyMongo gives.
from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pymongo
import pymongo.errors
import pytest

import barewire.mongo
from barewire.embedded import MongoServer

ACCEPTABLE = (pymongo.errors.ConnectionFailure, pymongo.errors.OperationFailure)


@pytest.fixture
def own_server() -> Iterator[MongoServer]:
    with MongoServer() as server:
        yield server


def with_options(uri: str, options: str) -> str:
    return f"{uri}&w=1&{options}"


async def test_killed_and_restarted_under_load(own_server: MongoServer) -> None:
    """Every operation ends in success or in a connection error; what was acknowledged is there, nothing twice."""
    uri = with_options(own_server.uri, "serverSelectionTimeoutMS=20000&journal=true")
    acknowledged: list[int] = []
    errors: list[BaseException] = []
    stop = False
    async with barewire.mongo.AsyncMongoClient(uri) as client:
        things = client.test.things
        await things.insert_one({"_id": -1})

        async def worker(number: int) -> None:
            sequence = 0
            while not stop:
                key = number * 1_000_000 + sequence
                sequence += 1
                try:
                    await things.insert_one({"_id": key})
                    acknowledged.append(key)
                    found = await things.find_one({"_id": key})
                    assert found == {"_id": key}, (found, key)
                except ACCEPTABLE as error:
                    errors.append(error)

        tasks = [asyncio.ensure_future(worker(n)) for n in range(1, 21)]
        await asyncio.sleep(1)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, own_server.kill)
        await asyncio.sleep(0.3)
        await loop.run_in_executor(None, own_server.restart)
        await asyncio.sleep(1.5)
        stop = True
        await asyncio.wait_for(asyncio.gather(*tasks), 40)
        count_at_restart = len(acknowledged)
        await things.insert_one({"_id": "after"})
    assert count_at_restart > 20
    with pymongo.MongoClient(own_server.uri) as witness:
        stored = {d["_id"] for d in witness.test.things.find()}
    assert set(acknowledged) <= stored
    assert not [e for e in errors if isinstance(e, pymongo.errors.DuplicateKeyError)]


def test_stopped_server_times_out(own_server: MongoServer) -> None:
    with barewire.mongo.MongoClient(with_options(own_server.uri, "socketTimeoutMS=500&retryReads=false")) as client:
        things = client.test.things
        things.insert_one({"_id": 1})
        own_server.pause()  # returns when every thread has stopped: a bare kill() leaves time for an answer
        try:
            started = time.monotonic()
            with pytest.raises(pymongo.errors.NetworkTimeout):
                things.find_one({"_id": 1})
            assert time.monotonic() - started < 3
        finally:
            own_server.resume()
        # A busy machine may need more than half a second to answer at all: it has as many tries as it likes for a while.
        while True:
            with contextlib.suppress(pymongo.errors.NetworkTimeout):
                assert things.find_one({"_id": 1}) == {"_id": 1}
                break
            assert time.monotonic() - started < 15


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid:27017"])
def test_nobody_there(address: str) -> None:
    uri = f"mongodb://{address}/?serverSelectionTimeoutMS=700"
    with barewire.mongo.MongoClient(uri) as client:
        for call in (lambda: client.t.c.find_one(), lambda: client.t.c.insert_one({}), lambda: client.admin.command("ping")):
            started = time.monotonic()
            with pytest.raises(pymongo.errors.ServerSelectionTimeoutError) as caught:
                call()
            assert 0.5 < time.monotonic() - started < 3
            assert address.split(":")[0] in str(caught.value)


async def test_nobody_there_on_the_loop() -> None:
    async with barewire.mongo.AsyncMongoClient("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=700") as client:
        started = time.monotonic()
        results = await asyncio.gather(*(client.t.c.find_one() for _ in range(10)), return_exceptions=True)
        assert time.monotonic() - started < 3
        assert {type(r) for r in results} == {pymongo.errors.ServerSelectionTimeoutError}


def test_server_that_comes_later(own_server: MongoServer) -> None:
    own_server.kill()
    threading.Timer(1.0, own_server.restart).start()
    with barewire.mongo.MongoClient(with_options(own_server.uri, "serverSelectionTimeoutMS=20000")) as client:
        client.test.things.insert_one({"_id": 1})
        assert client.test.things.count_documents({}) == 1


def test_primary_steps_down_under_load(own_server: MongoServer) -> None:
    with barewire.mongo.MongoClient(with_options(own_server.uri, "serverSelectionTimeoutMS=20000")) as client:
        things = client.test.things
        things.insert_one({"_id": -1})
        done: list[int] = []
        failed: list[BaseException] = []
        stop = threading.Event()

        def work(number: int) -> None:
            sequence = 0
            while not stop.is_set():
                key = number * 1_000_000 + sequence
                sequence += 1
                try:
                    things.insert_one({"_id": key})
                    done.append(key)
                except pymongo.errors.PyMongoError as error:
                    failed.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        with pymongo.MongoClient(own_server.direct_uri) as witness:
            witness.admin.command("replSetStepDown", 1, force=True)
        time.sleep(4)
        at_end = len(done)
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
        assert len(done) > at_end, "no progress after the step-down"
        # One retry hides a step-down unless it takes longer than the second attempt's selection.
        assert all(isinstance(e, ACCEPTABLE) for e in failed)
        with pymongo.MongoClient(own_server.uri) as witness:
            assert set(done) <= {d["_id"] for d in witness.test.things.find()}


async def test_fifty_tasks_share_four_connections(mongo_uri: str, database_name: str) -> None:
    async with barewire.mongo.AsyncMongoClient(mongo_uri, maxPoolSize=4) as client:
        things = client[database_name].things
        await things.insert_many([{"_id": i, "x": -i} for i in range(500)])

        async def worker(number: int) -> None:
            for step in range(100):
                key = (number * 37 + step * 11) % 500
                assert await things.find_one({"_id": key}) == {"_id": key, "x": -key}

        await asyncio.wait_for(asyncio.gather(*(worker(n) for n in range(50))), 60)
        status = await client.admin.command("serverStatus")
        assert status["ok"] == 1


def test_large_batches_and_documents(mongo_uri: str, database_name: str, pymongo_client: Any) -> None:
    with barewire.mongo.MongoClient(mongo_uri) as client:
        things = client[database_name].things
        things.insert_many([{"_id": i, "x": "x" * 1_000_000} for i in range(60)])  # 60 MB: two messages
        assert pymongo_client[database_name].things.count_documents({}) == 60
        with pytest.raises(pymongo.errors.DocumentTooLarge):
            things.insert_one({"x": "x" * (17 * 1024 * 1024)})
        # In a bulk PyMongo leaves this to the server; the parity scenarios compare the texts.
        with pytest.raises((pymongo.errors.DocumentTooLarge, pymongo.errors.OperationFailure)):
            things.insert_many([{"_id": "small"}, {"x": "x" * (17 * 1024 * 1024)}])
        assert things.find_one({"_id": 59})["x"] == "x" * 1_000_000


def test_command_error_fail_point(mongo_server: MongoServer, mongo_uri: str, database_name: str, pymongo_client: Any) -> None:
    """One NotPrimary answer to a retryable write is hidden, two are not."""
    with barewire.mongo.MongoClient(mongo_uri, appname="failing-writes") as client:
        things = client[database_name].things
        things.insert_one({"_id": 0})
        for times, expected in ((1, None), (2, pymongo.errors.NotPrimaryError)):
            pymongo_client.admin.command(
                "configureFailPoint", "failCommand", mode={"times": times},
                data={"failCommands": ["insert"], "errorCode": 10107, "errorLabels": ["RetryableWriteError"], "appName": "failing-writes"},
            )
            try:
                if expected is None:
                    things.insert_one({"_id": times})
                else:
                    with pytest.raises(expected):
                        things.insert_one({"_id": times})
            finally:
                pymongo_client.admin.command("configureFailPoint", "failCommand", mode="off")
        assert [d["_id"] for d in things.find().sort("_id")] == [0, 1]
