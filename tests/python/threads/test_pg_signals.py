# Ctrl-C and other signals while PostgreSQL works: seen at once, the statement is cancelled, the connection usable.
from __future__ import annotations

import os
import signal
import time

import pytest
from pg_programs import run, sessions, start


@pytest.mark.parametrize("libpq", ["bundled", "system"])
@pytest.mark.parametrize("call", [
    "connection.execute('SELECT pg_sleep(30)')",
    "connection.fetchval('SELECT $1::int FROM pg_sleep(30)', 1)",
    "connection.execute('SELECT 1; SELECT pg_sleep(30)')",
    "connection.fetch('SELECT pg_sleep(0.01) FROM generate_series(1, 10000)')",
    "batch = connection.batch(); batch.execute('SELECT pg_sleep(30)'); batch.execute('SELECT 2'); batch.run()",
    "connection.executemany('SELECT pg_sleep($1)', [(30,)] * 3)",
    "connection.copy_to('SELECT pg_sleep(0.01) FROM generate_series(1, 10000)')",
    "[None for _ in connection.notifications()]",
], ids=["execute", "fetchval", "script", "fetch", "batch", "executemany", "copy", "notifications"])  # fmt: skip
def test_control_c_interrupts_a_blocking_call(call: str, libpq: str, postgres_database: str) -> None:
    process = start(f"""
        connection = barewire.pg.connect(DSN, libpq={libpq!r})
        connection.fetchval("SELECT 1")
        print("waiting")
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted")
            assert connection.fetchval("SELECT $1::int", 42) == 42
            assert not connection.in_transaction
            with barewire.pg.connect(DSN) as witness:
                assert witness.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()") == 0
            connection.close()
            print("usable")
    """, postgres_database, "-W", "error")
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        time.sleep(0.4)
        started = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        line = process.stdout.readline()
        took = time.monotonic() - started
        output, errors = process.communicate(timeout=15)
        assert (line, output, errors, process.returncode) == ("interrupted\n", "usable\n", "", 0)
        assert took < 0.3, f"{took:.2f} s"
    finally:
        process.kill()


def test_control_c_inside_a_transaction(postgres_database: str) -> None:
    process = start("""
        connection = barewire.pg.connect(DSN)
        connection.execute("CREATE TABLE t (n int)")
        print("waiting")
        try:
            with connection.transaction():
                connection.execute("INSERT INTO t VALUES (1)")
                connection.execute("SELECT pg_sleep(30)")
        except KeyboardInterrupt:
            assert not connection.in_transaction
            assert connection.fetchval("SELECT count(*) FROM t") == 0
            connection.close()
            print("rolled back")
    """, postgres_database, "-W", "error")
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        time.sleep(0.4)
        os.kill(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=15)
        assert (output, errors, process.returncode) == ("rolled back\n", "", 0)
    finally:
        process.kill()


def test_control_c_while_connecting(postgres_database: str) -> None:
    process = start("""
        import socket
        silent = socket.create_server(("127.0.0.1", 0))
        print("waiting")
        try:
            barewire.pg.connect(f"host=127.0.0.1 port={silent.getsockname()[1]}")
        except KeyboardInterrupt:
            silent.close()
            print("interrupted")
    """, postgres_database, "-W", "error")
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        time.sleep(0.4)
        started = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - started < 0.3
        output, errors = process.communicate(timeout=10)
        assert (output, errors, process.returncode) == ("", "", 0)
    finally:
        process.kill()


def test_control_c_that_nobody_catches(postgres_database: str) -> None:
    process = start("""
        import warnings
        warnings.simplefilter("ignore")
        connection = barewire.pg.connect(DSN)
        print("waiting")
        connection.execute("SELECT pg_sleep(30)")
    """, postgres_database)
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        time.sleep(0.4)
        started = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == -signal.SIGINT and errors.rstrip().endswith("KeyboardInterrupt")
        assert time.monotonic() - started < 1.5
    finally:
        process.kill()
    assert sessions(postgres_database) == 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_control_c_under_a_loop(loop: str, postgres_database: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    process = start(f"""
        async def main():
            connection = await barewire.pg.connect_async(DSN)
            try:
                print("waiting")
                await connection.execute("SELECT pg_sleep(30)")
            except asyncio.CancelledError:
                print("cancelled")
                assert await connection.fetchval("SELECT 42") == 42
                await connection.close()
                raise
        try:
            if {loop!r} == "uvloop":
                import uvloop
                uvloop.run(main())
            else:
                asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
    """, postgres_database, "-W", "error")
    try:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        time.sleep(0.4)
        started = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "cancelled\n"
        took = time.monotonic() - started
        output, errors = process.communicate(timeout=10)
        assert (output, errors, process.returncode) == ("interrupted\n", "", 0)
        assert took < 0.3, f"{{took:.2f}} s"
    finally:
        process.kill()


def test_signal_handlers_run_while_a_call_waits(postgres_database: str) -> None:
    run("""
        seen = []
        connection = barewire.pg.connect(DSN)
        def handler(*_):
            seen.append(time.monotonic())
            try:
                connection.fetchval("SELECT 2")
            except psycopg.ProgrammingError as error:
                seen.append(str(error))
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        started = time.monotonic()
        assert connection.fetchval("SELECT 1 FROM pg_sleep(0.6)") == 1  # goes on: the handler raised nothing
        assert seen[0] - started < 0.4 and "using the connection already" in seen[1], seen
        connection.close()
        print("end")
    """, postgres_database)
