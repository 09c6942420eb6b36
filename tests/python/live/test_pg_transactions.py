# Transactions, savepoints, batches and cursors of both faces on both libpqs.
from __future__ import annotations

import asyncio
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors

import barewire.pg


@pytest.fixture
async def table(session: Any) -> Any:
    await session.execute("CREATE TABLE t (n int PRIMARY KEY, s text)")
    return session


async def numbers(session: Any) -> list[int]:
    return [n for (n,) in await session.fetch("SELECT n FROM t ORDER BY n", rows=tuple)]


async def test_commit_and_rollback(table: Any) -> None:
    async with table.transaction():
        assert table.in_transaction
        await table.execute("INSERT INTO t VALUES (1)")
    assert not table.in_transaction
    with pytest.raises(LookupError):
        async with table.transaction():
            await table.execute("INSERT INTO t VALUES (2)")
            raise LookupError
    async with table.transaction():
        await table.execute("INSERT INTO t VALUES (3)")
        raise psycopg.Rollback
    assert await numbers(table) == [1] and not table.in_transaction


async def test_begin_travels_with_the_first_statement(table: Any, witness: psycopg.Connection[Any]) -> None:
    state = "SELECT xact_start IS NOT NULL FROM pg_stat_activity WHERE pid = %s"
    async with table.transaction():
        assert witness.execute(state, (table.backend_pid,)).fetchone() == (False,)
        await table.execute("INSERT INTO t VALUES (1)")
        assert witness.execute(state, (table.backend_pid,)).fetchone() == (True,)
    for _ in range(2):
        async with table.transaction():
            pass
    async with table.transaction(), table.transaction():
        pass
    assert not table.in_transaction


async def test_savepoints(table: Any) -> None:
    async with table.transaction():
        await table.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(errors.UniqueViolation):
            async with table.transaction():
                await table.execute("INSERT INTO t VALUES (2)")
                await table.execute("INSERT INTO t VALUES (1)")
        async with table.transaction():
            await table.execute("INSERT INTO t VALUES (3)")
            async with table.transaction():
                await table.execute("INSERT INTO t VALUES (4)")
                raise psycopg.Rollback
        async with table.transaction():
            pass
    assert await numbers(table) == [1, 3]


async def test_savepoint_as_the_first_statement(table: Any) -> None:
    async with table.transaction():
        with pytest.raises(psycopg.DataError):
            async with table.transaction():
                await table.fetchval("SELECT 1 / 0")
        await table.execute("INSERT INTO t VALUES (1)")
    assert await numbers(table) == [1]


@pytest.mark.parametrize("options,shown", [
    ({"isolation": "serializable"}, ("serializable", "off", "off")),
    ({"isolation": psycopg.IsolationLevel.REPEATABLE_READ, "read_only": True}, ("repeatable read", "on", "off")),
    ({"isolation": "serializable", "read_only": True, "deferrable": True}, ("serializable", "on", "on")),
    ({"read_only": False}, ("read committed", "off", "off")),
])  # fmt: skip
async def test_modes(table: Any, options: dict[str, Any], shown: tuple[str, ...]) -> None:
    names = ("transaction_isolation", "transaction_read_only", "transaction_deferrable")
    query = f"SELECT {', '.join(f'current_setting({n!r})' for n in names)}"
    async with table.transaction(**options):
        assert await table.fetchrow(query) == shown
        if options.get("isolation"):
            with pytest.raises(psycopg.ProgrammingError, match="belong to the outermost transaction"):
                async with table.transaction(isolation="serializable"):
                    pass


async def test_a_failure_that_was_swallowed(table: Any) -> None:
    with pytest.raises(errors.InFailedSqlTransaction, match="COMMIT has rolled everything back"):
        async with table.transaction():
            await table.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(errors.UniqueViolation):
                await table.execute("INSERT INTO t VALUES (1)")
    assert await numbers(table) == [] and not table.in_transaction


async def test_an_error_when_it_is_committed(table: Any) -> None:
    await table.execute("CREATE TABLE child (n int REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(errors.ForeignKeyViolation):
        async with table.transaction():
            await table.execute("INSERT INTO child VALUES (1)")
    with pytest.raises(errors.ForeignKeyViolation):
        await table.execute("INSERT INTO child VALUES (1)")
    batch = table.batch()
    batch.execute("INSERT INTO child VALUES (1)")
    batch.execute("INSERT INTO t VALUES (2)")
    with pytest.raises(errors.ForeignKeyViolation):
        await batch.run()
    with pytest.raises(errors.ForeignKeyViolation):
        await table.executemany("INSERT INTO child VALUES ($1)", [(1,), (2,)])
    assert await numbers(table) == [] and await table.fetchval("SELECT count(*) FROM child") == 0


async def test_by_hand(table: Any) -> None:
    outer = table.transaction()
    await outer.start()
    await table.execute("INSERT INTO t VALUES (1)")
    inner = table.transaction()
    await inner.start()
    with pytest.raises(psycopg.ProgrammingError, match="an inner one is open"):
        await outer.commit()
    await inner.rollback()
    await outer.commit()
    for again in (outer.commit, outer.rollback, outer.start):
        with pytest.raises(psycopg.ProgrammingError):
            await again()
    assert await numbers(table) == [1]


# --- batches -----------------------------------------------------------------------------------------------------------
async def test_batch(table: Any) -> None:
    batch = table.batch()
    positions = [
        batch.execute("INSERT INTO t VALUES ($1, $2)", 1, "a"),
        batch.fetch("SELECT * FROM t", rows=dict),
        batch.fetchrow("SELECT n FROM t WHERE n = $1", 5),
        batch.fetchval("SELECT count(*) FROM t"),
        batch.fetchrow("SELECT $1::text, $2::int", "x", None),
    ]
    assert positions == [0, 1, 2, 3, 4] and len(batch) == 5
    assert await batch.run() == ["INSERT 0 1", [{"n": 1, "s": "a"}], None, 1, ("x", None)]
    with pytest.raises(psycopg.ProgrammingError, match="has been run"):
        await batch.run()
    with pytest.raises(psycopg.ProgrammingError, match="has been run"):
        batch.execute("SELECT 1")
    assert await table.batch().run() == []


async def test_batch_of_a_hundred(table: Any) -> None:
    async with table.batch() as batch:
        for number in range(100):
            batch.fetchval("SELECT $1::int * 2", number)
    assert batch.results == [number * 2 for number in range(100)]


async def test_batch_in_a_transaction_of_its_own(table: Any) -> None:
    batch = table.batch()
    for number in (1, 2, 1, 3):
        batch.execute("INSERT INTO t VALUES ($1)", number)
    with pytest.raises(errors.UniqueViolation) as raised:
        await batch.run()
    assert raised.value.batch_position == 2
    one, two, three, four = raised.value.batch_results
    assert one == two == "INSERT 0 1" and three is raised.value and isinstance(four, errors.PipelineAborted)
    assert await numbers(table) == [] and not table.in_transaction
    batch = table.batch(isolation="serializable")
    batch.fetchval("SHOW transaction_isolation")
    batch.execute("INSERT INTO t VALUES (9)")
    assert await batch.run() == ["serializable", "INSERT 0 1"]
    assert await numbers(table) == [9]


async def test_batch_each_on_its_own(table: Any) -> None:
    batch = table.batch(transaction=False)
    for number in (1, 2, 1, 3):
        batch.execute("INSERT INTO t VALUES ($1)", number)
    with pytest.raises(errors.UniqueViolation) as raised:
        await batch.run()
    assert raised.value.batch_position == 2
    assert [r for r in raised.value.batch_results if r != raised.value] == ["INSERT 0 1"] * 3
    assert await numbers(table) == [1, 2, 3]
    with pytest.raises(psycopg.ProgrammingError, match="need transaction=True"):
        table.batch(transaction=False, read_only=True)


async def test_batch_inside_a_transaction(table: Any) -> None:
    with pytest.raises(LookupError):
        async with table.transaction():
            async with table.batch() as batch:
                batch.execute("INSERT INTO t VALUES (1)")
                batch.fetchval("SELECT count(*) FROM t")
            assert batch.results == ["INSERT 0 1", 1] and table.in_transaction
            own = table.batch(read_only=True)
            own.execute("SELECT 1")
            with pytest.raises(psycopg.ProgrammingError, match="transaction of the batch's own"):
                await own.run()
            raise LookupError
    assert await numbers(table) == []


@pytest.mark.parametrize("transaction", [True, False])
async def test_batch_with_a_value_that_does_not_fit(table: Any, transaction: bool) -> None:
    batch = table.batch(transaction=transaction)
    batch.execute("INSERT INTO t VALUES ($1)", 1)
    batch.execute("INSERT INTO t VALUES ($1)", "x")
    batch.execute("INSERT INTO t VALUES ($1)", 2)
    with pytest.raises(psycopg.DataError, match=r"\$1: expected int for int4, got str") as raised:
        await batch.run()
    assert raised.value.batch_position == 1
    assert not transaction or await numbers(table) == []
    assert await table.fetchval("SELECT 1") == 1


async def test_batch_with_types_of_the_database(table: Any) -> None:
    await table.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    batch = table.batch()
    batch.fetchval("SELECT $1::mood", "ok")
    batch.fetchval("SELECT ARRAY['sad']::mood[]")
    assert await batch.run() == ["ok", ["sad"]]


# --- cursors -----------------------------------------------------------------------------------------------------------
async def test_cursor(table: Any) -> None:
    query = "SELECT n, n::text AS s FROM generate_series(1, $1) n"
    async with table.transaction():
        rows = [row async for row in table.cursor(query, 1000, prefetch=7)]
        assert rows == [(n, str(n)) for n in range(1, 1001)]
        cursor = table.cursor(query, 30, rows=dict)
        assert await cursor.fetch(2) == [{"n": 1, "s": "1"}, {"n": 2, "s": "2"}]
        assert await cursor.fetchrow() == {"n": 3, "s": "3"}
        assert await cursor.forward(5) == 5
        assert (await cursor.fetch(100))[0]["n"] == 9
        assert await cursor.fetch(1) == [] and await cursor.fetchrow() is None and await cursor.forward(1) == 0
        await cursor.close()
        assert await table.fetchval("SELECT count(*) FROM pg_cursors WHERE name <> ''") == 0
        async with table.cursor(query, 30) as early:
            assert await early.fetch(1) == [(1, "1")]
            other = [row[0] async for row in table.cursor(query, 3)]
            assert other == [1, 2, 3]
        assert await table.fetchval("SELECT count(*) FROM pg_cursors WHERE name <> ''") == 0


async def test_cursor_of_types_of_the_database(table: Any) -> None:
    await table.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    async with table.transaction():
        assert [row async for row in table.cursor("SELECT $1::mood, 'a'::tsvector", "ok")] == [("ok", "'a'")]


async def test_cursor_without_a_transaction(table: Any) -> None:
    cursor = table.cursor("SELECT 1")
    with pytest.raises(errors.NoActiveSqlTransaction, match="needs an open transaction"):
        await cursor.fetch(1)
    for wrong in (0, -1):
        with pytest.raises(ValueError):
            table.cursor("SELECT 1", prefetch=wrong)
        with pytest.raises(ValueError):
            await cursor.fetch(wrong)


async def test_cursor_and_savepoint(table: Any) -> None:
    async with table.transaction():
        cursor = None
        async with table.transaction():
            cursor = table.cursor("SELECT n FROM generate_series(1, 10) n")
            await cursor.fetch(1)
            raise psycopg.Rollback
        await cursor.close()  # the rollback has closed it: this must not fail the transaction
        await table.execute("INSERT INTO t VALUES (1)")
    assert await numbers(table) == [1]


async def test_cursor_whose_query_fails(table: Any) -> None:
    with pytest.raises(errors.DivisionByZero):
        async with table.transaction():
            async for _ in table.cursor("SELECT 10 / (5 - n) FROM generate_series(1, 10) n", prefetch=2):
                pass
    assert not table.in_transaction and await table.fetchval("SELECT 1") == 1


# --- tasks on one connection ---------------------------------------------------------------------------------------------
async def test_many_tasks_on_one_connection(pg_schema: str, libpq: str) -> None:
    async with await barewire.pg.connect_async(pg_schema, libpq=libpq) as connection:

        async def work(task: int) -> None:
            for step in range(20):
                if (task + step) % 11 == 0:
                    with pytest.raises(errors.DivisionByZero):
                        await connection.fetchval("SELECT $1::int / 0", step)
                else:
                    assert await connection.fetchval("SELECT $1::int", task * 100 + step) == task * 100 + step

        await asyncio.gather(*(work(task) for task in range(50)))


async def test_tasks_and_groups_take_statements_as_coroutines(pg_schema: str) -> None:
    async with await barewire.pg.connect_async(pg_schema) as connection:
        task = asyncio.create_task(connection.fetchval("SELECT 1"))
        assert await task == 1
        assert await asyncio.gather(connection.fetchval("SELECT 2"), connection.fetchval("SELECT 3")) == [2, 3]
        assert await asyncio.wait_for(connection.fetchval("SELECT 4"), 20) == 4
        if hasattr(asyncio, "TaskGroup"):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(connection.fetchval("SELECT $1::int", i)) for i in range(10)]
            assert [t.result() for t in tasks] == list(range(10))
        failing = asyncio.create_task(connection.fetchval("SELECT 1 / 0"))
        with pytest.raises(errors.DivisionByZero):
            await failing
        cancelled = asyncio.create_task(connection.fetchval("SELECT pg_sleep(20)"))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await connection.fetchval("SELECT 5") == 5


async def test_both_faces_are_twins() -> None:
    for name in ("Connection", "Batch", "Cursor", "PreparedStatement", "Transaction", "Pool"):
        pg_faces.check_twins(getattr(barewire.pg, name), getattr(barewire.pg, f"Async{name}"))
