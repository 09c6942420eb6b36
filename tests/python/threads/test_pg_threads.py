# PostgreSQL connections between threads, and in real processes: fork, interpreter exit in every state, Ctrl-C.
from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import barewire.pg

HEAD = """
import asyncio, os, signal, sys, threading, time
import psycopg
import barewire.pg
DSN = sys.argv[1]
"""


def run(body: str, conninfo: str, *, code: int = 0, limit: float = 4.0, errors: str | None = "") -> str:
    """Runs a program; `limit` is for the time between its line "end" on stdout and its exit; `errors`: what stderr holds,
    None: anything."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-u", "-c", HEAD + textwrap.dedent(body), conninfo],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    try:
        output, ended = "", None
        assert process.stdout is not None
        for line in process.stdout:
            output += line
            if line == "end\n":
                ended = time.monotonic()
        _, told = process.communicate(timeout=60)
        finished = time.monotonic()
    finally:
        process.kill()
    assert process.returncode == code, (process.returncode, output, told)
    if errors is not None:
        assert told == errors
    assert ended is not None, (output, told)
    assert finished - ended < limit, f"exit took {finished - ended:.1f} s"
    return output


def test_threads_queue_up_on_one_connection(postgres_conninfo: str) -> None:
    with barewire.pg.connect(postgres_conninfo) as connection:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for step in range(300):
                    assert connection.fetchval("SELECT $1::int", number * 1000 + step) == number * 1000 + step
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


@pytest.mark.parametrize("state", [
    "pass",
    "connection = barewire.pg.connect(DSN); connection.fetchval('SELECT 1'); connection.close()",
    "pool = barewire.pg.Pool(DSN, min_size=2)",
    "pool = barewire.pg.Pool(DSN, min_size=2); pool.fetchval('SELECT 1')",
    "pool = barewire.pg.AsyncPool(DSN)",
], ids=["import", "closed", "pool-unused", "pool-used", "pool-async"])  # fmt: skip
def test_exit_when_idle(state: str, postgres_conninfo: str) -> None:
    run(f"{state}\nprint('end')", postgres_conninfo)


def test_exit_never_closed(postgres_conninfo: str) -> None:
    run("connection = barewire.pg.connect(DSN); connection.fetchval('SELECT 1')\nprint('end')", postgres_conninfo, errors=None)


def test_exit_with_statements_in_flight(postgres_conninfo: str) -> None:
    run("""
        async def main():
            connection = await barewire.pg.connect_async(DSN)
            pool = barewire.pg.AsyncPool(DSN, max_size=3)
            for _ in range(5):
                asyncio.ensure_future(connection.fetch("SELECT pg_sleep(20)"))
                asyncio.ensure_future(pool.fetch("SELECT pg_sleep(20)"))
            await asyncio.sleep(0.2)
            print("end")
            sys.exit(0)
        asyncio.run(main())
    """, postgres_conninfo, errors=None)


def test_exit_with_a_thread_waiting_for_a_result(postgres_conninfo: str) -> None:
    run("""
        connection = barewire.pg.connect(DSN)
        pool = barewire.pg.Pool(DSN, max_size=1)
        def wait(one):
            try:
                one.fetch("SELECT pg_sleep(30)")
            except Exception:
                pass
        for one in (connection, pool, pool):
            threading.Thread(target=wait, args=(one,), daemon=True).start()
        time.sleep(0.3)
        print("end")
    """, postgres_conninfo, errors=None)


def test_exit_with_threads_at_work(postgres_conninfo: str) -> None:
    run("""
        pool = barewire.pg.Pool(DSN, max_size=3)
        def work():
            while True:
                pool.fetchval("SELECT 1")
        for _ in range(6):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.5)
        print("end")
    """, postgres_conninfo, errors=None)


def test_event_loop_that_ends_before_its_connection(postgres_conninfo: str) -> None:
    run("""
        connections = []
        async def main():
            connections.append(await barewire.pg.connect_async(DSN))
            asyncio.ensure_future(connections[0].fetch("SELECT pg_sleep(0.1)"))
            await asyncio.sleep(0.02)
        asyncio.run(main())
        async def again():
            try:
                print(await connections[0].fetchval("SELECT 1"))
            except psycopg.OperationalError as error:
                print("lost:", error)
            await connections[0].close()
        asyncio.run(again())
        print("end")
    """, postgres_conninfo, errors=None)


@pytest.mark.parametrize("libpq", ["bundled", "system"])
def test_ctrl_c_cancels_the_statement(postgres_conninfo: str, libpq: str) -> None:
    output = run(f"""
        connection = barewire.pg.connect(DSN, libpq={libpq!r})
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for statement in ("SELECT pg_sleep(20)", "SELECT 1; SELECT pg_sleep(20)"):
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            started = time.monotonic()
            try:
                connection.execute(statement)
            except KeyboardInterrupt:
                print("interrupted", time.monotonic() - started < 10)
            print(connection.fetchval("SELECT 5"), connection.closed)
        with connection.transaction():
            connection.execute("CREATE TEMP TABLE t (n int)")
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            def slow():
                for n in range(1000):
                    time.sleep(0.01)
                    yield (n,)
            try:
                connection.copy_records_to_table("t", records=slow())
            except KeyboardInterrupt:
                print("interrupted")
            raise psycopg.Rollback
        print(connection.fetchval("SELECT 6"))
        connection.close()
        print("end")
    """, postgres_conninfo)
    assert output.splitlines() == ["interrupted True", "5 False"] * 2 + ["interrupted", "6", "end"]


def test_ctrl_c_while_waiting_for_a_pool_and_for_another_thread(postgres_conninfo: str) -> None:
    output = run("""
        pool = barewire.pg.Pool(DSN, max_size=1)
        held = pool.acquire()
        def interrupted(what):
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                what()
            except KeyboardInterrupt:
                print("interrupted")
        interrupted(pool.acquire)
        interrupted(lambda: pool.fetch("SELECT 1"))
        thread = threading.Thread(target=held.fetch, args=("SELECT pg_sleep(1)",))
        thread.start()
        time.sleep(0.1)
        interrupted(lambda: held.fetch("SELECT 1"))
        thread.join()
        print(held.fetchval("SELECT 5"))
        pool.release(held)
        print(pool.fetchval("SELECT 6"))
        pool.close()
        print("end")
    """, postgres_conninfo)
    assert output.splitlines() == ["interrupted"] * 3 + ["5", "6", "end"]


def test_ctrl_c_under_an_event_loop(postgres_conninfo: str) -> None:
    output = run("""
        async def main():
            pool = barewire.pg.AsyncPool(DSN, max_size=2)
            try:
                threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
                await asyncio.gather(*(pool.fetch("SELECT pg_sleep(20)") for _ in range(4)))
            finally:
                await pool.close()
                print("closed")
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        print("end")
    """, postgres_conninfo)
    assert output.splitlines() == ["closed", "interrupted", "end"]


def test_a_signal_handler_cannot_use_a_busy_connection(postgres_conninfo: str) -> None:
    output = run("""
        connection = barewire.pg.connect(DSN)
        def handler(number, frame):
            try:
                connection.fetch("SELECT 1")
            except psycopg.ProgrammingError as error:
                print(str(error)[:43])
        signal.signal(signal.SIGUSR1, handler)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        print(connection.fetchval("SELECT 5 FROM pg_sleep(0.6)"))
        connection.close()
        print("end")
    """, postgres_conninfo)
    assert output.splitlines() == ["this thread is using the connection already", "5", "end"]


def test_fork(postgres_conninfo: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore")
        connection = barewire.pg.connect(DSN)
        pool = barewire.pg.Pool(DSN, max_size=2)
        assert pool.fetchval("SELECT 1") == 1 and connection.fetchval("SELECT 1") == 1
        with pool.connection() as lent:
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    try:
                        connection.fetch("SELECT 1")
                    except psycopg.OperationalError:
                        pass
                    else:
                        os._exit(2)
                    assert connection.closed and lent.closed
                    assert pool.fetchval("SELECT 7") == 7
                    with pool.connection() as own:
                        assert own.fetchval("SELECT 8") == 8
                    pool.close()
                    code = 0
                finally:
                    os._exit(code)
            for i in range(100):
                assert connection.fetchval("SELECT $1::int", i) == i and lent.fetchval("SELECT $1::int", i) == i
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0, status
        assert connection.fetchval("SELECT 9") == 9 and pool.fetchval("SELECT 9") == 9
        connection.close()
        pool.close()
        print("end")
    """, postgres_conninfo, errors=None)


def test_fork_with_an_event_loop_and_threads(postgres_conninfo: str) -> None:
    run("""
        import warnings
        warnings.simplefilter("ignore")
        pool = barewire.pg.Pool(DSN, max_size=3)
        shared = barewire.pg.AsyncPool(DSN, max_size=3)
        async def some(n):
            assert await asyncio.gather(*(shared.fetchval("SELECT $1::int", i) for i in range(n))) == list(range(n))
        asyncio.run(some(20))
        stop = threading.Event()
        failures = []
        def work():
            while not stop.is_set():
                try:
                    assert pool.fetchval("SELECT 1") == 1
                except BaseException as error:
                    failures.append(error)
                    return
        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads: t.start()
        children = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                try:
                    assert pool.fetchval("SELECT 5") == 5
                    asyncio.run(some(20))
                    os._exit(0)
                except BaseException as error:
                    print(repr(error))
                    os._exit(1)
            children.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        stop.set()
        for t in threads: t.join()
        asyncio.run(some(20))
        assert not failures and codes == [0] * 3, (failures, codes)
        pool.close()
        print("end")
    """, postgres_conninfo, errors=None, limit=10)


def test_uvloop(postgres_conninfo: str) -> None:
    pytest.importorskip("uvloop")
    run("""
        import uvloop
        async def main():
            async with barewire.pg.AsyncPool(DSN, max_size=3) as pool, await barewire.pg.connect_async(DSN) as connection:
                assert await asyncio.gather(*(pool.fetchval("SELECT $1::int", i) for i in range(300))) == list(range(300))
                for i in range(100):
                    assert await connection.fetchval("SELECT $1::int", i) == i
                task = asyncio.create_task(connection.fetch("SELECT pg_sleep(20)"))
                await asyncio.sleep(0.05)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    print("cancelled")
                assert await connection.fetchval("SELECT 1") == 1
        loop = uvloop.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        print("end")
    """, postgres_conninfo)
