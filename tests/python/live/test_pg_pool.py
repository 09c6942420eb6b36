# Pools of both faces: lending, sharing, limits, statistics, resetting, replacing; forgotten connections.
from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors

import barewire.pg


@pytest.fixture
async def pool(face: str, libpq: str, pg_schema: str) -> AsyncIterator[Any]:
    made = open_pool(face, pg_schema, max_size=3, libpq=libpq, timeout=5)
    async with made:
        yield made


def open_pool(face: str, conninfo: str, **options: Any) -> Any:
    if face == "blocking":
        return pg_faces.Awaited(barewire.pg.Pool(conninfo, **options))
    return barewire.pg.AsyncPool(conninfo, **options)


async def until(check: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def test_statements(pool: Any) -> None:
    assert await pool.fetch("SELECT n FROM generate_series(1, 2) n") == [(1,), (2,)]
    assert await pool.fetchrow("SELECT $1::int AS a", 5, rows=dict) == {"a": 5}
    assert await pool.fetchval("SELECT 1, 2", column=1) == 2
    assert await pool.execute("CREATE TABLE t (n int)") == "CREATE TABLE"
    assert await pool.execute("INSERT INTO t VALUES ($1)", 1) == "INSERT 0 1"
    assert await pool.execute("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3), (4)") == "INSERT 0 2"
    await pool.executemany("INSERT INTO t VALUES ($1)", [(5,), (6,)])
    assert await pool.copy_records_to_table("t", records=[(7,)]) == "COPY 1"
    assert await pool.insert_many_unsafe("t", [{"n": 8}], returning="n") == [8]
    assert await pool.fetchval("SELECT sum(n) FROM t") == 36
    with pytest.raises(errors.DivisionByZero):
        await pool.fetchval("SELECT 1 / 0")
    with pytest.raises(psycopg.DataError):
        await pool.fetchval("SELECT $1::int", "x")
    with pytest.raises(TimeoutError):
        await pool.fetchval("SELECT pg_sleep(20)", timeout=0.1)
    assert await pool.fetchval("SELECT 1") == 1


async def test_types_of_the_database(pool: Any) -> None:
    await pool.execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (n int, m mood)")
    assert await pool.fetchval("SELECT $1::mood", "ok") == "ok"
    assert await pool.fetchval("SELECT $1::pair[]", [(1, "sad"), None]) == [(1, "sad"), None]


async def test_lending(pool: Any) -> None:
    async with pool.connection() as connection:
        process = connection.backend_pid
        async with connection.transaction():
            await connection.execute("CREATE TABLE t (n int)")
        assert pool.stats()["in_use"] == 1
    assert pool.stats()["in_use"] == 0
    with pytest.raises(psycopg.OperationalError, match="the connection was given back to its pool"):
        await connection.fetch("SELECT 1")
    async with pool.connection() as connection:
        assert connection.backend_pid == process
        await connection.close()
    async with pool.connection() as connection:
        assert connection.backend_pid != process
    with pytest.raises(psycopg.ProgrammingError, match="given back already"):
        await pool.release(pg_faces.bare(connection))


async def test_given_back_in_any_state(pool: Any) -> None:
    await pool.execute("CREATE TABLE t (n int)")
    async with pool.connection() as connection:
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO t VALUES (1)")
    async with pool.connection() as connection:
        assert not connection.in_transaction
        with pytest.raises(errors.SyntaxError):
            async with connection.transaction():
                await connection.execute("SELEC")
    with pytest.raises(LookupError):
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("INSERT INTO t VALUES (1)")
            raise LookupError
    async with pool.connection() as connection:
        connection.transaction()
        await connection.listen("somewhere")
    assert await pool.fetchval("SELECT count(*) FROM t") == 0
    assert pool.stats()["size"] <= 2  # another may be made while one is being reset


async def test_a_limit_and_a_deadline(face: str, pg_schema: str) -> None:
    async with open_pool(face, pg_schema, max_size=2, timeout=0.2) as pool:
        first, second = await pool.acquire(), await pool.acquire()
        started = time.monotonic()
        with pytest.raises(barewire.pg.PoolTimeout, match="no connection of the pool became free in time"):
            await pool.acquire()
        assert 0.15 < time.monotonic() - started < 2
        with pytest.raises(TimeoutError):
            await pool.acquire(timeout=0.01)
        if face == "blocking":
            with pytest.raises(barewire.pg.PoolTimeout):
                await pool.fetch("SELECT 1")
        await pool.release(pg_faces.bare(first))
        assert await pool.fetchval("SELECT 1") == 1
        await pool.release(pg_faces.bare(second))
        assert pool.stats()["timed_out"] >= 2


async def test_setup_and_reset(face: str, pg_schema: str) -> None:
    options = {"setup": "SET application_name = 'ours'", "reset": "SET TIME ZONE 'Europe/Oslo'", "max_size": 1}
    async with open_pool(face, pg_schema, **options) as pool:
        assert await pool.fetchval("SHOW application_name") == "ours"
        async with pool.connection() as connection:
            await connection.execute("SET TIME ZONE 'Asia/Tokyo'")
        async with pool.connection() as connection:
            assert await connection.fetchval("SHOW TIME ZONE") == "Europe/Oslo"


async def test_sizes(face: str, pg_schema: str) -> None:
    async with open_pool(face, pg_schema, min_size=2, max_size=4) as pool:
        await until(lambda: pool.stats()["size"] == 2 and pool.stats()["idle"] == 2)
        held = [await pool.acquire() for _ in range(4)]
        pool.resize(0, 1)
        for connection in held:
            await pool.release(pg_faces.bare(connection))
        await until(lambda: pool.stats()["size"] <= 1)
        pool.drain()
        assert await pool.fetchval("SELECT 1") == 1
        for low, high in ((2, 1), (0, 0), (0, 20000)):
            with pytest.raises(ValueError, match="sizes must be"):
                pool.resize(low, high)
    for wrong in ({"min_size": 5, "max_size": 4}, {"max_size": 0}, {"timeout": 0}, {"max_idle": -1}):
        with pytest.raises(ValueError):
            open_pool(face, pg_schema, **wrong)
    with pytest.raises(TypeError):
        open_pool(face, pg_schema, reset=5)


async def test_idle_and_old_connections_are_closed(face: str, pg_schema: str) -> None:
    async with open_pool(face, pg_schema, max_size=3, max_idle=0.05) as pool:
        held = [await pool.acquire() for _ in range(3)]
        for connection in held:
            await pool.release(pg_faces.bare(connection))
        await asyncio.sleep(0.2)
        pg_faces.bare(pool)._maintain()
        assert pool.stats()["size"] == 0 and pool.stats()["closed"] == 3
    async with open_pool(face, pg_schema, max_size=1, max_lifetime=0.05) as pool:
        async with pool.connection() as connection:
            process = connection.backend_pid
            await asyncio.sleep(0.2)
        async with pool.connection() as connection:
            assert connection.backend_pid != process


async def test_closed(face: str, pg_schema: str) -> None:
    pool = open_pool(face, pg_schema)
    async with pool:
        lent = await pool.acquire()
    assert pool.closed
    with pytest.raises(barewire.pg.PoolClosed, match="the pool is closed"):
        await pool.fetch("SELECT 1")
    with pytest.raises(barewire.pg.PoolClosed):
        await pool.acquire()
    assert await lent.fetchval("SELECT 1") == 1
    await pool.release(pg_faces.bare(lent))
    assert pool.stats()["size"] == 0


async def test_nobody_answers(face: str) -> None:
    async with open_pool(face, "host=127.0.0.1 port=1", timeout=0.5) as pool:
        with pytest.raises(psycopg.OperationalError):
            await pool.fetch("SELECT 1")


async def test_forgotten_connection(pool: Any) -> None:
    connection = await pool.acquire()
    await asyncio.sleep(0)  # the future that brought it is alive until this task is suspended
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del connection
        gc.collect()
    assert [w.category for w in caught] == [ResourceWarning] and "never given back; it was taken at" in str(caught[0].message)
    del caught  # a warning holds its source
    held = [await pool.acquire() for _ in range(3)]  # its slot is free again
    for one in held:
        await pool.release(pg_faces.bare(one))


async def test_killed_connections_are_replaced(pool: Any, witness: psycopg.Connection[Any]) -> None:
    held = [await pool.acquire() for _ in range(3)]
    processes = [one.backend_pid for one in held]
    for one in held:
        await pool.release(pg_faces.bare(one))
    for process in processes:
        witness.execute("SELECT pg_terminate_backend(%s)", (process,))
    alive = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
    await until(lambda: witness.execute(alive, (processes,)).fetchone() == (0,), 20)
    await asyncio.sleep(0.1)  # one that was in use a moment ago is not looked at before it is handed out
    for _ in range(6):
        assert await pool.fetchval("SELECT 1") == 1
    async with pool.connection() as connection:
        assert connection.backend_pid not in processes


# --- sharing, on event loops -----------------------------------------------------------------------------------------------
async def test_many_tasks_share_few_connections(pg_schema: str, libpq: str) -> None:
    async with barewire.pg.AsyncPool(pg_schema, max_size=4, libpq=libpq) as pool:

        async def work(task: int) -> None:
            for step in range(20):
                value = task * 1000 + step
                if step % 7 == 3:
                    with pytest.raises(errors.DivisionByZero):
                        await pool.fetchval("SELECT $1::int / 0", value)
                else:
                    assert await pool.fetchval("SELECT $1::int", value) == value

        await asyncio.gather(*(work(task) for task in range(200)))
        assert pool.stats()["made"] <= 4
        # Everything was given back.
        held = [await pool.acquire(timeout=5) for _ in range(4)]
        for one in held:
            await pool.release(one)


async def test_switched_off_nothing_is_shared(pg_schema: str) -> None:
    async with barewire.pg.AsyncPool(pg_schema, max_size=3, pipelining=False) as pool:
        processes = await asyncio.gather(*(pool.fetchrow("SELECT pg_backend_pid(), pg_sleep(0.4)") for _ in range(6)))
        assert len({p for p, _ in processes}) == 3


async def test_order_of_a_task_is_kept(pg_schema: str) -> None:
    async with barewire.pg.AsyncPool(pg_schema, max_size=4) as pool:
        await pool.execute("CREATE TABLE t (task int, n int)")

        async def work(task: int) -> None:
            for step in range(1, 30):
                await pool.execute("INSERT INTO t VALUES ($1, $2)", task, step)
                assert await pool.fetchval("SELECT max(n) FROM t WHERE task = $1", task) == step

        await asyncio.gather(*(work(task) for task in range(20)))


async def test_cancelled_tasks_disturb_no_other(pg_schema: str) -> None:
    async with barewire.pg.AsyncPool(pg_schema, max_size=3) as pool:
        for round_number in range(20):
            tasks = [asyncio.create_task(pool.fetchval("SELECT $1::int FROM pg_sleep(0.001)", i)) for i in range(30)]
            await asyncio.sleep(0.001 * (round_number % 4))
            for task in tasks[::3]:
                task.cancel()
            for number, found in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
                assert found == number or isinstance(found, asyncio.CancelledError), (round_number, found)
        assert await pool.fetchval("SELECT 1") == 1
        await until(lambda: pool.stats()["in_use"] == 0)


async def test_waiting_is_cancelled(pg_schema: str) -> None:
    async with barewire.pg.AsyncPool(pg_schema, max_size=1) as pool:
        async with pool.connection():
            waiting = asyncio.create_task(pool.acquire())
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert pool.stats()["waiting"] == 0
        async with pool.connection(timeout=2):
            pass


async def test_waiters_are_served_in_order(pg_schema: str) -> None:
    async with barewire.pg.AsyncPool(pg_schema, max_size=1) as pool:
        order = []

        async def take(number: int) -> None:
            async with pool.connection():
                order.append(number)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(take(number) for number in range(50)))
        assert order == sorted(order)


def test_one_pool_on_several_event_loops(pg_schema: str) -> None:
    pool = barewire.pg.AsyncPool(pg_schema, max_size=4)
    failures: list[BaseException] = []

    async def work() -> None:
        assert await asyncio.gather(*(pool.fetchval("SELECT $1::int", i) for i in range(50))) == list(range(50))
        async with pool.connection() as connection:
            assert await connection.fetchval("SELECT 2") == 2

    def run() -> None:
        try:
            for _ in range(5):
                asyncio.run(work())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    asyncio.run(pool.close())


def test_threads_share_a_blocking_pool(pg_schema: str, libpq: str) -> None:
    with barewire.pg.Pool(pg_schema, max_size=3, libpq=libpq) as pool:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for i in range(200):
                    assert pool.fetchval("SELECT $1::int", number * 1000 + i) == number * 1000 + i
                    if i % 20 == 0:
                        with pool.connection() as connection, connection.transaction():
                            assert connection.fetchval("SELECT 1") == 1
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert pool.stats()["size"] <= 3 and pool.stats()["in_use"] == 0
