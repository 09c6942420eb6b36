# transaction() as seen by another session: what is kept and what is undone, modes, savepoints, ends, and its round trips.
from __future__ import annotations

import asyncio
from typing import Any

import pg_faces
import psycopg
import pytest
from pg_proxy import proxied
from psycopg import errors

import barewire.pg


async def numbers(witness: psycopg.Connection[Any]) -> list[int]:
    return [row[0] for row in witness.execute("SELECT n FROM t ORDER BY n").fetchall()]


@pytest.fixture
def table(witness: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    witness.execute("CREATE TABLE t (n int PRIMARY KEY)")
    return witness


async def test_commit(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.transaction():
        await session.execute("INSERT INTO t VALUES ($1)", 1)
        assert session.in_transaction is True
        await session.execute("INSERT INTO t VALUES (2)")
        assert await numbers(table) == []
    assert session.in_transaction is False and await numbers(table) == [1, 2]


async def test_an_exception_of_the_block_rolls_back(session: Any, table: psycopg.Connection[Any]) -> None:
    with pytest.raises(LookupError, match="of the block"):
        async with session.transaction() as made:
            await session.execute("INSERT INTO t VALUES (1)")
            raise LookupError("of the block")
    assert made.rolled_back and not session.in_transaction and await numbers(table) == []


async def test_an_error_of_a_statement_rolls_back(session: Any, table: psycopg.Connection[Any]) -> None:
    with pytest.raises(errors.UniqueViolation):
        async with session.transaction():
            await session.execute("INSERT INTO t VALUES ($1)", 1)
            await session.execute("INSERT INTO t VALUES ($1)", 1)
    assert not session.in_transaction and await numbers(table) == []
    assert await session.fetchval("SELECT 1") == 1


async def test_a_value_that_does_not_fit_leaves_the_transaction_as_it_is(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.transaction():
        await session.execute("INSERT INTO t VALUES ($1)", 1)
        with pytest.raises(psycopg.DataError):
            await session.execute("INSERT INTO t VALUES ($1)", "x")
        await session.execute("INSERT INTO t VALUES ($1)", 2)
    assert await numbers(table) == [1, 2]


@pytest.mark.parametrize("statement", ["INSERT INTO t VALUES ($1)", "INSERT INTO nowhere VALUES ($1)"])
async def test_an_error_of_the_first_statement_is_inside(session: Any, table: psycopg.Connection[Any], statement: str) -> None:
    table.execute("INSERT INTO t VALUES (1)")
    async with session.transaction():
        with pytest.raises((errors.UniqueViolation, errors.UndefinedTable)):
            await session.execute(statement, 1)
        assert session.in_transaction
        with pytest.raises(errors.InFailedSqlTransaction):
            await session.fetchval("SELECT 1")
        with pytest.raises(errors.InFailedSqlTransaction):
            await session.execute("SELECT 1; SELECT 2")
        raise psycopg.Rollback
    assert await session.fetchval("SELECT 1") == 1


async def test_a_swallowed_error_is_told_at_the_end(session: Any, table: psycopg.Connection[Any]) -> None:
    with pytest.raises(errors.InFailedSqlTransaction, match="COMMIT has rolled everything back"):
        async with session.transaction() as made:
            await session.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(errors.DivisionByZero):
                await session.execute("SELECT 1 / 0")
    assert made.rolled_back and await numbers(table) == []


async def test_rollback_by_exception(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.transaction():
        await session.execute("INSERT INTO t VALUES (1)")
        raise psycopg.Rollback
    assert not session.in_transaction and await numbers(table) == []
    async with session.transaction() as outer:
        await session.execute("INSERT INTO t VALUES (2)")
        async with session.transaction():
            await session.execute("INSERT INTO t VALUES (3)")
            raise psycopg.Rollback(pg_faces.bare(outer))
        pytest.fail("the outer block goes on")
    assert await numbers(table) == []


async def test_by_hand(session: Any, table: psycopg.Connection[Any]) -> None:
    made = session.transaction()
    with pytest.raises(psycopg.ProgrammingError, match="not open: new"):
        await made.commit()
    await made.start()
    await session.execute("INSERT INTO t VALUES (1)")
    await made.commit()
    with pytest.raises(psycopg.ProgrammingError, match="not open: committed"):
        await made.rollback()
    with pytest.raises(psycopg.ProgrammingError, match="started only once"):
        await made.start()
    async with session.transaction() as other:
        await session.execute("INSERT INTO t VALUES (2)")
        await other.rollback()
        await session.execute("INSERT INTO t VALUES (3)")  # outside of it
    assert await numbers(table) == [1, 3]
    assert "committed" in repr(made) and "rolled back" in repr(other)


async def test_savepoints(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.transaction():
        await session.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(errors.UniqueViolation):
            async with session.transaction():
                await session.execute("INSERT INTO t VALUES (2)")
                await session.execute("INSERT INTO t VALUES (1)")
        async with session.transaction():
            await session.execute("INSERT INTO t VALUES (3)")
            async with session.transaction():
                await session.execute("INSERT INTO t VALUES (4)")
                raise psycopg.Rollback
            async with session.transaction():
                await session.execute("INSERT INTO t VALUES (5)")
        assert session.in_transaction
    assert await numbers(table) == [1, 3, 5]


async def test_savepoint_inside_a_transaction_of_ones_own(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.execute("BEGIN")
    async with session.transaction():
        await session.execute("INSERT INTO t VALUES (1)")
    async with session.transaction():
        await session.execute("INSERT INTO t VALUES (2)")
        raise psycopg.Rollback
    assert session.in_transaction
    await session.execute("COMMIT")
    assert not session.in_transaction and await numbers(table) == [1]


async def test_order_of_ends(session: Any, table: psycopg.Connection[Any]) -> None:
    outer, inner = session.transaction(), session.transaction()
    await outer.start()
    await session.execute("INSERT INTO t VALUES (1)")
    await inner.start()
    with pytest.raises(psycopg.ProgrammingError, match="reverse order"):
        await outer.commit()
    await inner.rollback()
    await outer.commit()
    assert await numbers(table) == [1]


@pytest.mark.parametrize("isolation,shown", [
    (None, "read committed"), ("read_uncommitted", "read uncommitted"), ("read committed", "read committed"),
    ("REPEATABLE READ", "repeatable read"), (psycopg.IsolationLevel.SERIALIZABLE, "serializable"),
])  # fmt: skip
async def test_isolation(session: Any, isolation: Any, shown: str) -> None:
    async with session.transaction(isolation):
        assert await session.fetchval("SHOW transaction_isolation") == shown
    async with session.transaction(isolation=isolation, read_only=True, deferrable=True):
        assert await session.fetchval("SELECT current_setting('transaction_isolation')") == shown
        assert await session.fetchval("SHOW transaction_read_only") == "on"
        assert await session.fetchval("SHOW transaction_deferrable") == "on"
    assert await session.fetchval("SHOW transaction_read_only") == "off"


async def test_modes_can_be_switched_off(session: Any) -> None:
    await session.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, DEFERRABLE")
    async with session.transaction(read_only=False, deferrable=False):
        assert await session.fetchval("SHOW transaction_read_only") == "off"
        assert await session.fetchval("SHOW transaction_deferrable") == "off"


async def test_read_only(session: Any, table: psycopg.Connection[Any]) -> None:
    with pytest.raises(errors.ReadOnlySqlTransaction):
        async with session.transaction(read_only=True):
            await session.execute("INSERT INTO t VALUES (1)")
    assert await numbers(table) == []


async def test_modes_are_not_for_savepoints(session: Any) -> None:
    async with session.transaction():
        for modes in ({"isolation": "serializable"}, {"read_only": True}, {"deferrable": False}):
            with pytest.raises(psycopg.ProgrammingError, match="outermost transaction"):
                await session.transaction(**modes).start()
        assert await session.fetchval("SELECT 1") == 1
    with pytest.raises(ValueError, match="isolation must be one of"):
        session.transaction("snapshot")


async def test_serialization_failures_are_told(session: Any, table: psycopg.Connection[Any]) -> None:
    table.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(errors.SerializationFailure):
        async with session.transaction("repeatable_read"):
            await session.fetch("SELECT * FROM t")
            table.execute("UPDATE t SET n = 2")
            await session.execute("UPDATE t SET n = 3")
    assert await numbers(table) == [2]
    async with session.transaction("repeatable_read"):
        await session.execute("UPDATE t SET n = 3")
    assert await numbers(table) == [3]


async def test_constraints_that_are_checked_at_the_end(session: Any, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(errors.UniqueViolation):
        async with session.transaction():
            await session.execute("INSERT INTO t VALUES (1), (1)")
    assert not session.in_transaction and await session.fetchval("SELECT count(*) FROM t") == 0


async def test_a_transaction_without_statements(session: Any) -> None:
    async with session.transaction():
        async with session.transaction():
            pass
    assert not session.in_transaction
    await session.execute("CREATE TEMP TABLE x (n int)")
    assert not session.in_transaction  # no BEGIN was left behind


async def test_a_connection_that_is_lost_inside(session: Any, witness: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.OperationalError):
        async with session.transaction():
            await session.fetchval("SELECT 1")
            witness.execute("SELECT pg_terminate_backend(%s)", [session.backend_pid])
            await session.fetchval("SELECT pg_sleep(5)")
    assert session.closed
    with pytest.raises(LookupError):
        made = await lost_session(session, witness)
        async with made.transaction():
            await made.fetchval("SELECT 1")
            await made.close()
            raise LookupError


async def lost_session(session: Any, witness: psycopg.Connection[Any]) -> Any:
    face = "blocking" if isinstance(session, pg_faces.Awaited) else "async"
    return await pg_faces.connect(face, witness.info.dsn)


async def test_a_cancelled_task_rolls_back(pg_schema: str, libpq: str, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TABLE t (n int)")
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)

    async def work() -> None:
        async with made.transaction():
            await made.execute("INSERT INTO t VALUES (1)")
            await made.fetchval("SELECT pg_sleep(30)")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert not made.in_transaction and await made.fetchval("SELECT count(*) FROM t", timeout=10) == 0
    await made.close()


async def test_round_trips(face: str, libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    with proxied(pg_schema) as proxy:
        made = await pg_faces.connect(face, proxy.conninfo, libpq=libpq)
        insert = "INSERT INTO t VALUES ($1)"
        async with made.transaction():
            await made.execute(insert, 1)
        proxy.clear()
        async with made.transaction():
            await made.execute(insert, 2)
            await made.execute(insert, 3)
        assert proxy.trips == 3  # BEGIN with the first, the second, COMMIT
        assert [text for text in proxy.statements if text] == ["BEGIN", "COMMIT"]
        proxy.clear()
        async with made.transaction(read_only=True):
            assert await made.fetchval("SHOW transaction_read_only") == "on"
        assert proxy.statements[0] == "BEGIN READ ONLY"
        proxy.clear()
        async with made.transaction():
            pass
        assert proxy.messages == []
        async with made.transaction():
            await made.execute(insert, 4)
            proxy.clear()
            async with made.transaction():
                await made.execute(insert, 5)
            assert proxy.trips == 2 and "SAVEPOINT barewire_2" in proxy.statements
        await made.close()
    assert await numbers(table) == [1, 2, 3, 4, 5]
