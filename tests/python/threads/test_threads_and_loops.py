# One client in many threads and event loops, thousands of idle cursors, cancelled work: no reply ever goes astray.
from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import barewire.mongo


def test_one_client_many_threads(mongo_uri: str, database_name: str) -> None:
    with barewire.mongo.MongoClient(mongo_uri, maxPoolSize=5) as client:
        things = client[database_name].things
        things.insert_many([{"_id": i, "x": -i} for i in range(200)])

        def work(number: int) -> int:
            for step in range(150):
                key = (number * 31 + step * 7) % 200
                assert things.find_one({"_id": key}) == {"_id": key, "x": -key}
            things.insert_one({"_id": f"t{number}"})
            return len(things.find({"_id": {"$lt": 50}}, batch_size=10).to_list())

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(work, range(16))) == [50] * 16
        assert things.count_documents({}) == 216


def test_several_loops_at_once_and_one_after_another(mongo_uri: str, database_name: str) -> None:
    client = barewire.mongo.AsyncMongoClient(mongo_uri, maxPoolSize=6)
    things = client[database_name].things

    async def fill() -> None:
        await things.insert_many([{"_id": i, "x": -i} for i in range(100)])

    async def work() -> None:
        async def task(number: int) -> None:
            for step in range(40):
                key = (number * 13 + step) % 100
                assert await things.find_one({"_id": key}) == {"_id": key, "x": -key}
                await things.update_one({"_id": key}, {"$set": {"x": -key}})
            assert len(await things.find({}, batch_size=9).to_list()) == 100

        await asyncio.gather(*(task(n) for n in range(6)))

    async def close() -> None:
        await client.close()

    asyncio.run(fill())
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures and not any(thread.is_alive() for thread in threads)
    asyncio.run(work())
    asyncio.run(close())


def test_a_loop_closed_with_work_in_flight(mongo_uri: str, database_name: str) -> None:
    client = barewire.mongo.AsyncMongoClient(mongo_uri, maxPoolSize=2)
    things = client[database_name].things

    async def leave() -> None:
        await things.insert_one({"_id": 1}) if await things.find_one({"_id": 1}) is None else None
        for _ in range(10):
            asyncio.ensure_future(things.find_one({"$where": "sleep(300) || true"}))
        await asyncio.sleep(0.02)

    async def check() -> None:
        for _ in range(20):
            assert await asyncio.wait_for(things.find_one({"_id": 1}), 10) == {"_id": 1}

    for _ in range(3):
        asyncio.run(leave())
        asyncio.run(check())
    asyncio.run(client.close())


async def test_a_thousand_idle_cursors_on_ten_connections(mongo_uri: str, database_name: str) -> None:
    async with barewire.mongo.AsyncMongoClient(mongo_uri, maxPoolSize=10) as client:
        things = client[database_name].things
        await things.insert_many([{"_id": i} for i in range(50)])
        cursors = [things.find({}, batch_size=2) for _ in range(1000)]
        for cursor in cursors:
            assert (await cursor.next())["_id"] == 0
        assert all(cursor.alive for cursor in cursors)
        assert await things.count_documents({}) == 50
        for cursor in cursors[::50]:
            assert [d["_id"] async for d in cursor] == list(range(1, 50))
        for cursor in cursors:
            await cursor.close()


def test_a_thousand_idle_cursors_blocking(mongo_uri: str, database_name: str) -> None:
    with barewire.mongo.MongoClient(mongo_uri, maxPoolSize=10) as client:
        things = client[database_name].things
        things.insert_many([{"_id": i} for i in range(50)])
        cursors = [things.find({}, batch_size=2) for _ in range(1000)]
        assert all(cursor.next()["_id"] == 0 for cursor in cursors)
        assert [d["_id"] for d in cursors[500]] == list(range(1, 50))
        for cursor in cursors:
            cursor.close()


@pytest.mark.parametrize("after", [0.0, 0.0005, 0.002])
async def test_cancelled_at_any_moment(mongo_uri: str, database_name: str, after: float) -> None:
    async with barewire.mongo.AsyncMongoClient(mongo_uri, maxPoolSize=3) as client:
        things = client[database_name].things
        await things.insert_many([{"_id": i, "x": -i} for i in range(100)])
        for round_number in range(30):
            tasks = [asyncio.ensure_future(things.find_one({"_id": i})) for i in range(10)]
            await asyncio.sleep(after)
            for task in tasks[::2]:
                task.cancel()
            for number, result in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
                assert isinstance(result, asyncio.CancelledError) or result == {"_id": number, "x": -number}, round_number
        assert await things.find_one({"_id": 42}) == {"_id": 42, "x": -42}


async def test_wait_for_times_out_and_the_client_goes_on(mongo_uri: str, database_name: str) -> None:
    async with barewire.mongo.AsyncMongoClient(mongo_uri) as client:
        things = client[database_name].things
        await things.insert_one({"_id": 1})
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(things.find_one({"$where": "sleep(1000) || true"}), 0.1)
        assert await things.find_one({"_id": 1}) == {"_id": 1}


def test_uvloop(mongo_uri: str, database_name: str) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def work() -> None:
        async with barewire.mongo.AsyncMongoClient(mongo_uri) as client:
            things = client[database_name].things
            await things.insert_many([{"_id": i} for i in range(1000)])
            found = await asyncio.gather(*(things.find_one({"_id": i}) for i in range(200)))
            assert [d["_id"] for d in found] == list(range(200))
            assert len(await things.find().to_list()) == 1000
            assert await client.admin.command("ping")

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(work())
    finally:
        loop.close()
