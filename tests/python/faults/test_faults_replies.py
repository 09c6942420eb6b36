# Replies that are cut, late or for somebody else: the class PyMongo gives, and never another call's reply.
from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pymongo
import pymongo.errors
import pytest
from proxy import Proxy, proxy_to

import barewire.mongo


@pytest.fixture
def proxy(mongo_server: Any) -> Iterator[Proxy]:
    with proxy_to(mongo_server.port) as found:
        yield found


def uri(proxy: Proxy, options: str = "") -> str:
    return f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true&w=1{options}"


def is_find(request: bytes) -> bool:
    return b"\x02find\x00" in request[:64]


def is_insert(request: bytes) -> bool:
    return b"\x02insert\x00" in request[:64]


@pytest.mark.parametrize("cut", [0, 3, 16, 25, 60])
def test_a_cut_reply_is_read_again_once(proxy: Proxy, database_name: str, cut: int) -> None:
    with barewire.mongo.MongoClient(uri(proxy)) as client:
        things = client[database_name].things
        things.insert_one({"_id": 1, "x": 5})
        cuts_before = proxy.cuts

        def first_only(request: bytes) -> bool:
            return is_find(request) and proxy.cuts == cuts_before

        proxy.only_when, proxy.cut_replies_after = first_only, cut
        assert things.find_one({"_id": 1}) == {"_id": 1, "x": 5}
        assert proxy.cuts == cuts_before + 1
        proxy.cut_replies_after = None
        assert things.find_one({"_id": 1}) == {"_id": 1, "x": 5}


def test_a_reply_cut_twice_is_auto_reconnect(proxy: Proxy, database_name: str) -> None:
    with barewire.mongo.MongoClient(uri(proxy)) as client:
        things = client[database_name].things
        things.insert_one({"_id": 1})
        proxy.only_when, proxy.cut_replies_after = is_find, 30
        with pytest.raises(pymongo.errors.AutoReconnect):
            things.find_one({"_id": 1})
        proxy.cut_replies_after = None
        assert things.find_one({"_id": 1}) == {"_id": 1}


def test_an_insert_whose_reply_is_lost_is_not_written_twice(proxy: Proxy, database_name: str, pymongo_client: Any) -> None:
    with barewire.mongo.MongoClient(uri(proxy)) as client:
        things = client[database_name].things
        things.insert_one({"_id": 0})
        before = proxy.cuts
        proxy.only_when = lambda request: is_insert(request) and proxy.cuts == before
        proxy.cut_replies_after = 10
        things.insert_one({"n": 1})
        assert proxy.cuts == before + 1
        assert pymongo_client[database_name].things.count_documents({"n": 1}) == 1


def test_without_retry_writes_the_error_comes_out(proxy: Proxy, database_name: str) -> None:
    with barewire.mongo.MongoClient(uri(proxy, "&retryWrites=false")) as client:
        things = client[database_name].things
        things.insert_one({"_id": 0})
        proxy.only_when, proxy.cut_replies_after = is_insert, 10
        with pytest.raises(pymongo.errors.AutoReconnect):
            things.insert_one({"n": 1})


async def test_a_cut_reply_on_the_loop(proxy: Proxy, database_name: str) -> None:
    async with barewire.mongo.AsyncMongoClient(uri(proxy)) as client:
        things = client[database_name].things
        await things.insert_one({"_id": 1, "x": 5})
        before = proxy.cuts
        proxy.only_when = lambda request: is_find(request) and proxy.cuts == before
        proxy.cut_replies_after = 20
        assert await things.find_one({"_id": 1}) == {"_id": 1, "x": 5}
        proxy.only_when = is_find
        with pytest.raises(pymongo.errors.AutoReconnect):
            await things.find_one({"_id": 1})
        proxy.cut_replies_after = None
        assert await things.find_one({"_id": 1}) == {"_id": 1, "x": 5}


def test_socket_timeout(proxy: Proxy, database_name: str) -> None:
    with barewire.mongo.MongoClient(uri(proxy, "&socketTimeoutMS=300&retryReads=false")) as client:
        things = client[database_name].things
        things.insert_one({"_id": 1})
        proxy.only_when, proxy.hold_replies = is_find, True
        started = time.monotonic()
        with pytest.raises(pymongo.errors.NetworkTimeout):
            things.find_one({"_id": 1})
        assert time.monotonic() - started < 3
        proxy.hold_replies = False
        assert things.find_one({"_id": 1}) == {"_id": 1}


async def test_socket_timeout_on_the_loop(proxy: Proxy, database_name: str) -> None:
    async with barewire.mongo.AsyncMongoClient(uri(proxy, "&socketTimeoutMS=300&retryReads=false")) as client:
        things = client[database_name].things
        await things.insert_one({"_id": 1})
        proxy.only_when, proxy.hold_replies = is_find, True
        started = time.monotonic()
        with pytest.raises(pymongo.errors.NetworkTimeout):
            await things.find_one({"_id": 1})
        assert time.monotonic() - started < 3
        proxy.hold_replies = False
        assert await things.find_one({"_id": 1}) == {"_id": 1}


async def test_a_cancelled_await_leaves_no_reply_for_the_next(proxy: Proxy, database_name: str) -> None:
    async with barewire.mongo.AsyncMongoClient(uri(proxy, "&maxPoolSize=2")) as client:
        things = client[database_name].things
        await things.insert_many([{"_id": i, "x": i * 10} for i in range(100)])
        for round_number in range(20):
            proxy.only_when, proxy.hold_replies = is_find, True
            tasks = [asyncio.ensure_future(things.find_one({"_id": i})) for i in range(6)]
            await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            proxy.hold_replies = False
            found = await asyncio.gather(*(things.find_one({"_id": i}) for i in range(50, 60)))
            assert [d["_id"] for d in found] == list(range(50, 60)), round_number
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(r, asyncio.CancelledError) for r in results)


async def test_wait_queue_timeout(proxy: Proxy, database_name: str) -> None:
    options = "&maxPoolSize=1&waitQueueTimeoutMS=200"
    async with barewire.mongo.AsyncMongoClient(uri(proxy, options)) as client:
        things = client[database_name].things
        await things.insert_one({"_id": 1})
        proxy.only_when, proxy.hold_replies = is_find, True
        first = asyncio.ensure_future(things.find_one({"_id": 1}))
        await asyncio.sleep(0.05)
        with pytest.raises(pymongo.errors.WaitQueueTimeoutError):
            await things.find_one({"_id": 1})
        proxy.hold_replies = False
        assert await first == {"_id": 1}
