# What an operation gives to `await`: asyncio's rules for futures hold, though tasks go on a pass of the loop earlier.
from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

import barewire.mongo
from barewire import _core

MARK: contextvars.ContextVar[int] = contextvars.ContextVar("mark", default=-1)
SLOW = {"$where": "sleep(200) || true"}


@pytest.fixture
async def things(mongo_uri: str, database_name: str) -> AsyncIterator[Any]:
    async with barewire.mongo.AsyncMongoClient(mongo_uri) as client:
        collection = client[database_name].things
        await collection.insert_many([{"_id": i} for i in range(50)])
        yield collection


def start(things: Any, number: int = 1) -> Any:
    """The bare awaitable below find_one."""
    from barewire.mongo import _commands as commands

    plan = things._open_plan()
    return plan.read.start({"find": plan.name, "filter": {"_id": number}, "limit": 1, "singleBatch": True}, commands.FIND_ONE)


async def test_it_is_a_future_by_asyncios_rules(things: Any) -> None:
    pending = start(things)
    assert type(pending) is _core.Pending and asyncio.isfuture(pending)
    assert not pending.done() and not pending.cancelled()
    assert pending.get_loop() is asyncio.get_running_loop()
    with pytest.raises(asyncio.InvalidStateError):
        pending.result()
    assert await pending == {"_id": 1}
    assert pending.done() and pending.result() == {"_id": 1} and pending.exception() is None
    assert pending.cancel() is False
    assert await pending == {"_id": 1}  # again


async def test_wait_gather_shield_and_wait_for(things: Any) -> None:
    done, waiting = await asyncio.wait([start(things, i) for i in range(5)])
    assert not waiting and sorted(p.result()["_id"] for p in done) == list(range(5))
    assert await asyncio.gather(*(start(things, i) for i in range(5))) == [{"_id": i} for i in range(5)]
    assert await asyncio.shield(start(things, 7)) == {"_id": 7}
    assert await asyncio.wait_for(start(things, 8), 5) == {"_id": 8}
    assert [await found for found in asyncio.as_completed([start(things, 9)])] == [{"_id": 9}]


async def test_gather_of_cancelled_ones(things: Any) -> None:
    gathered = asyncio.gather(*(start(things, i) for i in range(3)))
    gathered.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathered
    one = start(things, 4)
    one.cancel("a message")
    (error,) = await asyncio.gather(one, return_exceptions=True)
    assert isinstance(error, asyncio.CancelledError) and error.args == ("a message",)


async def test_several_callbacks_with_their_contexts(things: Any) -> None:
    seen: list[tuple[str, int, bool]] = []
    pending = start(things)
    for name, mark in (("a", 1), ("b", 2), ("c", 3)):
        context = contextvars.copy_context()
        context.run(MARK.set, mark)
        pending.add_done_callback(lambda p, name=name: seen.append((name, MARK.get(), p.done())), context=context)

    def removed(_: Any) -> None:
        seen.append(("removed", 0, True))

    pending.add_done_callback(removed)
    assert pending.remove_done_callback(removed) == 1
    await pending
    await asyncio.sleep(0.01)
    assert sorted(seen) == [("a", 1, True), ("b", 2, True), ("c", 3, True)]
    pending.add_done_callback(lambda p: seen.append(("late", MARK.get(), True)))
    assert len(seen) == 3  # never inside add_done_callback
    await asyncio.sleep(0)
    assert seen[-1][0] == "late"


async def test_each_task_keeps_its_own_context(things: Any) -> None:
    async def work(number: int) -> tuple[int, int]:
        MARK.set(number)
        for _ in range(20):
            assert (await things.find_one({"_id": number})) == {"_id": number}
            assert asyncio.current_task() is tasks[number]
        return number, MARK.get()

    tasks = [asyncio.ensure_future(work(i)) for i in range(20)]
    assert await asyncio.gather(*tasks) == [(i, i) for i in range(20)]
    assert MARK.get() == -1


async def test_cancel_message_and_later_reply(things: Any) -> None:
    pending = start(things)
    assert pending.cancel(msg="enough") and pending.cancelled()
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await pending
    with pytest.raises(asyncio.CancelledError):
        pending.exception()
    task = asyncio.ensure_future(things.find_one(SLOW))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await things.find_one({"_id": 3}) == {"_id": 3}


async def test_errors_come_out_of_await(things: Any) -> None:
    from pymongo.errors import OperationFailure

    for _ in range(3):
        with pytest.raises(OperationFailure):
            await things.find_one({"x": {"$nope": 1}})


async def test_a_task_that_blocks_or_fails_disturbs_no_other(things: Any) -> None:
    async def bad() -> None:
        await things.find_one({"_id": 1})
        raise ZeroDivisionError

    async def good(number: int) -> Any:
        return await things.find_one({"_id": number})

    results = await asyncio.gather(bad(), *(good(i) for i in range(20)), bad(), return_exceptions=True)
    assert [type(r) for r in results].count(ZeroDivisionError) == 2
    assert results[1:-1] == [{"_id": i} for i in range(20)]


def test_exit_raised_in_a_woken_task_ends_the_loop_and_loses_nobody(mongo_uri: str, database_name: str) -> None:
    program = """
import asyncio, sys
import barewire.mongo
async def main():
    client = barewire.mongo.AsyncMongoClient(sys.argv[1])
    things = client[sys.argv[2]].things
    await things.insert_one({"_id": 1})
    found = []
    async def leave():
        await things.find_one({"_id": 1})
        raise SystemExit(5)
    async def stay():
        try:
            found.append(await things.find_one({"_id": 1}))
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            print("cancelled", flush=True)
            raise
    tasks = [asyncio.ensure_future(leave()), *(asyncio.ensure_future(stay()) for _ in range(5))]
    await asyncio.gather(*tasks)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program, mongo_uri, database_name],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 5, done.stderr
    assert done.stdout.count("cancelled") == 5
