# PostgreSQL servers that die, restart, hang or refuse while clients work; on both faces and both libpqs.
from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

import barewire.pg
from barewire.embedded import PostgresServer


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["bundled", "system"])
def libpq(request: pytest.FixtureRequest) -> str:
    return request.param


def test_killed_under_a_blocking_statement(own_server: PostgresServer, libpq: str) -> None:
    connection = barewire.pg.connect(own_server.conninfo, libpq=libpq)
    killer = threading.Timer(0.3, own_server.kill)
    killer.start()
    with pytest.raises(psycopg.OperationalError):
        connection.fetch("SELECT pg_sleep(30)")
    killer.join()
    assert connection.closed
    with pytest.raises(psycopg.OperationalError):
        connection.fetch("SELECT 1")
    connection.close()


async def test_killed_under_tasks(own_server: PostgresServer, libpq: str) -> None:
    connection = await barewire.pg.connect_async(own_server.conninfo, libpq=libpq)
    pool = barewire.pg.AsyncPool(own_server.conninfo, max_size=3, libpq=libpq, timeout=5)
    tasks = [asyncio.ensure_future(connection.fetch("SELECT pg_sleep(30)")) for _ in range(5)]
    tasks += [asyncio.ensure_future(pool.fetch("SELECT pg_sleep(30)")) for _ in range(5)]
    await asyncio.sleep(0.5)
    await asyncio.to_thread(own_server.kill)
    found = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
    assert all(isinstance(error, psycopg.OperationalError) for error in found), found
    with pytest.raises(psycopg.OperationalError):
        await connection.fetch("SELECT 1")
    await connection.close()
    await pool.close()


async def test_a_pool_heals_after_a_restart_under_load(own_server: PostgresServer, libpq: str) -> None:
    async with barewire.pg.AsyncPool(own_server.conninfo, max_size=4, libpq=libpq, timeout=10) as pool:
        stop, good, bad = False, 0, 0

        async def work(task: int) -> None:
            nonlocal good, bad
            while not stop:
                try:
                    if task % 4:
                        assert await pool.fetchval("SELECT $1::int", task) == task
                    else:
                        async with pool.connection() as connection, connection.transaction():
                            assert await connection.fetchval("SELECT $1::int", task) == task
                    good += 1
                except psycopg.OperationalError:
                    bad += 1
                    await asyncio.sleep(0.02)

        tasks = [asyncio.ensure_future(work(task)) for task in range(20)]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(own_server.kill)
        await asyncio.to_thread(own_server.restart)
        before, end = good, time.monotonic() + 30
        while good < before + 200 and time.monotonic() < end:
            await asyncio.sleep(0.05)
        stop = True
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
        assert good >= before + 200 and bad > 0
        held = [await pool.acquire(timeout=10) for _ in range(4)]  # no slot was lost
        for connection in held:
            await pool.release(connection)


def test_threads_of_a_pool_heal_after_a_restart(own_server: PostgresServer, libpq: str) -> None:
    with barewire.pg.Pool(own_server.conninfo, max_size=3, libpq=libpq, timeout=10) as pool:
        stop = threading.Event()
        counts = {"good": 0, "bad": 0}
        wrong: list[BaseException] = []

        def work() -> None:
            while not stop.is_set():
                try:
                    assert pool.fetchval("SELECT 5") == 5
                    counts["good"] += 1
                except psycopg.OperationalError:
                    counts["bad"] += 1
                    time.sleep(0.02)
                except BaseException as error:
                    wrong.append(error)
                    return

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        own_server.kill()
        own_server.restart()
        before, end = counts["good"], time.monotonic() + 30
        while counts["good"] < before + 100 and time.monotonic() < end:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join(30)
        assert not wrong and counts["good"] >= before + 100 and counts["bad"] > 0


def test_a_terminated_session_says_why(own_server: PostgresServer, libpq: str) -> None:
    connection = barewire.pg.connect(own_server.conninfo, libpq=libpq)
    with psycopg.connect(own_server.conninfo, autocommit=True) as other:
        killer = threading.Timer(0.3, other.execute, ("SELECT pg_terminate_backend(%s)", (connection.backend_pid,)))
        killer.start()
        with pytest.raises(errors.AdminShutdown, match="terminating connection due to administrator command"):
            connection.fetch("SELECT pg_sleep(30)")
        killer.join()
    assert connection.closed
    connection.close()


async def test_a_transaction_whose_server_dies(own_server: PostgresServer, libpq: str) -> None:
    connection = await barewire.pg.connect_async(own_server.conninfo, libpq=libpq)
    with pytest.raises(psycopg.OperationalError):
        async with connection.transaction():
            await connection.execute("CREATE TABLE t (n int)")
            await asyncio.to_thread(own_server.kill)
            await connection.execute("INSERT INTO t VALUES (1)")
    await connection.close()


async def test_a_paused_server_and_a_timeout(own_server: PostgresServer, libpq: str) -> None:
    async with await barewire.pg.connect_async(own_server.conninfo, libpq=libpq) as connection:
        await connection.fetchval("SELECT 1")
        own_server.pause()
        try:
            started = time.monotonic()
            with pytest.raises(barewire.pg.StatementTimeout):
                await connection.fetchval("SELECT 1", timeout=0.3)
            assert time.monotonic() - started < 3
        finally:
            own_server.resume()
        try:
            assert await connection.fetchval("SELECT 2", timeout=20) == 2
        except psycopg.OperationalError:
            assert connection.closed  # a cancel request that nobody took in time is the end of it, too


async def test_copy_whose_server_dies(own_server: PostgresServer, libpq: str) -> None:
    connection = await barewire.pg.connect_async(own_server.conninfo, libpq=libpq)
    await connection.execute("CREATE TABLE t (n int)")

    def records() -> Iterator[tuple[int]]:
        for n in range(2_000_000):
            if n == 100_000:
                own_server.kill()
            yield (n,)

    with pytest.raises(psycopg.OperationalError):
        await connection.copy_records_to_table("t", records=records())
    assert connection.closed
    await connection.close()


def test_nobody_there(own_server: PostgresServer, libpq: str) -> None:
    conninfo = own_server.conninfo
    own_server.kill()
    with pytest.raises(psycopg.OperationalError):
        barewire.pg.connect(conninfo, libpq=libpq)

    async def connect() -> Any:
        await barewire.pg.connect_async(conninfo, libpq=libpq)

    with pytest.raises(psycopg.OperationalError):
        asyncio.run(connect())
