# Statements that the server knows otherwise than we do: plans made stale by ALTER TABLE, names that never were or are gone.
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors

import barewire.pg

QUERY = "SELECT * FROM t WHERE n = $1"


@pytest.fixture
def table(witness: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    witness.execute("CREATE TABLE t AS SELECT 1 AS n; CREATE TABLE log (n int)")
    return witness


def logged(witness: psycopg.Connection[Any]) -> list[int]:
    return [row[0] for row in witness.execute("SELECT n FROM log ORDER BY n").fetchall()]


@pytest.mark.parametrize("modes", [{}, {"isolation": "serializable"}])
async def test_a_batch_is_run_again_as_a_whole(session: Any, table: psycopg.Connection[Any], modes: dict[str, str]) -> None:
    other = "SELECT n, * FROM t"
    assert await session.fetch(QUERY, 1) == [(1,)] and await session.fetch(other) == [(1, 1)]
    table.execute("ALTER TABLE t ADD s text")
    batch = session.batch(**modes)
    batch.execute("INSERT INTO log VALUES (5)")
    batch.fetchval("SELECT count(*) FROM log")
    batch.fetch(QUERY, 1)
    batch.fetch(other)
    batch.execute("UPDATE log SET n = n + 1")
    assert await batch.run() == ["INSERT 0 1", 1, [(1, None)], [(1, 1, None)], "UPDATE 1"]
    assert logged(table) == [6] and not session.in_transaction


async def test_executemany_is_run_again(session: Any, table: psycopg.Connection[Any]) -> None:
    query = "INSERT INTO log SELECT n + $1 FROM t RETURNING (SELECT t FROM t)"
    changing = "SELECT * FROM t, log WHERE log.n = $1"
    await session.fetch(changing, 1)
    table.execute("ALTER TABLE t ADD s text")
    await session.executemany(changing, [(1,), (2,)])
    await session.executemany(query, [(n,) for n in range(3)])
    table.execute("ALTER TABLE t ADD u text")
    await session.executemany(query, [(n,) for n in range(3, 6)])
    assert logged(table) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("kept", ["COMMIT", "DO $$ BEGIN COMMIT; END $$", "CALL commits()"])
async def test_what_was_kept_is_not_run_again(session: Any, table: psycopg.Connection[Any], kept: str) -> None:
    table.execute("CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
    await session.fetch(QUERY, 1)
    table.execute("ALTER TABLE t ADD s text")
    batch = session.batch()
    batch.execute("INSERT INTO log VALUES (1)")
    batch.execute(kept)
    batch.execute("INSERT INTO log VALUES (2)")
    batch.fetch(QUERY, 1)
    with pytest.raises(errors.FeatureNotSupported, match="cached plan") as raised:
        await batch.run()
    assert raised.value.batch_position == 3
    assert logged(table) == [1] and not session.in_transaction
    assert await session.fetch(QUERY, 1) == [(1, None)]


async def test_what_cannot_be_undone_is_not_run_again(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.fetch(QUERY, 1)
    table.execute("ALTER TABLE t ADD s text")
    batch = session.batch()
    batch.execute("CREATE INDEX CONCURRENTLY made ON log (n)")  # ends its transaction by itself
    batch.fetch(QUERY, 1)
    with pytest.raises(errors.FeatureNotSupported, match="cached plan"):
        await batch.run()
    assert table.execute("SELECT to_regclass('made') IS NOT NULL").fetchone() == (True,)


async def test_a_transaction_of_the_batchs_own_statements_is_left_alone(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.fetch(QUERY, 1)
    table.execute("ALTER TABLE t ADD s text")
    batch = session.batch()
    batch.execute("BEGIN")
    batch.execute("INSERT INTO log VALUES (1)")
    batch.fetch(QUERY, 1)
    with pytest.raises(errors.FeatureNotSupported, match="cached plan"):
        await batch.run()
    assert session.in_transaction
    await session.execute("ROLLBACK")
    assert logged(table) == []


@pytest.mark.parametrize("transaction", [True, False])
async def test_inside_the_callers_transaction_it_is_told(session: Any, table: psycopg.Connection[Any], transaction: bool) -> None:
    await session.fetch(QUERY, 1)
    table.execute("ALTER TABLE t ADD s text")
    with pytest.raises(errors.FeatureNotSupported, match="cached plan"):
        async with session.transaction():
            await session.execute("INSERT INTO log VALUES (1)")
            batch = session.batch(transaction=transaction)
            batch.fetchval("SELECT 5")
            batch.fetch(QUERY, 1)
            await batch.run()
    assert logged(table) == [] and await session.fetch(QUERY, 1) == [(1, None)]


async def test_statements_on_their_own_are_run_again_from_the_stale_one_on(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.fetch(QUERY, 1)
    table.execute("ALTER TABLE t ADD s text")
    batch = session.batch(transaction=False)
    batch.execute("INSERT INTO log VALUES (1)")
    batch.fetchval("SELECT 1 / $1::int", 0)
    for number in range(5):
        batch.fetch(QUERY, number)
    with pytest.raises(errors.DivisionByZero) as raised:
        await batch.run()
    assert raised.value.batch_results[2:] == [[], [(1, None)], [], [], []]
    assert logged(table) == [1]


async def test_statements_on_their_own_keep_their_order(session: Any, table: psycopg.Connection[Any]) -> None:
    """What was run behind the stale statement could not be run behind it once more: the stale one is told."""
    await session.fetch(QUERY, 1)
    table.execute("ALTER TABLE t ADD s text")
    batch = session.batch(transaction=False)
    batch.fetch(QUERY, 1)
    batch.execute("INSERT INTO log VALUES (1)")
    batch.fetch(QUERY, 1)
    with pytest.raises(errors.FeatureNotSupported, match="cached plan") as raised:
        await batch.run()
    assert raised.value.batch_position == 0 and raised.value.batch_results[1:] == ["INSERT 0 1", [(1, None)]]
    assert logged(table) == [1]


async def test_many_statements_on_their_own(session: Any, table: psycopg.Connection[Any]) -> None:
    """More than are sent before the first answer comes: each is run once."""
    insert = "INSERT INTO log VALUES ($1, $2) RETURNING (SELECT t FROM t WHERE n = 1), *"
    table.execute("ALTER TABLE log ADD s text")
    await session.fetch(insert, -1, "x")
    table.execute("ALTER TABLE log ADD more int")
    batch = session.batch(transaction=False)
    for number in range(2000):
        batch.fetch(insert, number, "x" * 500)
    results = await batch.run()
    assert [rows[0][1] for rows in results] == list(range(2000)) and logged(table) == list(range(-1, 2000))


async def test_a_statement_that_cannot_be_prepared_any_more(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.fetch(QUERY, 1)
    table.execute("ALTER TABLE t DROP n, ADD s text")
    for transaction in (True, False):
        batch = session.batch(transaction=transaction)
        batch.fetchval("SELECT 5")
        batch.fetch(QUERY, 1)
        with pytest.raises(errors.UndefinedColumn):
            await batch.run()
        assert await session.fetchval("SELECT 6") == 6
    assert session.cached_statements == len(await session._fetch_once("SELECT 1 FROM pg_prepared_statements")) == 3


# --- names whose fate is not known yet -----------------------------------------------------------------------------------
@contextlib.contextmanager
def locked(conninfo: str) -> Iterator[None]:
    """Nobody else can prepare a statement that reads `t`."""
    with psycopg.connect(conninfo) as other:
        other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


@pytest.mark.parametrize("way", ["fetch", "prepare", "batch", "executemany"])
async def test_used_again_at_once_after_its_preparation_was_cancelled(
    session: Any, table: psycopg.Connection[Any], pg_schema: str, way: str
) -> None:
    async def use(text: str, timeout: float) -> Any:
        if way == "prepare":
            return await (await session.prepare(text, timeout=timeout)).fetch(1, timeout=timeout)
        if way == "batch":
            batch = session.batch(timeout=timeout)
            batch.fetch(text, 1)
            return (await batch.run())[0]
        if way == "executemany":
            await session.executemany(text, [(1,)], timeout=timeout)
            return [(1,)]
        return await session.fetch(text, 1, timeout=timeout)

    for number in range(15):
        text = f"SELECT * FROM t WHERE n = $1 + {number} - {number}"
        with locked(pg_schema), pytest.raises(barewire.pg.StatementTimeout):
            await use(text, 0.002)
        assert await use(text, 20) == [(1,)]
    assert session.cached_statements == len(await session._fetch_once("SELECT 1 FROM pg_prepared_statements"))


async def test_used_again_beside_others(libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    """Tasks of one connection meet at a statement that is being prepared when the first one gives up."""
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)

    async def impatient(text: str) -> Any:
        with contextlib.suppress(barewire.pg.StatementTimeout):
            return await made.fetch(text, 1, timeout=0.003)

    for number in range(15):
        text = f"SELECT * FROM t WHERE n = $1 + {number} - {number}"
        with locked(pg_schema):
            first = asyncio.gather(impatient(text), made.fetchval("SELECT 5"), impatient(text), impatient(text))
            await asyncio.sleep(0.004)
            later = asyncio.gather(*(made.fetch(text, 1) for _ in range(3)), made.fetchval("SELECT 6"))
            assert (await first)[1] == 5
        assert await asyncio.wait_for(later, 20) == [[(1,)]] * 3 + [6]
    assert made.cached_statements == len(await made._fetch_once("SELECT 1 FROM pg_prepared_statements"))
    await made.close()


async def test_used_again_behind_one_that_was_given_up(libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    """The preparation is given up while it waits its turn, and cancelled when it blocks those behind it."""
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)
    sleep = "SELECT pg_sleep($1)"
    await made.fetch(sleep, 0.0)
    with locked(pg_schema):
        slow = asyncio.create_task(made.fetch(sleep, 0.1))
        await asyncio.sleep(0)
        with pytest.raises(barewire.pg.StatementTimeout):
            await made.fetch(QUERY, 1, timeout=0.01)
        again = asyncio.create_task(made.fetch(QUERY, 1))
        await slow
        await asyncio.sleep(0.1)
        assert not again.done()
    assert await asyncio.wait_for(again, 20) == [(1,)]
    assert made.cached_statements == len(await made._fetch_once("SELECT 1 FROM pg_prepared_statements")) == 2
    await made.close()


async def test_a_cancelled_task_leaves_a_good_statement(libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)
    for number in range(15):
        text = f"SELECT * FROM t WHERE n = $1 + {number} - {number}"
        with locked(pg_schema):
            task = asyncio.create_task(made.fetch(text, 1))
            await asyncio.sleep(0.002)
            task.cancel()
            again = asyncio.create_task(made.fetch(text, 1))
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await asyncio.wait_for(again, 20) == [(1,)]
    await made.close()


async def test_a_failed_preparation_is_the_same_error_every_time(session: Any, table: psycopg.Connection[Any]) -> None:
    for _ in range(3):
        batch = session.batch(transaction=False)
        for _ in range(3):
            batch.fetch("SELECT * FROM nowhere")
        with pytest.raises(errors.UndefinedTable) as raised:
            await batch.run()
        assert [type(each) for each in raised.value.batch_results] == [errors.UndefinedTable] * 3
    bare = pg_faces.bare(session)
    assert bare.cached_statements == 0
