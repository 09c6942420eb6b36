# PostgreSQL servers that die, hang, restart, refuse or are full; every error is psycopg's, nothing hangs, work goes on after.
from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

import barewire.pg
from barewire.embedded import PostgresServer


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of the test's own, on a port."""
    settings = {"max_connections": 12, "superuser_reserved_connections": 3, "synchronous_commit": True}
    with PostgresServer(unix_socket=False, settings=settings) as server:
        yield server


@pytest.fixture(params=["blocking", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["bundled", "system"])
def libpq(request: pytest.FixtureRequest) -> str:
    return request.param


def terminate(conninfo: str, pid: int) -> None:
    with psycopg.connect(conninfo, autocommit=True) as witness:
        witness.execute("SELECT pg_terminate_backend(%s)", [pid])


# --- killed ------------------------------------------------------------------------------------------------------------
async def test_terminated_while_a_statement_runs(face: str, libpq: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database, libpq=libpq)
    timer = threading.Timer(0.2, terminate, (postgres_database, connection.backend_pid))
    timer.start()
    with pytest.raises(errors.AdminShutdown, match="terminating connection due to administrator command") as raised:
        await connection.fetchval("SELECT 1 FROM pg_sleep(20)")
    assert raised.value.diag.sqlstate == "57P01" and raised.value.diag.severity == "FATAL"
    timer.join()
    assert connection.closed and "lost" in repr(connection)
    with pytest.raises(psycopg.OperationalError):
        await connection.fetchval("SELECT 1")
    await connection.close()


async def test_terminated_while_idle(face: str, libpq: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database, libpq=libpq)
    assert await connection.fetchval("SELECT 1") == 1
    terminate(postgres_database, connection.backend_pid)
    await asyncio.sleep(0.1)
    # The server's last words have been on the way since.
    with pytest.raises(errors.AdminShutdown):
        await connection.fetchval("SELECT 1")
    assert connection.closed
    await connection.close()


async def test_terminated_inside_a_transaction(face: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database)
    await connection.execute("CREATE TABLE t (n int)")
    with pytest.raises(errors.AdminShutdown):
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (1)")
            await asyncio.get_running_loop().run_in_executor(None, terminate, postgres_database, connection.backend_pid)
            await connection.execute("INSERT INTO t SELECT 2 FROM pg_sleep(1)")
    await connection.close()
    with psycopg.connect(postgres_database) as witness:
        assert witness.execute("SELECT count(*) FROM t").fetchone() == (0,)


async def test_terminated_with_many_statements_in_flight(postgres_database: str) -> None:
    connection = await barewire.pg.connect_async(postgres_database)
    tasks = [asyncio.ensure_future(connection.fetchval("SELECT $1::int", i)) for i in range(20)]
    tasks += [asyncio.ensure_future(connection.fetchval("SELECT 1 FROM pg_sleep(10)"))]
    tasks += [asyncio.ensure_future(connection.fetchval("SELECT $1::int", i)) for i in range(20)]
    await asyncio.sleep(0.1)
    await asyncio.get_running_loop().run_in_executor(None, terminate, postgres_database, connection.backend_pid)
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert results[:20] == list(range(20))
    assert isinstance(results[20], errors.AdminShutdown)
    # These the server never saw; their connection is lost all the same.
    assert all(isinstance(r, psycopg.OperationalError) for r in results[21:])
    await connection.close()


async def test_server_killed_and_restarted_under_load(own_server: PostgresServer) -> None:
    with psycopg.connect(own_server.conninfo, autocommit=True) as witness:
        witness.execute("CREATE TABLE t (n int PRIMARY KEY)")
    acknowledged: list[int] = []
    failed: list[BaseException] = []
    stop = False

    async def worker(number: int) -> None:
        sequence, connection = 0, None
        while not stop:
            key = number * 1_000_000 + sequence
            sequence += 1
            try:
                if connection is None or connection.closed:
                    connection = await barewire.pg.connect_async(own_server.conninfo)
                assert await connection.fetchval("INSERT INTO t VALUES ($1) RETURNING n", key) == key
                acknowledged.append(key)
            except psycopg.OperationalError as error:
                failed.append(error)
                await asyncio.sleep(0.02)
        if connection is not None:
            await connection.close()

    def threaded(number: int) -> None:
        sequence, connection = 0, None
        while not stop:
            key = number * 1_000_000 + sequence
            sequence += 1
            try:
                if connection is None or connection.closed:
                    connection = barewire.pg.connect(own_server.conninfo)
                assert connection.fetchval("INSERT INTO t VALUES ($1) RETURNING n", key) == key
                acknowledged.append(key)
            except psycopg.OperationalError as error:
                failed.append(error)
                time.sleep(0.02)
            except BaseException as error:
                failed.append(error)
                return
        if connection is not None:
            connection.close()

    threads = [threading.Thread(target=threaded, args=(n,)) for n in range(50, 53)]
    for thread in threads:
        thread.start()
    tasks = [asyncio.ensure_future(worker(n)) for n in range(1, 5)]
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.7)
    before = len(acknowledged)
    await loop.run_in_executor(None, own_server.kill)
    await asyncio.sleep(0.2)
    await loop.run_in_executor(None, own_server.restart)
    at_restart = len(acknowledged)
    await asyncio.sleep(1)
    stop = True
    await asyncio.wait_for(asyncio.gather(*tasks), 20)
    for thread in threads:
        await loop.run_in_executor(None, thread.join, 20)
    assert not any(thread.is_alive() for thread in threads)
    assert before > 20 and len(acknowledged) > at_restart + 20
    assert failed and all(isinstance(e, psycopg.OperationalError) for e in failed), failed
    # A postmaster that is killed takes its backends along, so nothing that was told is missing (fsync is for the machine).
    with psycopg.connect(own_server.conninfo) as witness:
        stored = {n for (n,) in witness.execute("SELECT n FROM t")}
    assert set(acknowledged) <= stored


async def test_orderly_shutdown(face: str, own_server: PostgresServer) -> None:
    connection = await pg_faces.connect(face, own_server.conninfo)
    timer = threading.Timer(0.2, os.kill, (own_server.pid, signal.SIGINT))
    timer.start()
    with pytest.raises(errors.AdminShutdown):
        await connection.fetchval("SELECT 1 FROM pg_sleep(20)")
    await asyncio.get_running_loop().run_in_executor(None, own_server.restart)
    with pytest.raises(psycopg.OperationalError):
        await connection.fetchval("SELECT 1")
    again = await pg_faces.connect(face, own_server.conninfo)
    assert await again.fetchval("SELECT 1") == 1
    await again.close()
    await connection.close()


# --- hanging -----------------------------------------------------------------------------------------------------------
async def test_stopped_server_and_timeouts(face: str, libpq: str, own_server: PostgresServer) -> None:
    connection = await pg_faces.connect(face, own_server.conninfo, libpq=libpq)
    assert await connection.fetchval("SELECT 1") == 1
    own_server.pause()
    try:
        started = time.monotonic()
        with pytest.raises(barewire.pg.StatementTimeout):
            await connection.fetchval("SELECT 2", timeout=0.3)
        # A blocking caller gives the server one second for the cancellation.
        assert 0.25 < time.monotonic() - started < 2
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            await pg_faces.connect(face, own_server.conninfo, libpq=libpq, connect_timeout=2)
        assert time.monotonic() - started < 4
    finally:
        own_server.resume()
    assert await connection.fetchval("SELECT 3", timeout=15) == 3
    await connection.close()


async def test_a_server_that_does_not_react_to_cancelling_is_given_up(face: str, own_server: PostgresServer) -> None:
    connection = await pg_faces.connect(face, own_server.conninfo)
    assert await connection.fetchval("SELECT 1") == 1
    own_server.pause()
    try:
        with pytest.raises(barewire.pg.StatementTimeout):
            await connection.fetchval("SELECT 2", timeout=0.2)
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            await connection.fetchval("SELECT 3", timeout=30)
        assert time.monotonic() - started < 15
        assert connection.closed
        await connection.close()
    finally:
        own_server.resume()


async def test_close_does_not_wait_for_a_stopped_server(face: str, own_server: PostgresServer) -> None:
    connection = await pg_faces.connect(face, own_server.conninfo)
    own_server.pause()
    try:
        started = time.monotonic()
        await connection.close()
        assert time.monotonic() - started < 0.5
    finally:
        own_server.resume()


async def test_statement_timeouts(face: str, libpq: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database, libpq=libpq)
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(barewire.pg.StatementTimeout) as raised:
            await connection.fetchval("SELECT 1 FROM pg_sleep(20)", timeout=0.1)
        assert isinstance(raised.value, errors.QueryCanceled) and isinstance(raised.value, TimeoutError)
        assert 0.08 < time.monotonic() - started < 1
        assert await connection.fetchval("SELECT $1::int", 7) == 7
        assert not connection.in_transaction
    # The server's own is told from ours.
    await connection.execute("SET statement_timeout = 100")
    with pytest.raises(errors.QueryCanceled) as of_the_server:
        await connection.fetchval("SELECT 1 FROM pg_sleep(20)")
    assert not isinstance(of_the_server.value, barewire.pg.StatementTimeout)
    assert of_the_server.value.diag.sqlstate == "57014"
    await connection.execute("SET statement_timeout = 0")
    # Quick statements with a timeout are never hit by one that has passed.
    for number in range(50):
        assert await connection.fetchval("SELECT $1::int", number, timeout=1) == number
    await connection.close()


async def test_timeouts_of_everything_that_takes_one(face: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database)
    await connection.execute("CREATE TABLE t (n int)")
    await connection.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NEW; END'"
    )
    await connection.execute("CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()")
    batch = connection.batch(timeout=0.15)
    batch.execute("SELECT 1")
    batch.execute("SELECT pg_sleep(5)")
    for call in (
        lambda: connection.execute("SELECT pg_sleep(5)", timeout=0.15),
        lambda: connection.execute("SELECT 1; SELECT pg_sleep(5)", timeout=0.15),
        lambda: connection.fetch("SELECT pg_sleep(5)", timeout=0.15),
        lambda: connection.fetchrow("SELECT pg_sleep(5)", timeout=0.15),
        lambda: connection.executemany("INSERT INTO t VALUES ($1)", [(1,), (2,)], timeout=0.15),
        lambda: connection.copy_records_to_table("t", records=[(1,), (2,)], timeout=0.15),
        lambda: connection.insert_many_unsafe("t", [(1,), (2,)], timeout=0.15),
        lambda: connection.insert_many_unsafe("t", [(1,), (2,)], returning="n", timeout=0.15),
        lambda: connection.copy_from("COPY t FROM STDIN", b"1\n2\n", timeout=0.15),
        lambda: connection.copy_to("SELECT pg_sleep(5)", timeout=0.15),
        lambda: connection.copy_to("COPY (SELECT pg_sleep(5)) TO STDOUT", timeout=0.15),
        batch.run,
    ):
        started = time.monotonic()
        with pytest.raises(barewire.pg.StatementTimeout):
            await call()
        assert time.monotonic() - started < 2
        assert await connection.fetchval("SELECT count(*) FROM t") == 0
    async with connection.transaction():
        with pytest.raises(barewire.pg.StatementTimeout):
            await connection.cursor("SELECT pg_sleep(5)", timeout=0.15).fetch(1)
        with pytest.raises(errors.InFailedSqlTransaction):
            await connection.execute("SELECT 1")
        raise psycopg.Rollback
    assert await connection.fetchval("SELECT 5") == 5
    await connection.close()


# --- refused -----------------------------------------------------------------------------------------------------------
async def test_nobody_there(face: str, libpq: str) -> None:
    for dsn, words in (
        ("host=127.0.0.1 port=1", "127.0.0.1"),
        ("host=no-such-host.invalid port=5432", "no-such-host.invalid"),
        ("host=/nowhere/at/all port=5432", "/nowhere/at/all"),
    ):
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError, match=words):
            await pg_faces.connect(face, dsn, libpq=libpq, connect_timeout=5)
        assert time.monotonic() - started < 8


async def test_a_server_that_never_answers(face: str, libpq: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError) as raised:
            await pg_faces.connect(face, f"host=127.0.0.1 port={silent.getsockname()[1]}", libpq=libpq, connect_timeout=2)
        assert 1 < time.monotonic() - started < 4
        assert isinstance(raised.value, errors.ConnectionTimeout)


async def test_several_hosts(face: str, postgres_server: PostgresServer) -> None:
    dsn = f"host=/nowhere,{postgres_server.host} port=5432,{postgres_server.port} user=postgres dbname=postgres"
    connection = await pg_faces.connect(face, dsn)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_wrong_database_user_and_settings(face: str, libpq: str, postgres_conninfo: str) -> None:
    for change, sqlstate_text in (
        ({"dbname": "no_such_database"}, 'database "no_such_database" does not exist'),
        ({"user": "no_such_role"}, 'role "no_such_role" does not exist'),
        ({"options": "-c no_such_setting=1"}, "no_such_setting"),
    ):
        with pytest.raises(psycopg.OperationalError, match=sqlstate_text) as ours:
            await pg_faces.connect(face, make_conninfo(postgres_conninfo, **change), libpq=libpq)
        with pytest.raises(psycopg.OperationalError) as theirs:
            psycopg.connect(make_conninfo(postgres_conninfo, **change))
        assert type(ours.value) is type(theirs.value)
    with pytest.raises(psycopg.ProgrammingError):
        await pg_faces.connect(face, "host=localhost nonsense=1", libpq=libpq)


@pytest.mark.parametrize("method", ["scram-sha-256", "md5", "password"])
async def test_passwords(face: str, libpq: str, method: str) -> None:
    with PostgresServer(unix_socket=False, hba=[f"host all guarded all {method}"]) as server:
        with psycopg.connect(server.conninfo, autocommit=True) as witness:
            encryption = "md5" if method == "md5" else "scram-sha-256"
            witness.execute(f"SET password_encryption = '{encryption}'")
            witness.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        guarded = make_conninfo(server.conninfo, user="guarded")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed") as raised:
            await pg_faces.connect(face, guarded, libpq=libpq, password="wrong")
        assert "wrong" not in str(raised.value).replace("wrong password", "")
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            await pg_faces.connect(face, guarded, libpq=libpq, passfile="/nowhere")
        connection = await pg_faces.connect(face, guarded, libpq=libpq, password="right")
        assert await connection.fetchval("SELECT current_user::text") == "guarded"
        assert "right" not in repr(connection)
        # Cancel requests need no password, and work.
        with pytest.raises(barewire.pg.StatementTimeout):
            await connection.execute("SELECT pg_sleep(10)", timeout=0.1)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


async def test_out_of_connections(face: str, libpq: str, own_server: PostgresServer) -> None:
    with psycopg.connect(own_server.conninfo, autocommit=True) as witness:
        witness.execute("CREATE ROLE plain LOGIN")
    plain = make_conninfo(own_server.conninfo, user="plain")
    held: list[Any] = []
    try:
        for _ in range(9):
            held.append(await pg_faces.connect(face, plain, libpq=libpq))
        with pytest.raises(psycopg.OperationalError) as ours:
            for _ in range(3):
                held.append(await pg_faces.connect(face, plain, libpq=libpq))
        with pytest.raises(psycopg.OperationalError) as theirs:
            psycopg.connect(plain)
        assert "connection slots are reserved" in str(ours.value) or "too many clients" in str(ours.value)
        assert type(ours.value) is type(theirs.value)
        # Those that are open are not touched, and one that is closed makes room.
        assert [await connection.fetchval("SELECT 1") for connection in held] == [1] * len(held)
        await held.pop().close()
        for _ in range(50):
            try:
                held.append(await pg_faces.connect(face, plain, libpq=libpq))
                break
            except psycopg.OperationalError:
                await asyncio.sleep(0.05)
        assert await held[-1].fetchval("SELECT 2") == 2
    finally:
        for connection in held:
            await connection.close()


async def test_nobody_can_write_to_a_read_only_server(face: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database, options="-c default_transaction_read_only=on")
    with pytest.raises(errors.ReadOnlySqlTransaction):
        await connection.execute("CREATE TABLE t (n int)")
    with pytest.raises(errors.ReadOnlySqlTransaction):
        async with connection.transaction():
            await connection.execute("CREATE TABLE t (n int)")
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_deadlocks_and_serialization_failures(face: str, postgres_database: str) -> None:
    first = await pg_faces.connect(face, postgres_database)
    second = await barewire.pg.connect_async(postgres_database)
    await first.execute("CREATE TABLE t (n int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 0), (2, 0)")
    await first.execute("SET deadlock_timeout = '50ms'")
    with pytest.raises(errors.DeadlockDetected):
        async with second.transaction():
            await second.execute("UPDATE t SET x = 1 WHERE n = 1")
            async with first.transaction():
                await first.execute("UPDATE t SET x = 2 WHERE n = 2")
                waiting = asyncio.ensure_future(second.execute("UPDATE t SET x = 1 WHERE n = 2"))
                await asyncio.sleep(0.1)
                await first.execute("UPDATE t SET x = 2 WHERE n = 1")
    await asyncio.wait_for(waiting, 5)
    with pytest.raises(errors.SerializationFailure):
        async with first.transaction("serializable"):
            await first.fetchval("SELECT sum(x) FROM t")
            await second.execute("UPDATE t SET x = x + 1")
            await first.execute("UPDATE t SET x = x + 1")
    assert await first.fetchval("SELECT 1") == 1 and not first.in_transaction
    await first.close()
    await second.close()
