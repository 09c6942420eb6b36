# The interpreter's exit with PostgreSQL connections in every state: in time, with the right code and a silent stderr.
from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from pg_programs import run, sessions


@pytest.mark.parametrize("state", [
    "pass",
    "connection = barewire.pg.connect(DSN); connection.fetchval('SELECT 1'); connection.close()",
    "with barewire.pg.connect(DSN) as connection: connection.fetchval('SELECT 1')",
], ids=["import", "closed", "block"])  # fmt: skip
def test_exit_when_idle(state: str, postgres_database: str) -> None:
    run(f"{state}\nprint('end')", postgres_database)


@pytest.mark.parametrize("state", [
    "connection = barewire.pg.connect(DSN); connection.fetchval('SELECT 1')",
    "connection = barewire.pg.connect(DSN); t = connection.transaction(); t.start(); connection.execute('CREATE TABLE t ()')",
    "connection = barewire.pg.connect(DSN); t = connection.transaction(); t.start(); c = connection.cursor('SELECT 1'); c.fetch(1)",
    "connection = barewire.pg.connect(DSN); p = connection.prepare('SELECT 1'); p.fetchval()",
    "connection = asyncio.run(barewire.pg.connect_async(DSN))",
    "connection = barewire.pg.connect(DSN); n = connection.notifications(); connection.listen('c')",
    "connection = barewire.pg.connect(DSN); connection.me = connection; del connection",
], ids=["used", "transaction", "cursor", "prepared", "async", "listening", "cycle"])  # fmt: skip
def test_exit_never_closed(state: str, postgres_database: str) -> None:
    run(f"{state}\nprint('end')", postgres_database, unclosed=True)
    assert sessions(postgres_database) == 0


def test_the_warning_is_as_psycopgs(postgres_database: str) -> None:
    # psycopg: "ResourceWarning: connection <psycopg.Connection ...> was deleted while still open."
    run("""
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            connection = barewire.pg.connect(DSN)
            del connection
            gc.collect()
            assert [w.category for w in caught] == [ResourceWarning], caught
            assert "unclosed connection <Connection " in str(caught[0].message), caught[0].message
            caught.clear()
            connection = barewire.pg.connect(DSN)
            connection.close()
            del connection
            async def main():
                connection = await barewire.pg.connect_async(DSN)
                await connection.fetchval("SELECT 1")
                del connection
                gc.collect()
            asyncio.run(main())
            assert [w.category for w in caught] == [ResourceWarning], caught
        print("end")
    """, postgres_database)
    assert sessions(postgres_database) == 0


def test_exit_with_statements_in_flight(postgres_database: str) -> None:
    run("""
        async def main():
            connection = await barewire.pg.connect_async(DSN)
            for _ in range(5):
                asyncio.ensure_future(connection.fetchval("SELECT 1 FROM pg_sleep(5)"))
            asyncio.ensure_future(connection.copy_to("SELECT * FROM generate_series(1, 10000000)"))
            await asyncio.sleep(0.05)
            print("end")
            sys.exit(0)
        asyncio.run(main())
    """, postgres_database)


def test_exit_with_a_loop_that_was_never_closed(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore")
        loop = asyncio.new_event_loop()
        connection = loop.run_until_complete(barewire.pg.connect_async(DSN))
        future = None
        async def main():
            global future
            future = asyncio.ensure_future(connection.fetchval("SELECT 1 FROM pg_sleep(5)"))
            await asyncio.sleep(0.05)
        loop.run_until_complete(main())
        future.cancel()
        print("end")
    """, postgres_database)


def test_exit_while_connecting(postgres_database: str) -> None:
    run("""
        import socket
        silent = socket.create_server(("127.0.0.1", 0))
        async def main():
            task = asyncio.ensure_future(barewire.pg.connect_async(f"host=127.0.0.1 port={silent.getsockname()[1]}"))
            await asyncio.sleep(0.1)
            print("end")
        asyncio.run(main())
        silent.close()
    """, postgres_database)


@pytest.mark.parametrize("call", [
    "connection.fetchval('SELECT 1 FROM pg_sleep(30)')",
    "connection.fetch('SELECT * FROM generate_series(1, 100000000)')",
    "connection.copy_records_to_table('t', records=((i,) for i in iter(int, 1)))",
    "list(connection.notifications())",
    "[connection.fetchval('SELECT 1') for _ in iter(int, 1)]",
], ids=["waiting", "reading", "writing", "listening", "busy"])  # fmt: skip
def test_exit_with_a_daemon_thread_at_work(call: str, postgres_database: str) -> None:
    run(f"""
        import warnings
        warnings.simplefilter("ignore")
        connection = barewire.pg.connect(DSN)
        connection.execute("CREATE TABLE t (n int)")
        def wait():
            try:
                {call}
            except BaseException:
                pass
        threading.Thread(target=wait, daemon=True).start()
        time.sleep(0.3)
        print("end")
    """, postgres_database)


def test_exit_with_a_daemon_thread_that_runs_a_loop(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore")
        async def main():
            connection = await barewire.pg.connect_async(DSN)
            async def work():
                while True:
                    await connection.fetchval("SELECT 1")
            await asyncio.gather(*(work() for _ in range(5)))
        threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
        time.sleep(0.5)
        print("end")
    """, postgres_database)


@pytest.mark.parametrize("raised", ["raise SystemExit(7)", "os._exit(7)", "sys.exit(7)"])
def test_an_exception_at_import(raised: str, postgres_database: str, tmp_path: Path) -> None:
    (tmp_path / "failing_at_import.py").write_text(textwrap.dedent(f"""
        import os, sys, threading
        import barewire.pg
        connection = barewire.pg.connect(sys.argv[1])
        transaction = connection.transaction()
        transaction.start()
        connection.execute("CREATE TABLE t (n int)")
        print("end")
        {raised}
    """))
    run(f"""
        import warnings
        warnings.simplefilter("ignore")
        sys.path.insert(0, {str(tmp_path)!r})
        import failing_at_import
    """, postgres_database, code=7)
    assert sessions(postgres_database) == 0


def test_used_at_exit_and_after(postgres_database: str) -> None:
    """Handlers of atexit and finalizers may use connections still, or are told; nothing hangs."""
    run("""
        import atexit, warnings
        warnings.simplefilter("ignore")
        connection = barewire.pg.connect(DSN)
        connection.fetchval("SELECT 1")
        class Late:
            def __del__(self):
                try:
                    kept.fetchval("SELECT 1")
                except BaseException:
                    pass
        late, kept = Late(), connection
        atexit.register(lambda: print("value", connection.fetchval("SELECT 42")))
        print("end")
    """, postgres_database)


def test_two_connections_that_hold_each_other(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore")
        first, second = barewire.pg.connect(DSN), barewire.pg.connect(DSN)
        first.other, second.other = second, first
        first.add_notice_handler(lambda diag: second)
        del first, second
        gc.collect()
        with barewire.pg.connect(DSN) as third:
            for _ in range(50):
                left = third.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
                if left == 0: break
                time.sleep(0.05)
            assert left == 0, left
        print("end")
    """, postgres_database)
