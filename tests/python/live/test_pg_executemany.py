# executemany: sources of rows, errors that name the row, nothing half-done, round trips.
from __future__ import annotations

import decimal
from collections import UserList
from typing import Any

import pg_faces
import psycopg
import pytest
from pg_proxy import proxied
from psycopg import errors

import barewire.pg

INSERT = "INSERT INTO t VALUES ($1, $2)"


@pytest.fixture
def table(witness: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    witness.execute("CREATE TABLE t (n int PRIMARY KEY, s text)")
    return witness


def count(witness: psycopg.Connection[Any]) -> int:
    return witness.execute("SELECT count(*) FROM t").fetchone()[0]  # type: ignore[index]


async def test_sources(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.executemany(INSERT, [(1, "a"), [2, "b"]])
    await session.executemany(INSERT, ((3, "c"), (4, None)))
    await session.executemany(INSERT, iter([(5, "e")]))
    await session.executemany(INSERT, {(6, "f"): None}.keys())
    await session.executemany(INSERT, [UserList([7, "g"])])
    assert table.execute("SELECT n, s FROM t ORDER BY n").fetchall() == [
        (1, "a"), (2, "b"), (3, "c"), (4, None), (5, "e"), (6, "f"), (7, "g"),
    ]  # fmt: skip
    await session.executemany("INSERT INTO t VALUES (20)", [()])
    assert count(table) == 8


@pytest.mark.parametrize("wrong", [{"n": 1}, "ab", b"ab", {1, 2}, 5, None])
async def test_rows_that_are_none(session: Any, table: psycopg.Connection[Any], wrong: Any) -> None:
    with pytest.raises((TypeError, psycopg.ProgrammingError), match="row 1"):
        await session.executemany(INSERT, [(1, "a"), wrong])
    assert count(table) == 0


async def test_rows_of_more_types(session: Any, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    witness.execute("CREATE TABLE t (n numeric(10, 2), m mood, a int[], j jsonb)")
    rows = [(decimal.Decimal(n) / 4, ("sad", "ok", None)[n % 3], [n, None], {"n": n}) for n in range(200)]
    await session.executemany("INSERT INTO t VALUES ($1, $2, $3, $4)", rows)
    assert witness.execute("SELECT n, m, a, j FROM t ORDER BY n").fetchall() == rows
    with pytest.raises(errors.InvalidTextRepresentation) as raised:
        await session.executemany("INSERT INTO t (m) VALUES ($1)", [("sad",), ("glad",)])
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__ == ["row 1 of executemany"]
    assert count(witness) == 200


@pytest.mark.parametrize("place", [0, 1, 499, 2999])
async def test_nothing_half_done(session: Any, table: psycopg.Connection[Any], place: int) -> None:
    table.execute("INSERT INTO t VALUES (-1)")
    rows: list[Any] = [(n, "x" * 100) for n in range(3000)]
    rows[place] = (-1, "twice")
    with pytest.raises(errors.UniqueViolation) as raised:
        await session.executemany(INSERT, rows)
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__ == [f"row {place} of executemany"]
    rows[place] = (1, 5)
    with pytest.raises(psycopg.DataError, match=rf"row {place}, \$2: expected str for text, got int"):
        await session.executemany(INSERT, rows)
    assert count(table) == 1 and not session.in_transaction
    assert await session.fetchval("SELECT 1") == 1


async def test_inside_a_transaction(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.transaction():
        await session.executemany(INSERT, [(n, "x") for n in range(100)])
        assert count(table) == 0 and session.in_transaction
        with pytest.raises(psycopg.DataError):
            async with session.transaction():
                await session.executemany(INSERT, [(100, "x"), (101, 5)])
        assert await session.fetchval("SELECT count(*) FROM t") == 100
    assert count(table) == 100


async def test_a_broken_source_inside_a_transaction(session: Any, table: psycopg.Connection[Any]) -> None:
    def rows() -> Any:
        for number in range(5000):
            yield number, "x" * 50
        raise LookupError("of the generator")

    with pytest.raises(LookupError, match="of the generator"):
        async with session.transaction():
            await session.execute("INSERT INTO t VALUES (-1)")
            await session.executemany(INSERT, rows())
    assert count(table) == 0 and await session.fetchval("SELECT 1") == 1


async def test_the_source_cannot_use_the_connection(session: Any, table: psycopg.Connection[Any]) -> None:
    def rows() -> Any:
        yield 1, "a"
        bare = pg_faces.bare(session)
        bare.fetchval("SELECT 1")

    with pytest.raises(psycopg.ProgrammingError, match="cannot be used by code that it calls itself"):
        await session.executemany(INSERT, rows())
    assert count(table) == 0 and await session.fetchval("SELECT 1") == 1


async def test_results_are_dropped(session: Any, table: psycopg.Connection[Any]) -> None:
    assert await session.executemany(INSERT + " RETURNING n", [(n, "x") for n in range(2000)]) is None
    assert await session.executemany("SELECT $1::int", [(1,)] * 2000) is None
    assert count(table) == 2000


async def test_wrong_statements(session: Any, table: psycopg.Connection[Any]) -> None:
    with pytest.raises(errors.SyntaxError):
        await session.executemany("INSERT INTO", [(1,)])
    with pytest.raises(errors.SyntaxError, match="multiple commands"):
        await session.executemany("INSERT INTO t VALUES ($1); SELECT 1", [(1,)])
    with pytest.raises(TypeError, match="a statement must be a str"):
        await session.executemany(None, [])
    assert await session.fetchval("SELECT 1") == 1


async def test_timeout(session: Any, table: psycopg.Connection[Any]) -> None:
    with pytest.raises(barewire.pg.StatementTimeout):
        await session.executemany("INSERT INTO t SELECT $1 FROM pg_sleep(0.02)", [(n,) for n in range(1000)], timeout=0.1)
    assert count(table) == 0 and not session.in_transaction
    await session.executemany(INSERT, [(1, "a")], timeout=10)
    assert count(table) == 1


async def test_round_trips(face: str, libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    with proxied(pg_schema) as proxy:
        made = await pg_faces.connect(face, proxy.conninfo, libpq=libpq)
        await made.executemany(INSERT, [(-1, "x")])
        proxy.clear()
        await made.executemany(INSERT, [(n, "x") for n in range(200)])  # their answers fit the server's buffer
        assert proxy.trips == 1 and proxy.names.count("Sync") == 1 and proxy.names.count("Parse") == 0
        await made.close()
    assert count(table) == 201
