# batch(): results in order, one round trip, errors that name their statement, and what is kept.
from __future__ import annotations

from typing import Any

import pg_faces
import psycopg
import pytest
from pg_proxy import proxied
from psycopg import errors

import barewire.pg


@pytest.fixture
def table(witness: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    witness.execute("CREATE TABLE t (n int PRIMARY KEY, s text)")
    return witness


def count(witness: psycopg.Connection[Any]) -> int:
    return witness.execute("SELECT count(*) FROM t").fetchone()[0]  # type: ignore[index]


@pytest.mark.parametrize("transaction", [True, False])
async def test_results_in_order(session: Any, table: psycopg.Connection[Any], transaction: bool) -> None:
    batch = session.batch(transaction=transaction)
    assert batch.execute("INSERT INTO t VALUES ($1, $2)", 1, "a") == 0
    assert batch.execute("INSERT INTO t VALUES ($1, $2)", 2, None) == 1
    assert batch.fetch("SELECT n, s FROM t ORDER BY n") == 2
    assert batch.fetch("SELECT n FROM t ORDER BY n", rows=dict) == 3
    batch.fetchrow("SELECT n, s FROM t WHERE n = $1", 1, rows=barewire.pg.Record)
    batch.fetchrow("SELECT n FROM t WHERE n = $1", 9)
    batch.fetchval("SELECT s FROM t WHERE n = $1", 1)
    batch.fetchval("SELECT s FROM t WHERE n = $1", 2)
    batch.execute("")
    batch.fetch("UPDATE t SET s = 'x' WHERE n = 2")
    assert len(batch) == 10
    results = await batch.run()
    assert results[:4] == ["INSERT 0 1", "INSERT 0 1", [(1, "a"), (2, None)], [{"n": 1}, {"n": 2}]]
    assert results[4]["s"] == "a" and results[5:] == [None, "a", None, "", []]
    assert batch.results == results and not session.in_transaction and count(table) == 2
    with pytest.raises(psycopg.ProgrammingError, match="has been run"):
        await batch.run()
    with pytest.raises(psycopg.ProgrammingError, match="has been run"):
        batch.execute("SELECT 1")


async def test_as_a_block(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.batch() as batch:
        batch.execute("INSERT INTO t VALUES (1)")
        batch.fetchval("SELECT count(*) FROM t")
        assert count(table) == 0
    assert batch.results == ["INSERT 0 1", 1] and count(table) == 1
    with pytest.raises(LookupError):
        async with session.batch() as batch:
            batch.execute("INSERT INTO t VALUES (2)")
            raise LookupError
    assert batch.results is None and count(table) == 1
    async with session.batch() as batch:
        pass
    assert batch.results == []


@pytest.mark.parametrize("fault,error", [
    ("SELECT 1 / 0", errors.DivisionByZero),
    ("SELECT nothing", errors.UndefinedColumn),
    ("INSERT INTO t VALUES (1)", errors.UniqueViolation),
])  # fmt: skip
async def test_an_error_undoes_all(session: Any, table: psycopg.Connection[Any], fault: str, error: type[Exception]) -> None:
    batch = session.batch()
    batch.execute("INSERT INTO t VALUES (1)")
    batch.fetchval("SELECT 5")
    batch.execute(fault)
    batch.execute("INSERT INTO t VALUES (2)")
    batch.fetchval("SELECT 6")
    with pytest.raises(error) as raised:
        await batch.run()
    assert raised.value.batch_position == 2
    results = raised.value.batch_results
    assert len(results) == 5 and results[2] is raised.value
    assert [isinstance(r, errors.PipelineAborted) for r in results[3:]] == [True, True]
    assert str(results[3]) == "not run: statement 2 of the batch failed"
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__ == ["statement 2 of a batch of 5"]
    assert count(table) == 0 and not session.in_transaction
    assert await session.fetchval("SELECT 7") == 7


async def test_an_error_of_one_on_its_own(session: Any, table: psycopg.Connection[Any]) -> None:
    batch = session.batch(transaction=False)
    batch.execute("INSERT INTO t VALUES (1)")
    batch.fetchval("SELECT 1 / $1::int", 0)
    batch.execute("INSERT INTO t VALUES (2)")
    batch.execute("INSERT INTO t VALUES (2)")
    batch.fetchval("SELECT count(*) FROM t")
    with pytest.raises(errors.DivisionByZero) as raised:
        await batch.run()
    assert raised.value.batch_position == 1
    first, zero, second, twice, counted = raised.value.batch_results
    assert (first, second, counted) == ("INSERT 0 1", "INSERT 0 1", 2)
    assert zero is raised.value and isinstance(twice, errors.UniqueViolation)
    assert count(table) == 2 and not session.in_transaction


async def test_values_that_do_not_fit_end_the_batchs_transaction(session: Any, table: psycopg.Connection[Any]) -> None:
    for _ in range(2):
        batch = session.batch(isolation="serializable")
        batch.execute("INSERT INTO t VALUES ($1, $2)", 1, "a")
        batch.execute("INSERT INTO t VALUES ($1, $2)", "2", "b")
        with pytest.raises(psycopg.DataError, match=r"\$1: expected int for int4, got str") as raised:
            await batch.run()
        assert raised.value.batch_position == 1 and not session.in_transaction
    await session.execute("INSERT INTO t VALUES (5)")
    assert count(table) == 1


@pytest.mark.parametrize("transaction", [True, False])
async def test_values_that_do_not_fit(session: Any, table: psycopg.Connection[Any], transaction: bool) -> None:
    batch = session.batch(transaction=transaction)
    batch.execute("INSERT INTO t VALUES ($1, $2)", 1, "a")
    batch.execute("INSERT INTO t VALUES ($1, $2)", "2", "b")
    batch.execute("INSERT INTO t VALUES ($1, $2)", 3, "c")
    with pytest.raises(psycopg.DataError, match=r"\$1: expected int for int4, got str") as raised:
        await batch.run()
    assert raised.value.batch_position == 1 and len(raised.value.batch_results) == 3
    assert count(table) == (0 if transaction else 2)
    assert not session.in_transaction
    batch = session.batch(transaction=transaction)
    batch.execute("INSERT INTO t VALUES ($1)", 5)
    batch.fetchval("SELECT $1::int")
    with pytest.raises(psycopg.ProgrammingError, match="the query has 1 parameters, 0 were given") as wrong:
        await batch.run()
    assert wrong.value.batch_position == 1
    assert await session.fetchval("SELECT 1") == 1


async def test_a_statement_that_is_none(session: Any) -> None:
    for wrong in (5, None, b"SELECT 1"):
        batch = session.batch()
        batch.execute(wrong)
        with pytest.raises(TypeError, match="a statement must be a str"):
            await batch.run()
    batch = session.batch()
    batch.fetch("SELECT 1", rows=list)
    with pytest.raises(TypeError, match="rows must be"):
        await batch.run()


async def test_inside_a_transaction(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.transaction():
        async with session.batch() as batch:
            batch.execute("INSERT INTO t VALUES (1)")
            batch.fetchval("SELECT count(*) FROM t")
        assert batch.results == ["INSERT 0 1", 1] and session.in_transaction and count(table) == 0
    assert count(table) == 1
    with pytest.raises(errors.UniqueViolation):
        async with session.transaction():
            async with session.batch() as batch:
                batch.execute("INSERT INTO t VALUES (2)")
                batch.execute("INSERT INTO t VALUES (1)")
    assert count(table) == 1 and not session.in_transaction
    async with session.transaction():
        await session.execute("INSERT INTO t VALUES (3)")
        with pytest.raises(psycopg.ProgrammingError, match="transaction of the batch's own"):
            async with session.batch(isolation="serializable") as batch:
                batch.fetchval("SELECT 1")
    assert count(table) == 2


async def test_modes(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.batch(isolation="serializable", read_only=True, deferrable=True) as batch:
        for name in ("isolation", "read_only", "deferrable"):
            batch.fetchval(f"SHOW transaction_{name}")
    assert batch.results == ["serializable", "on", "on"] and not session.in_transaction
    with pytest.raises(errors.ReadOnlySqlTransaction) as raised:
        async with session.batch(read_only=True) as batch:
            batch.fetchval("SELECT 1")
            batch.execute("INSERT INTO t VALUES (1)")
    assert raised.value.batch_position == 1 and not session.in_transaction
    with pytest.raises(errors.UniqueViolation):
        async with session.batch(isolation="serializable") as batch:
            batch.execute("INSERT INTO t VALUES (1)")
            batch.execute("INSERT INTO t VALUES (1)")
    assert count(table) == 0 and not session.in_transaction
    with pytest.raises(psycopg.ProgrammingError, match="need transaction=True"):
        session.batch(transaction=False, read_only=True)


@pytest.mark.parametrize("modes", [{}, {"isolation": "repeatable_read"}])
async def test_an_error_of_the_commit(session: Any, witness: psycopg.Connection[Any], modes: dict[str, str]) -> None:
    witness.execute("CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(errors.UniqueViolation):
        async with session.batch(**modes) as batch:
            batch.execute("INSERT INTO t VALUES (1)")
            batch.execute("INSERT INTO t VALUES (1)")
    assert count(witness) == 0 and not session.in_transaction
    assert await session.fetchval("SELECT 1") == 1


async def test_many_statements_and_large_results(session: Any, table: psycopg.Connection[Any]) -> None:
    batch = session.batch()
    for number in range(3000):
        batch.execute("INSERT INTO t VALUES ($1, $2)", number, "x" * 1000)
    batch.fetch("SELECT n, s FROM t ORDER BY n")
    batch.fetch("SELECT generate_series(1, 20000)")
    results = await batch.run()
    assert len(results) == 3002 and len(results[3000]) == 3000 and results[3001][-1] == (20000,)
    assert count(table) == 3000


@pytest.mark.parametrize("modes", [{}, {"isolation": "serializable"}])
async def test_timeout(session: Any, table: psycopg.Connection[Any], modes: dict[str, str]) -> None:
    for _ in range(2):
        batch = session.batch(timeout=0.1, **modes)
        batch.execute("INSERT INTO t VALUES (1)")
        batch.fetchval("SELECT pg_sleep(20)")
        batch.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(barewire.pg.StatementTimeout):
            await batch.run()
        assert count(table) == 0 and not session.in_transaction
        assert await session.fetchval("SELECT 1") == 1 and not session.in_transaction


async def test_round_trips(face: str, libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    with proxied(pg_schema) as proxy:
        made = await pg_faces.connect(face, proxy.conninfo, libpq=libpq)
        for start, (transaction, modes, trips) in enumerate([(True, {}, 2), (False, {}, 1), (True, {"read_only": False}, 1)]):
            proxy.clear()
            batch = made.batch(transaction=transaction, **modes)
            for number in range(50):
                batch.execute("INSERT INTO t VALUES ($1, $2)", start * 50 + number, "x")
            await batch.run()
            # One more where the statement was new; the first answers may come before the last bytes have passed the proxy.
            assert trips <= proxy.trips <= trips + 2, (transaction, modes)
            assert proxy.names.count("Execute") >= 50
            assert proxy.names.count("Sync") == (50 if not transaction else trips)
        await made.close()
    assert count(table) == 150
