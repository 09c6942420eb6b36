# Timeouts of calls, cancel(), cancelled tasks, Ctrl-C: the statement is cancelled on the server, the connection is usable.
from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import psycopg
import pytest
from psycopg import errors

import barewire.pg

SLEEP = "SELECT pg_sleep(30)"


def running(witness: psycopg.Connection[Any], pid: int) -> bool:
    """Whether the session still runs a statement."""
    found = witness.execute("SELECT state = 'active' FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
    return bool(found and found[0])


def idle(witness: psycopg.Connection[Any], pid: int) -> bool:
    for _ in range(100):
        if not running(witness, pid):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("method", ["fetch", "fetchrow", "fetchval", "execute"])
async def test_timeout(session: Any, witness: psycopg.Connection[Any], method: str) -> None:
    began = time.monotonic()
    with pytest.raises(barewire.pg.StatementTimeout):
        await getattr(session, method)(SLEEP, timeout=0.05)
    with pytest.raises(TimeoutError):
        await getattr(session, method)("SELECT pg_sleep($1)", 30.0, timeout=0.05)
    assert 0.1 <= time.monotonic() - began < 15
    assert idle(witness, session.backend_pid)
    assert await session.fetchval("SELECT 5", timeout=15) == 5


async def test_timeout_inside_a_transaction(session: Any) -> None:
    await session.execute("CREATE TABLE t (n int)")
    with pytest.raises(barewire.pg.StatementTimeout):
        async with session.transaction():
            await session.execute("INSERT INTO t VALUES (1)")
            await session.fetch(SLEEP, timeout=0.05)
    async with session.transaction():
        await session.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(barewire.pg.StatementTimeout):
            async with session.transaction():
                await session.fetch(SLEEP, timeout=0.05)
    assert await session.fetch("SELECT n FROM t") == [(2,)] and not session.in_transaction


async def test_timeout_of_the_first_statement_of_a_transaction(session: Any) -> None:
    async with session.transaction():
        with pytest.raises(barewire.pg.StatementTimeout):
            await session.fetch(SLEEP, timeout=0.05)
        raise psycopg.Rollback
    assert await session.fetchval("SELECT 1") == 1


async def test_a_timeout_that_is_close(session: Any) -> None:
    for round_ in range(20):
        try:
            assert await session.fetchval("SELECT $1::int FROM pg_sleep(0.01)", round_, timeout=0.009 + 0.0003 * round_) == round_
        except barewire.pg.StatementTimeout:
            pass
        assert await session.fetchval("SELECT $1::int", round_ + 1) == round_ + 1  # a late cancellation hits nobody else


async def test_timeout_while_rows_arrive(session: Any) -> None:
    with pytest.raises(barewire.pg.StatementTimeout):
        await session.fetch("SELECT n, repeat('x', 1000) FROM generate_series(1, 10000000) n", timeout=0.1)
    assert await session.fetchval("SELECT 1") == 1


async def test_other_timeouts_are_the_servers(session: Any) -> None:
    await session.execute("SET statement_timeout = 50")
    with pytest.raises(errors.QueryCanceled) as raised:
        await session.fetch(SLEEP)
    assert not isinstance(raised.value, TimeoutError) and raised.value.diag.sqlstate == "57014"
    await session.execute("SET statement_timeout = 0")
    assert await session.fetchval("SELECT 1") == 1


async def test_prepare_and_cursor_have_them(session: Any, witness: psycopg.Connection[Any]) -> None:
    await session.execute("CREATE TABLE t (n int)")
    with witness.transaction():
        witness.execute("LOCK TABLE t")
        with pytest.raises(barewire.pg.StatementTimeout):
            await session.prepare("SELECT * FROM t", timeout=0.05)
        assert await session.fetchval("SELECT 1") == 1
        async with session.transaction():
            with pytest.raises(barewire.pg.StatementTimeout):
                await session.cursor("SELECT * FROM t", timeout=0.05).fetch(1)
            raise psycopg.Rollback
    assert (await session.prepare("SELECT * FROM t", timeout=5)).columns == (("n", 23),)
    async with session.transaction():
        cursor = session.cursor("SELECT pg_sleep(30)", timeout=0.05)
        with pytest.raises(barewire.pg.StatementTimeout):
            await cursor.fetch(1)
        raise psycopg.Rollback
    assert await session.fetchval("SELECT 1") == 1


async def test_cancel(session: Any, witness: psycopg.Connection[Any]) -> None:
    timer = threading.Timer(0.1, session.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(errors.QueryCanceled) as raised:
        await session.fetch(SLEEP)
    timer.join()
    assert time.monotonic() - began < 15 and not isinstance(raised.value, TimeoutError)
    assert await session.fetchval("SELECT 1") == 1
    session.cancel()  # nothing runs
    assert await session.fetchval("SELECT 2") == 2


async def test_cancel_of_a_closed_connection(session: Any) -> None:
    await session.close()
    session.cancel()


async def test_a_cancelled_task(pg_schema: str, libpq: str, witness: psycopg.Connection[Any]) -> None:
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)
    for query in (SLEEP, "SELECT 1; SELECT pg_sleep(30)"):
        task = asyncio.create_task(made.execute(query)) if ";" in query else asyncio.create_task(wrapped(made.fetch(query)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await made.fetchval("SELECT 1", timeout=15) == 1
    with pytest.raises((asyncio.TimeoutError, TimeoutError)):
        await asyncio.wait_for(made.fetch(SLEEP), 0.1)
    assert await made.fetchval("SELECT 1", timeout=15) == 1
    await made.close()


async def wrapped(awaitable: Any) -> Any:
    return await awaitable


async def test_a_cancelled_task_leaves_others_alone(pg_schema: str, libpq: str) -> None:
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)
    tasks = [asyncio.create_task(wrapped(made.fetchval("SELECT $1::int FROM pg_sleep(0.02)", n))) for n in range(20)]
    await asyncio.sleep(0.05)
    for task in tasks[::2]:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [found[n] for n in range(1, 20, 2)] == list(range(1, 20, 2))
    assert all(isinstance(each, (int, asyncio.CancelledError)) for each in found)
    await made.close()


async def test_a_cancelled_copy(pg_schema: str, libpq: str, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TABLE t (n int)")
    witness.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END'")
    witness.execute("CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()")
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)
    for work in (
        lambda: made.copy_records_to_table("t", records=[(n,) for n in range(1000)]),
        lambda: made.insert_many_unsafe("t", [{"n": n} for n in range(1000)], returning="n"),
        lambda: made.executemany("INSERT INTO t VALUES ($1)", [(n,) for n in range(1000)]),
        lambda: made.copy_from("COPY t FROM STDIN", b"1\n" * 1000),
        lambda: made.copy_to("COPY (SELECT pg_sleep(0.05) FROM generate_series(1, 1000)) TO STDOUT"),
    ):
        task = asyncio.create_task(wrapped(work()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 15)
        assert await made.fetchval("SELECT count(*) FROM t", timeout=15) == 0
    await made.close()


INTERRUPTED = """
import sys, time
import barewire.pg
connection = barewire.pg.connect(sys.argv[1], libpq=sys.argv[2])
connection.execute("CREATE TABLE t (n int)")
try:
    with connection.transaction():
        connection.execute("INSERT INTO t VALUES (1)")
        print("ready", flush=True)
        connection.fetch("SELECT pg_sleep(30)")
except KeyboardInterrupt:
    print("interrupted", connection.in_transaction, connection.fetchval("SELECT count(*) FROM t"), flush=True)
connection.close()
"""


def test_an_interrupt(pg_schema: str, libpq: str) -> None:
    made = subprocess.Popen([sys.executable, "-X", "dev", "-c", INTERRUPTED, pg_schema, libpq], stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None and made.stdout.readline() == "ready\n"
    time.sleep(0.1)
    began = time.monotonic()
    os.kill(made.pid, signal.SIGINT)
    out, _ = made.communicate(timeout=30)
    assert out == "interrupted False 0\n" and time.monotonic() - began < 15 and made.returncode == 0
