# Tasks that share one PostgreSQL connection, are cancelled at any moment, or come from several loops: no reply goes astray.
from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

import barewire.pg


def on_uvloop(work: Callable[[], Awaitable[Any]]) -> Any:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(work())
    finally:
        loop.close()


LOOPS = pytest.mark.parametrize("run", [lambda work: asyncio.run(work()), on_uvloop], ids=["asyncio", "uvloop"])


def running(conninfo: str, text: str) -> int:
    """How many statements with this text the server works on, once they had some time to end."""
    count = 0
    with psycopg.connect(conninfo, autocommit=True) as witness:
        for _ in range(40):
            row = witness.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
                "AND query LIKE %s AND pid <> pg_backend_pid()",
                [text + "%"],
            ).fetchone()
            count = row[0]
            if count == 0:
                break
            time.sleep(0.05)
    return count


# --- cancelled ---------------------------------------------------------------------------------------------------------
@LOOPS
@pytest.mark.parametrize("after", [None, 0.0, 0.0005, 0.003])
def test_cancelled_at_any_moment(run: Any, after: float | None, postgres_database: str) -> None:
    async def work() -> None:
        async with await barewire.pg.connect_async(postgres_database) as connection:
            cancelled = given = 0
            for round_number in range(40):
                tasks = [asyncio.ensure_future(connection.fetchval("SELECT $1::int", i)) for i in range(10)]
                if after is not None:
                    await asyncio.sleep(after)
                for task in tasks[::2]:
                    task.cancel()
                for number, result in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
                    if isinstance(result, asyncio.CancelledError):
                        assert number % 2 == 0, round_number
                        cancelled += 1
                    else:
                        assert result == number, round_number
                        given += 1
            assert given >= 200 and cancelled + given == 400
            assert after is not None or cancelled == 200
            assert await connection.fetchval("SELECT $1::text", "usable") == "usable"

    run(work)


@LOOPS
@pytest.mark.parametrize("how", ["cancel", "timeout", "wait_for"])
def test_a_cancelled_statement_ends_on_the_server(run: Any, how: str, postgres_database: str) -> None:
    async def work() -> None:
        async with await barewire.pg.connect_async(postgres_database) as connection:
            started = time.monotonic()
            if how == "cancel":

                async def statement() -> None:
                    await connection.execute("SELECT pg_sleep(30)")

                task = asyncio.ensure_future(statement())
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            elif how == "timeout":
                if not hasattr(asyncio, "timeout"):
                    pytest.skip("asyncio.timeout came with CPython 3.11")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await connection.execute("SELECT pg_sleep(30)")
            else:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(connection.execute("SELECT pg_sleep(30)"), 0.1)
            assert time.monotonic() - started < 1
            assert await connection.fetchval("SELECT 42") == 42
            assert time.monotonic() - started < 3
            assert not connection.closed and not connection.in_transaction

    run(work)
    assert running(postgres_database, "SELECT pg_sleep(30)") == 0


@LOOPS
def test_cancelled_while_others_wait_behind_it(run: Any, postgres_database: str) -> None:
    async def work() -> None:
        async with await barewire.pg.connect_async(postgres_database) as connection:
            for _ in range(5):
                slow = asyncio.ensure_future(connection.fetchval("SELECT 1 FROM pg_sleep(20)"))
                others = [asyncio.ensure_future(connection.fetchval("SELECT $1::int + 1", i)) for i in range(20)]
                await asyncio.sleep(0.02)
                slow.cancel()
                # The request may reach the server when it works on the next one already: that one is run again, or told.
                assert await asyncio.wait_for(asyncio.gather(*others), 10) == [i + 1 for i in range(20)]
                assert slow.cancelled()

    run(work)


async def test_cancelled_inside_a_transaction(postgres_database: str) -> None:
    async with await barewire.pg.connect_async(postgres_database) as connection:
        await connection.execute("CREATE TABLE t (n int)")

        async def work() -> None:
            async with connection.transaction():
                await connection.execute("INSERT INTO t VALUES (1)")
                await connection.execute("SELECT pg_sleep(30)")

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not connection.in_transaction
        assert await connection.fetchval("SELECT count(*) FROM t") == 0
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (2)")
        assert await connection.fetch("SELECT n FROM t") == [(2,)]


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
async def test_a_transaction_cancelled_at_any_moment(after: int, postgres_database: str) -> None:
    async with await barewire.pg.connect_async(postgres_database) as connection:
        await connection.execute("CREATE TABLE t (n int)")
        for number in range(20):

            async def work(number: int = number) -> None:
                async with connection.transaction():
                    await connection.execute("INSERT INTO t VALUES ($1)", number)
                    async with connection.transaction():
                        await connection.execute("INSERT INTO t VALUES ($1)", number)

            task = asyncio.ensure_future(work())
            for _ in range(after):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert not connection._transactions
            # Both rows or none, and nothing is left open.
            assert await connection.fetchval("SELECT count(*) FROM t WHERE n = $1", number) in (0, 2)
            assert not connection.in_transaction


@pytest.mark.parametrize("ending", ["commit", "rollback"])
async def test_the_end_of_a_transaction_cancelled(ending: str, postgres_database: str) -> None:
    """Once and again, also before it was sent: the next user of the connection is in no transaction of somebody else."""
    async with await barewire.pg.connect_async(postgres_database) as connection:
        await connection.execute("CREATE TABLE t (n int)")
        for number in range(30):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("INSERT INTO t VALUES ($1)", number)
            if number % 3 == 0:
                task = asyncio.ensure_future(connection.execute("SELECT pg_sleep(5)"))
                await asyncio.sleep(0.01)
                task.cancel()  # while the request is under way nothing is sent
            end = asyncio.create_task(getattr(transaction, ending)())
            for _ in range(1 + number % 4):
                await asyncio.sleep(0)
            end.cancel()
            await asyncio.gather(end, return_exceptions=True)
            found = await connection.fetchval("SELECT count(*) FROM t WHERE n = $1", number)
            assert not connection.in_transaction
            assert found == 0 or ending == "commit"
            with psycopg.connect(postgres_database) as witness:
                assert witness.execute("SELECT count(*) FROM t WHERE n = %s", [number]).fetchone() == (found,)


async def test_an_inner_transaction_times_out(postgres_database: str) -> None:
    async with await barewire.pg.connect_async(postgres_database) as connection:
        await connection.execute("CREATE TABLE t (n int)")

        async def inner() -> None:
            async with connection.transaction():
                await connection.execute("INSERT INTO t VALUES (2)")
                await connection.execute("SELECT pg_sleep(10)")

        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(inner(), 0.1)
            await connection.execute("INSERT INTO t VALUES (3)")
        assert await connection.fetch("SELECT n FROM t ORDER BY n") == [(1,), (3,)]


async def test_cancelled_bulk_work(postgres_database: str) -> None:
    async with await barewire.pg.connect_async(postgres_database) as connection:
        await connection.execute("CREATE TABLE t (n int, s text)")
        rows = [(i, "x" * 100) for i in range(200_000)]
        for start in (
            lambda: connection.executemany("INSERT INTO t VALUES ($1, $2)", rows),
            lambda: connection.copy_records_to_table("t", records=rows),
            lambda: connection.insert_many_unsafe("t", rows),
            lambda: connection.fetch("SELECT n, repeat('x', 100) FROM generate_series(1, 3000000) n"),
            lambda: connection.copy_to("SELECT n, repeat('x', 100) FROM generate_series(1, 3000000) n"),
            lambda: connection.copy_to("COPY (SELECT n, repeat('x', 100) FROM generate_series(1, 3000000) n) TO STDOUT"),
        ):
            task = asyncio.ensure_future(start())
            await asyncio.sleep(0.03)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.wait_for(connection.fetchval("SELECT 5"), 5) == 5
            assert await connection.fetchval("SELECT count(*) FROM t") == 0


async def test_cancelled_connecting(postgres_database: str) -> None:
    for after in (0, 1, 3, None):
        task = asyncio.ensure_future(barewire.pg.connect_async(postgres_database))
        for _ in range(after or 0):
            await asyncio.sleep(0)
        if after is None:
            await asyncio.sleep(0.002)
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        if isinstance(result, barewire.pg.AsyncConnection):
            await result.close()
        else:
            assert isinstance(result, asyncio.CancelledError)
    # Nobody holds a session that nobody knows.
    async with await barewire.pg.connect_async(postgres_database) as connection:
        for _ in range(60):
            others = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if others == 0:
                break
            await asyncio.sleep(0.05)
        assert others == 0


# --- many tasks, one connection ----------------------------------------------------------------------------------------
@LOOPS
def test_five_hundred_tasks_on_one_connection(run: Any, postgres_database: str) -> None:
    async def work() -> None:
        async with await barewire.pg.connect_async(postgres_database) as connection:
            await connection.execute("CREATE TABLE t (id int PRIMARY KEY, s text)")
            await connection.executemany("INSERT INTO t VALUES ($1, $2)", [(i, f"s{i}") for i in range(500)])

            async def task(number: int) -> None:
                for step in range(20):
                    key = (number * 31 + step * 7) % 500
                    assert await connection.fetchrow("SELECT id, s FROM t WHERE id = $1", key) == (key, f"s{key}")

            await asyncio.wait_for(asyncio.gather(*(task(n) for n in range(500))), 60)

    run(work)


async def test_the_order_of_a_tasks_statements_is_kept(postgres_database: str) -> None:
    async with await barewire.pg.connect_async(postgres_database) as connection:
        await connection.execute("CREATE TABLE t (place serial, task int, step int)")

        async def task(number: int) -> None:
            # Not awaited one by one: the order of the calls counts.
            await asyncio.gather(
                *(connection.execute("INSERT INTO t (task, step) VALUES ($1, $2)", number, step) for step in range(20))
            )

        await asyncio.gather(*(task(n) for n in range(30)))
        by_task: dict[int, list[int]] = {}
        for number, step in await connection.fetch("SELECT task, step FROM t ORDER BY place"):
            by_task.setdefault(number, []).append(step)
        assert by_task == {n: list(range(20)) for n in range(30)}


@LOOPS
def test_an_error_touches_only_its_own_statement(run: Any, postgres_database: str) -> None:
    async def work() -> None:
        async with await barewire.pg.connect_async(postgres_database) as connection:
            await connection.execute("CREATE TABLE t (n int PRIMARY KEY)")

            async def task(number: int) -> Any:
                if number % 5 == 0:
                    return await connection.fetchval("SELECT 1 / $1::int", 0)
                if number % 5 == 1:
                    return await connection.fetchval("SELECT $1::int", "text")
                if number % 5 == 2:
                    return await connection.fetchval(f"SELECT nonsense_{number}")
                if number % 5 == 3:
                    return await connection.execute("INSERT INTO t VALUES ($1)", number % 50)
                return await connection.fetchval("SELECT $1::int", number)

            expected = {0: errors.DivisionByZero, 1: psycopg.DataError, 2: errors.UndefinedColumn}
            for _ in range(2):
                results = await asyncio.gather(*(task(n) for n in range(200)), return_exceptions=True)
                for number, result in enumerate(results):
                    if number % 5 < 3:
                        assert type(result) is expected[number % 5], (number, result)
                    elif number % 5 == 3:
                        assert result == "INSERT 0 1" or type(result) is errors.UniqueViolation
                    else:
                        assert result == number
            assert await connection.fetchval("SELECT count(*) FROM t") == 10

    run(work)


# --- loops -------------------------------------------------------------------------------------------------------------
def test_one_loop_after_another(postgres_database: str) -> None:
    async def connect() -> barewire.pg.AsyncConnection:
        return await barewire.pg.connect_async(postgres_database)

    connection = asyncio.run(connect())

    async def use(number: int) -> None:
        assert await connection.fetchval("SELECT $1::int", number) == number
        async with connection.transaction():
            await connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS t (n int)")
            await connection.execute("INSERT INTO t VALUES ($1)", number)
        assert await connection.fetchval("SELECT count(*) FROM t") == number + 1

    for number in range(4):
        asyncio.run(use(number))
    on_uvloop(lambda: use(4))
    asyncio.run(connection.close())
    assert connection.closed


def test_a_loop_that_ends_with_statements_in_flight(postgres_database: str) -> None:
    async def leave() -> barewire.pg.AsyncConnection:
        connection = await barewire.pg.connect_async(postgres_database)
        tasks = [asyncio.ensure_future(connection.fetchval("SELECT 1 FROM pg_sleep(0.3)")) for _ in range(5)]
        await asyncio.sleep(0.02)
        assert not any(task.done() for task in tasks)
        return connection

    async def look(connection: barewire.pg.AsyncConnection) -> str:
        try:
            return str(await asyncio.wait_for(connection.fetchval("SELECT 'usable'"), 10))
        except psycopg.OperationalError as error:
            return str(error)
        finally:
            await connection.close()

    for _ in range(3):
        connection = asyncio.run(leave())
        # Either all was cancelled in time and it is usable, or it says what happened; never an answer to something else.
        assert asyncio.run(look(connection)) in ("usable", "event loop is closed")


def test_a_closed_loop_gives_a_clear_error(postgres_database: str) -> None:
    async def connect() -> barewire.pg.AsyncConnection:
        return await barewire.pg.connect_async(postgres_database)

    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(connect())
    loop.close()
    with pytest.raises(RuntimeError, match="loop"):
        connection.fetchval("SELECT 1")
    with pytest.raises(RuntimeError, match="[Ll]oop"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        loop.run_until_complete(connection.fetchval("SELECT 1"))

    async def elsewhere() -> int:
        number: int = await connection.fetchval("SELECT 7")
        await connection.close()
        return number

    assert asyncio.run(elsewhere()) == 7


def test_in_use_on_another_loop(postgres_database: str) -> None:
    ready, done = threading.Event(), threading.Event()
    holder: list[barewire.pg.AsyncConnection] = []

    async def first() -> None:
        connection = await barewire.pg.connect_async(postgres_database)
        holder.append(connection)
        task = asyncio.ensure_future(connection.fetchval("SELECT 1 FROM pg_sleep(1)"))
        await asyncio.sleep(0.1)
        ready.set()
        assert await task == 1
        await asyncio.get_running_loop().run_in_executor(None, done.wait, 10)
        assert await connection.fetchval("SELECT 2") == 2
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(first()))
    thread.start()
    assert ready.wait(10)

    async def second() -> None:
        with pytest.raises(psycopg.InterfaceError, match="another event loop"):
            await holder[0].fetchval("SELECT 3")

    try:
        asyncio.run(second())
    finally:
        done.set()
        thread.join(20)
    assert not thread.is_alive()


async def test_closed_with_statements_in_flight(postgres_database: str) -> None:
    connection = await barewire.pg.connect_async(postgres_database)
    tasks = [asyncio.ensure_future(connection.fetchval("SELECT 1 FROM pg_sleep(5)")) for _ in range(5)]
    await asyncio.sleep(0.05)
    await connection.close()
    await connection.close()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 2)
    assert all(isinstance(r, psycopg.OperationalError) and "closed" in str(r) for r in results)
    with pytest.raises(psycopg.OperationalError, match="the connection is closed"):
        await connection.fetchval("SELECT 1")
