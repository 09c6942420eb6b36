# A lone task waits for its reply without a pass of the event loop; nothing else that the loop does may notice.
from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import barewire.mongo
from barewire import _loop

SLOW = {"$where": "sleep(60) || true"}


@pytest.fixture
async def things(mongo_uri: str, database_name: str) -> AsyncIterator[Any]:
    async with barewire.mongo.AsyncMongoClient(mongo_uri) as client:
        collection = client[database_name].things
        await collection.insert_many([{"_id": i} for i in range(50)])
        for i in range(5):
            await collection.find_one({"_id": i})
        yield collection


def count_passes(loop: Any) -> Callable[[], int]:
    """Counts how often the loop asks its selector from now on."""
    passes = 0
    select = loop._selector.select

    def counted(timeout: float | None = None) -> Any:
        nonlocal passes
        passes += 1
        return select(timeout)

    loop._selector.select = counted
    return lambda: passes


def test_the_names_of_asyncio_that_are_read_are_there() -> None:
    loop = asyncio.new_event_loop()
    try:
        assert _loop.can_wait_in_place(loop) == sys.platform.startswith("linux")
        assert all(hasattr(loop, name) for name in _loop.LOOP_NAMES)
        handle = loop.call_later(1, print)
        assert all(hasattr(handle, name) for name in _loop.TIMER_NAMES)

        async def look() -> None:
            task = _loop.current_task_function()(loop)
            assert task is asyncio.current_task() and type(task) is asyncio.Task
            assert all(hasattr(task, name) for name in _loop.TASK_NAMES)

        loop.run_until_complete(look())
    finally:
        loop.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs epoll")
async def test_a_lone_task_needs_no_pass_of_the_loop(things: Any) -> None:
    passes = count_passes(asyncio.get_running_loop())
    for i in range(20):
        assert await things.find_one({"_id": i}) == {"_id": i}
    # A reply that takes longer than the wait in place costs passes; nearly all must not.
    assert passes() < 10


async def test_with_a_task_factory_every_operation_suspends(things: Any) -> None:
    loop = asyncio.get_running_loop()
    passes = count_passes(loop)
    loop.set_task_factory(lambda loop, coroutine, **named: asyncio.Task(coroutine, loop=loop, **named))
    try:
        for i in range(20):
            assert await things.find_one({"_id": i}) == {"_id": i}
    finally:
        loop.set_task_factory(None)
    assert passes() >= 20


async def test_other_tasks_go_on_between_operations(things: Any) -> None:
    steps = 0

    async def other() -> None:
        nonlocal steps
        while True:
            steps += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for i in range(50):
        await things.find_one({"_id": i})
    assert steps >= 50
    task.cancel()


async def test_timers_are_served_during_a_slow_operation_and_between_quick_ones(things: Any) -> None:
    loop = asyncio.get_running_loop()
    late: list[float] = []

    def tick(due: float) -> None:
        late.append(loop.time() - due)
        loop.call_at(due + 0.01, tick, due + 0.01)

    loop.call_later(0.01, tick, loop.time() + 0.01)
    assert await things.find_one({"_id": 1, **SLOW}) == {"_id": 1}
    assert len(late) >= 3
    for i in range(300):
        await things.find_one({"_id": i % 50})
    assert sorted(late)[len(late) // 2] < 0.01


async def test_a_call_from_another_thread_ends_the_wait(things: Any) -> None:
    loop = asyncio.get_running_loop()
    took: list[float] = []

    def ask() -> None:
        time.sleep(0.01)
        started = time.perf_counter()
        loop.call_soon_threadsafe(lambda: took.append(time.perf_counter() - started))

    thread = threading.Thread(target=ask)
    thread.start()
    await things.find_one({"_id": 1, **SLOW})
    thread.join()
    await asyncio.sleep(0)
    assert took and took[0] < 0.05


async def test_another_descriptor_ends_the_wait(things: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"x")
        seen: list[bytes] = []
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, lambda: seen.append(ours.recv(10)))
        for i in range(3):
            await things.find_one({"_id": i})
        await asyncio.sleep(0)
        loop.remove_reader(ours)
        assert seen == [b"x"]


async def test_a_task_that_has_cancelled_itself_is_cancelled_at_the_operation(things: Any) -> None:
    reached: list[str] = []

    async def victim() -> None:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await things.find_one({"_id": 1})
        reached.append("after")

    task = asyncio.create_task(victim())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached == []


async def test_a_timeout_cancels_a_slow_operation(things: Any) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(things.find_one({"_id": 2, **SLOW}), 0.02)
    assert await things.find_one({"_id": 3}) == {"_id": 3}


async def test_two_tasks_woken_together_do_not_hold_each_other_up(things: Any) -> None:
    order: list[str] = []

    async def quick_then_slow() -> None:
        await things.find_one({"_id": 1})
        await things.find_one({"_id": 1, **SLOW})
        order.append("slow")

    async def quick() -> None:
        await things.find_one({"_id": 2})
        order.append("quick")

    for _ in range(5):
        order.clear()
        await asyncio.gather(quick_then_slow(), quick())
        assert order == ["quick", "slow"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
async def test_eager_tasks_run_side_by_side(things: Any) -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        started = time.perf_counter()
        await asyncio.gather(*(things.find_one({"_id": i, **SLOW}) for i in range(10)))
        assert time.perf_counter() - started < 0.5
    finally:
        loop.set_task_factory(None)


async def test_a_loop_that_was_told_to_stop_stops(mongo_uri: str, database_name: str) -> None:
    code = f"""
import asyncio, barewire.mongo
loop = asyncio.new_event_loop()
async def work():
    client = barewire.mongo.AsyncMongoClient({mongo_uri!r})
    for i in range(20):
        await client[{database_name!r}].things.find_one({{}})
        if i == 10: loop.stop()
    print("went on")
task = loop.create_task(work())
loop.run_forever()
print("stopped", task.done())
loop.run_until_complete(task)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True).stdout
    assert out.split() == ["stopped", "False", "went", "on"]


async def test_signals_are_handled_while_a_task_waits(things: Any) -> None:
    loop = asyncio.get_running_loop()
    got: list[float] = []
    loop.add_signal_handler(signal.SIGUSR1, lambda: got.append(time.perf_counter()))
    try:
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        started = time.perf_counter()
        await things.find_one({"_id": 1, **SLOW})
        assert got and got[0] - started < 0.05
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
