# Real processes with PostgreSQL connections: fork, interpreter exit in every state, Ctrl-C; in time, right code, silent stderr.
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psycopg
import pytest

HEAD = """
import asyncio, gc, os, signal, sys, threading, time
import psycopg
import barewire.pg
DSN = sys.argv[1]
"""
WARNING = "ResourceWarning: unclosed connection <"


def start(body: str, conninfo: str, *flags: str) -> subprocess.Popen[str]:
    program = HEAD + textwrap.dedent(body)
    return subprocess.Popen(
        [sys.executable, "-X", "dev", *flags, "-u", "-c", program, conninfo],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(body: str, conninfo: str, *, code: int = 0, limit: float = 2.0, unclosed: bool = False) -> str:
    """Runs a program; `limit` is for the time between its line "end" on stdout and its exit.

    Nothing may be written to stderr; with `unclosed` only the warnings of connections that were not closed.
    """
    process = start(body, conninfo, "-W", "error" if not unclosed else "default")
    try:
        output, ended = "", None
        assert process.stdout is not None
        for line in process.stdout:
            output += line
            if line == "end\n":
                ended = time.monotonic()
        _, errors = process.communicate(timeout=30)
        finished = time.monotonic()
    finally:
        process.kill()
    assert process.returncode == code, (process.returncode, output, errors)
    # asyncio's own word on a machine that is busy.
    errors = "".join(line for line in errors.splitlines(True) if not re.match(r"Executing <.* took [0-9.]+ seconds", line))
    if unclosed:
        assert WARNING in errors and "Traceback" not in errors and "Fatal" not in errors, errors
    else:
        assert errors == ""
    assert ended is not None, output
    assert finished - ended < limit, f"exit took {finished - ended:.1f} s"
    return output


def sessions(conninfo: str) -> int:
    """Sessions on the database but for our own, once they had some time to end."""
    with psycopg.connect(conninfo, autocommit=True) as witness:
        for _ in range(100):
            row = witness.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
            if row[0] == 0:
                return 0
            time.sleep(0.05)
        return int(row[0])


# --- exit --------------------------------------------------------------------------------------------------------------
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


# --- fork --------------------------------------------------------------------------------------------------------------
def test_fork_the_child_opens_its_own_and_the_parents_is_untouched(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = barewire.pg.connect(DSN)
        connection.execute("CREATE TABLE t (n int)")
        mine = connection.backend_pid
        transaction = connection.transaction()
        transaction.start()
        connection.execute("INSERT INTO t VALUES (1)")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                try:
                    connection.fetchval("SELECT 1")
                except psycopg.OperationalError as error:
                    assert "closed" in str(error), error
                else:
                    raise AssertionError("the parent's connection was used")
                assert connection.closed
                connection.close()
                with barewire.pg.connect(DSN) as own:
                    assert own.backend_pid != mine
                    assert own.fetchval("SELECT count(*) FROM t") == 0  # not committed
                    own.execute("CREATE TABLE of_the_child (n int)")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert connection.backend_pid == mine and connection.in_transaction
        connection.execute("INSERT INTO t VALUES (2)")
        transaction.commit()
        assert connection.fetch("SELECT n FROM t ORDER BY n") == [(1,), (2,)]
        assert connection.fetchval("SELECT count(*) FROM of_the_child") == 0
        connection.close()
        print("end")
    """, postgres_database)


@pytest.mark.parametrize("ending", ["sys.exit(0)", "os._exit(0)", "gc.collect(); sys.exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_fork_a_child_that_ends_says_nothing(ending: str, postgres_database: str) -> None:
    code = -9 if "SIGKILL" in ending else 0
    run(f"""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = barewire.pg.connect(DSN)
        connection.execute("CREATE TEMPORARY TABLE t (n int)")
        for _ in range(4):
            pid = os.fork()
            if pid == 0:
                {ending}
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == {code}
            connection.execute("INSERT INTO t VALUES (1)")
        assert connection.fetchval("SELECT count(*) FROM t") == 4
        connection.close()
        print("end")
    """, postgres_database)


def test_fork_the_parents_close_ends_the_session_while_the_child_lives(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = barewire.pg.connect(DSN)
        mine = connection.backend_pid
        pid = os.fork()
        if pid == 0:
            time.sleep(20)
            os._exit(0)
        connection.close()
        with barewire.pg.connect(DSN) as witness:
            for _ in range(60):
                if witness.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", mine) == 0: break
                time.sleep(0.05)
            else:
                raise AssertionError("the session lives on")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        print("end")
    """, postgres_database)


def test_fork_with_threads_at_work(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        shared = barewire.pg.connect(DSN)
        stop = threading.Event()
        failures = []
        def work(number):
            try:
                with barewire.pg.connect(DSN) as own:
                    step = 0
                    while not stop.is_set():
                        step += 1
                        assert own.fetchval("SELECT $1::int", step) == step
                        assert shared.fetchval("SELECT $1::int", step * number) == step * number
            except BaseException as error:
                failures.append(error)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for t in threads: t.start()
        time.sleep(0.1)
        children = []
        for _ in range(12):
            pid = os.fork()
            if pid == 0:
                try:
                    assert shared.closed
                    try:
                        shared.fetchval("SELECT 1")  # another thread of the parent is inside, perhaps
                    except psycopg.OperationalError:
                        pass
                    shared.close()
                    with barewire.pg.connect(DSN) as own:
                        assert own.fetchval("SELECT 5") == 5
                        own.execute("SELECT pg_sleep(0.05)")
                except BaseException as error:
                    print(repr(error), file=sys.stderr)
                    os._exit(3)
                sys.exit(0)
            children.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        stop.set()
        for t in threads: t.join()
        assert not failures, failures
        assert codes == [0] * 12, codes
        shared.close()
        print("end")
    """, postgres_database)


def test_fork_inside_a_running_loop(postgres_database: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        async def child():
            async with await barewire.pg.connect_async(DSN) as own:
                return await asyncio.gather(*(own.fetchval("SELECT $1::int", i) for i in range(10)))
        async def main():
            connection = await barewire.pg.connect_async(DSN)
            slow = asyncio.ensure_future(connection.fetchval("SELECT 8 FROM pg_sleep(0.5)"))
            await asyncio.sleep(0.05)
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    asyncio._set_running_loop(None)
                    assert connection.closed
                    assert asyncio.run(child()) == list(range(10))
                    code = 0
                except BaseException as error:
                    print(repr(error), file=sys.stderr)
                finally:
                    os._exit(code)
            code = await asyncio.get_running_loop().run_in_executor(None, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            assert code == 0, code
            assert await slow == 8
            assert await connection.fetchval("SELECT 9") == 9
            await connection.close()
        asyncio.run(main())
        print("end")
    """, postgres_database)


def test_multiprocessing_by_fork(postgres_database: str) -> None:
    run("""
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = barewire.pg.connect(DSN)
        def work(number):
            with barewire.pg.connect(DSN) as own:
                return own.fetchval("SELECT $1::int * 2", number)
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(work, range(10)) == [i * 2 for i in range(10)]
        assert connection.fetchval("SELECT 1") == 1
        connection.close()
        print("end")
    """, postgres_database)


# --- Ctrl-C ------------------------------------------------------------------------------------------------------------
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
