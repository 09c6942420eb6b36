# Parameters whose type has changed since a connection described the statement: a value that does not fit is no error yet.
from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pg_faces
import psycopg
import pytest
from pg_proxy import proxied
from psycopg import errors

import barewire.pg

INSERT = "INSERT INTO t VALUES ($1)"


@pytest.fixture
def table(witness: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    witness.execute("CREATE TABLE t (n int, u uuid)")
    return witness


def change(witness: psycopg.Connection[Any]) -> None:
    witness.execute("ALTER TABLE t ALTER n TYPE text")


def values(witness: psycopg.Connection[Any]) -> list[str]:
    return [row[0] for row in witness.execute("SELECT n FROM t").fetchall()]


async def test_a_statement_is_described_again(session: Any, table: psycopg.Connection[Any]) -> None:
    find = "SELECT n FROM t WHERE n = $1"
    await session.execute(INSERT, 1)
    statement = await session.prepare(find)
    change(table)
    await session.execute(INSERT, "two")
    assert values(table) == ["1", "two"]
    assert await statement.fetch("two") == [("two",)] and await session.fetchval(find, "1") == "1"
    table.execute("ALTER TABLE t ALTER n TYPE bigint USING 5")
    await session.execute(INSERT, 2**40)
    assert values(table) == [5, 5, 2**40]
    with pytest.raises(psycopg.DataError, match=r"\$1: expected int for int8, got str"):
        await session.execute(INSERT, "three")
    assert session.cached_statements == len(await session._fetch_once("SELECT 1 FROM pg_prepared_statements")) == 2


async def test_a_type_that_is_new(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.execute(INSERT, 1)
    table.execute("DELETE FROM t; CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TABLE t ALTER n TYPE mood USING 'sad'")
    await session.execute(INSERT, "ok")
    await session.executemany(INSERT, [("sad",)])
    assert values(table) == ["ok", "sad"]


async def test_inside_a_transaction(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.execute(INSERT, 1)
    change(table)
    async with session.transaction():
        await session.execute(INSERT, "two")
        with pytest.raises(psycopg.DataError, match=r"\$1: expected str for text, got int"):
            await session.execute(INSERT, 3)
        await session.execute(INSERT, "four")
    assert values(table) == ["1", "two", "four"]


async def test_the_error_costs_one_question(face: str, libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    with proxied(pg_schema) as proxy:
        made = await pg_faces.connect(face, proxy.conninfo, libpq=libpq)
        await made.execute(INSERT, 1)
        for _ in range(3):
            proxy.clear()
            with pytest.raises(psycopg.DataError, match=r"\$1: expected int for int4, got str"):
                await made.execute(INSERT, "x")
            assert proxy.statements.count(INSERT) == 1 and proxy.names.count("Execute") <= 1  # of a DEALLOCATE
        proxy.clear()
        await made.execute(INSERT, 2)
        assert INSERT not in proxy.statements
        with pytest.raises(psycopg.DataError):  # just described: nothing to ask
            await made.execute("INSERT INTO t (n) VALUES ($1)", "x")
        assert proxy.statements == ["INSERT INTO t (n) VALUES ($1)"]
        await made.close()


def _list(count: int) -> Any:
    return [(str(n),) for n in range(count)]


def _generator(count: int) -> Iterator[tuple[str]]:
    yield from _list(count)


@pytest.mark.parametrize("source", [_list, _generator])
async def test_executemany(session: Any, table: psycopg.Connection[Any], source: Any) -> None:
    await session.executemany(INSERT, [(1,)])
    change(table)
    await session.executemany(INSERT, source(100))
    assert values(table) == ["1", *map(str, range(100))]


async def test_executemany_in_the_middle(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.executemany(INSERT, [(1,)])
    change(table)
    rows = [(None,), *_list(2000)]
    await session.executemany(INSERT, rows)
    assert len(values(table)) == 2002
    table.execute("ALTER TABLE t ALTER n TYPE varchar; ALTER TABLE t ALTER n TYPE uuid USING NULL; DELETE FROM t")
    # A generator cannot be asked for the same rows again: the next use is right.
    made = [(None,), (uuid.UUID(int=1),)]
    with pytest.raises(psycopg.DataError, match=r"row 1, \$1: "):
        await session.executemany(INSERT, (row for row in made))
    assert values(table) == []
    await session.executemany(INSERT, (row for row in made))
    assert values(table) == [row[0] for row in made]


async def test_executemany_is_not_run_twice_for_an_error(session: Any, table: psycopg.Connection[Any]) -> None:
    read = []

    class Row(tuple):
        def __iter__(self) -> Any:
            read.append(self[0])
            return super().__iter__()

    await session.executemany(INSERT, [(1,)])
    rows: list[Any] = [Row((n,)) for n in range(50)]
    rows[49] = ("x",)
    for source in (rows, iter(rows)):
        with pytest.raises(psycopg.DataError, match=r"row 49, \$1: expected int for int4, got str"):
            await session.executemany(INSERT, source)
    assert len(read) <= 2 * 49
    assert len(values(table)) == 1 and not session.in_transaction


@pytest.mark.parametrize("modes", [{}, {"isolation": "serializable"}])
async def test_batch(session: Any, table: psycopg.Connection[Any], modes: dict[str, str]) -> None:
    update = "UPDATE t SET n = $1 WHERE n = $2"
    await session.execute(INSERT, 1)
    await session.execute(update, 2, 1)
    change(table)
    batch = session.batch(**modes)
    batch.execute("INSERT INTO t VALUES ('five')")
    batch.execute(INSERT, None)
    batch.execute(INSERT, "three")
    batch.execute(update, "four", "2")
    assert await batch.run() == ["INSERT 0 1", "INSERT 0 1", "INSERT 0 1", "UPDATE 1"]
    assert values(table) == ["five", None, "three", "four"] and not session.in_transaction
    batch = session.batch(**modes)
    batch.execute(INSERT, "six")
    batch.execute(INSERT, 7)
    with pytest.raises(psycopg.DataError, match=r"\$1: expected str for text, got int") as raised:
        await batch.run()
    assert raised.value.batch_position == 1 and len(values(table)) == 4


async def test_a_batch_that_keeps_something(session: Any, table: psycopg.Connection[Any]) -> None:
    """Nothing is done twice: the error is told, and the next use asks again."""
    await session.execute(INSERT, 1)
    table.execute("ALTER TABLE t ALTER n TYPE text; DELETE FROM t")
    for expected in (["a"], ["a", "a", "b"]):
        batch = session.batch()
        batch.execute("INSERT INTO t VALUES ('a')")
        batch.execute("COMMIT")
        batch.execute(INSERT, "b")
        if len(expected) == 1:
            with pytest.raises(psycopg.DataError, match=r"\$1: expected int for int4, got str") as raised:
                await batch.run()
            assert raised.value.batch_position == 2
        else:
            await batch.run()
        assert values(table) == expected and not session.in_transaction


async def test_a_batch_inside_a_transaction(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.execute(INSERT, 1)
    change(table)
    async with session.transaction():
        batch = session.batch()
        batch.execute(INSERT, "first")  # nothing was sent yet
        await batch.run()
    table.execute("ALTER TABLE t ALTER n TYPE varchar; ALTER TABLE t ALTER n TYPE uuid USING NULL; DELETE FROM t")
    key = uuid.UUID(int=5)
    with pytest.raises(psycopg.DataError):
        async with session.transaction():
            batch = session.batch()
            batch.execute("INSERT INTO t VALUES (NULL)")
            batch.execute(INSERT, key)
            await batch.run()
    assert values(table) == []
    await session.execute(INSERT, key)
    assert values(table) == [key]


async def test_statements_on_their_own(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.execute(INSERT, 1)
    change(table)
    batch = session.batch(transaction=False)
    batch.execute(INSERT, "two")
    batch.fetchval("SELECT 5")
    with pytest.raises(psycopg.DataError) as raised:
        await batch.run()
    assert raised.value.batch_position == 0 and raised.value.batch_results[1] == 5
    batch = session.batch(transaction=False)
    batch.execute(INSERT, "two")
    assert await batch.run() == ["INSERT 0 1"]


async def test_what_cannot_be_described_any_more(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.execute(INSERT, 1)
    table.execute("DROP TABLE t")
    with pytest.raises((psycopg.DataError, errors.UndefinedTable)):
        await session.execute(INSERT, "two")
    with pytest.raises(errors.UndefinedTable):
        await session.execute(INSERT, 1)
    assert await session.fetchval("SELECT 1") == 1


async def test_a_pool(libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    async with barewire.pg.AsyncPool(pg_schema, libpq=libpq, max_size=1) as pool:
        await pool.execute(INSERT, 1)
        change(table)
        await pool.execute(INSERT, "two")
    assert values(table) == ["1", "two"]
