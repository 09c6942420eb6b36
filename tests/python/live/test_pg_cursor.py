# Cursors on the server: iteration, fetch, forward, their life, their types, and errors.
from __future__ import annotations

from typing import Any

import pg_faces
import psycopg
import pytest
from pg_proxy import proxied
from psycopg import errors

import barewire.pg

QUERY = "SELECT n, n::text AS s FROM generate_series(1, $1::int) n"


@pytest.mark.parametrize("prefetch", [1, 7, 100, 1000])
async def test_iteration(session: Any, prefetch: int) -> None:
    async with session.transaction():
        for count in (0, 1, 99, 100, 101, 250):
            found = [row async for row in session.cursor(QUERY, count, prefetch=prefetch)]
            assert found == [(n, str(n)) for n in range(1, count + 1)]
        assert await session.fetch("SELECT name FROM pg_cursors WHERE name <> ''") == []


async def test_shapes(session: Any) -> None:
    async with session.transaction():
        assert [row async for row in session.cursor(QUERY, 2, rows=dict)] == [{"n": 1, "s": "1"}, {"n": 2, "s": "2"}]
        records = [row async for row in session.cursor(QUERY, 2, rows=barewire.pg.Record)]
        assert records[1]["s"] == "2"
        assert [row async for row in session.cursor("SELECT 1, 'a'")] == [(1, "a")]
        with pytest.raises(TypeError, match="rows must be"):
            await session.cursor(QUERY, 2, rows=list).fetch(1)
    statement = await session.prepare(QUERY)
    async with session.transaction():
        cursor = pg_faces.bare(statement).cursor(3, rows=dict)
        if isinstance(cursor, barewire.pg.Cursor):
            assert [row["n"] for row in cursor] == [1, 2, 3]
        else:
            assert [row["n"] async for row in cursor] == [1, 2, 3]


async def test_by_hand(session: Any) -> None:
    async with session.transaction():
        cursor = session.cursor(QUERY, 20, prefetch=4)
        assert await cursor.fetchrow() == (1, "1")
        assert [row[0] for row in await cursor.fetch(3)] == [2, 3, 4]
        assert await cursor.forward(5) == 5
        assert (await cursor.fetchrow())[0] == 10
        async for row in cursor:
            if row[0] == 12:
                break
        assert await cursor.forward(1) == 1  # of those that were fetched ahead
        assert (await cursor.fetchrow())[0] == 14
        assert [row[0] for row in await cursor.fetch(100)] == [15, 16, 17, 18, 19, 20]
        assert await cursor.fetch(1) == [] and await cursor.fetchrow() is None and await cursor.forward(3) == 0
        assert [row async for row in cursor] == []
        other = session.cursor(QUERY, 5)
        assert await other.forward(10) == 5 and await other.fetch(1) == []
        for wrong in (0, -1):
            with pytest.raises(ValueError, match="at least 1"):
                await cursor.fetch(wrong)
            with pytest.raises(ValueError, match="at least 1"):
                await cursor.forward(wrong)
            with pytest.raises(ValueError, match="prefetch"):
                session.cursor(QUERY, 1, prefetch=wrong)


async def test_needs_a_transaction(session: Any) -> None:
    with pytest.raises(errors.NoActiveSqlTransaction, match="needs an open transaction"):
        await session.cursor(QUERY, 5).fetch(1)
    async with session.transaction():
        cursor = session.cursor(QUERY, 500, prefetch=10)
        assert len(await cursor.fetch(5)) == 5
    with pytest.raises((errors.InvalidCursorName, errors.NoActiveSqlTransaction)):
        await cursor.fetch(5)
    await cursor.close()


async def test_as_the_first_statement(session: Any) -> None:
    async with session.transaction():
        async with session.cursor(QUERY, 3) as cursor:
            assert await cursor.fetchrow() == (1, "1")
        assert await session.fetchval("SELECT count(*) FROM pg_cursors WHERE name <> ''") == 0


async def test_several_at_a_time_and_statements_between(session: Any) -> None:
    await session.execute("CREATE TABLE t (n int)")
    async with session.transaction():
        one, two = session.cursor(QUERY, 100, prefetch=3), session.cursor(QUERY, 100, prefetch=5)
        for number in range(1, 51):
            assert await one.fetchrow() == await two.fetchrow() == (number, str(number))
            await session.execute("INSERT INTO t VALUES ($1)", number)
        assert await session.fetchval("SELECT count(*) FROM pg_cursors WHERE name <> ''") == 2
        await one.close()
        await one.close()
        assert await session.fetchval("SELECT count(*) FROM pg_cursors WHERE name <> ''") == 1
        assert await one.fetch(1) == []
    assert await session.fetchval("SELECT count(*) FROM t") == 50


async def test_savepoints(session: Any) -> None:
    async with session.transaction():
        outer = session.cursor(QUERY, 10)
        assert await outer.fetchrow() == (1, "1")
        async with session.transaction():
            inner = session.cursor(QUERY, 10)
            await inner.fetchrow()
            raise psycopg.Rollback
        await inner.close()  # the rollback has closed it
        assert (await outer.fetchrow())[0] == 2
        await outer.close()
        assert await session.fetchval("SELECT 1") == 1


async def test_errors(session: Any) -> None:
    async with session.transaction():
        with pytest.raises(psycopg.DataError, match=r"\$1: expected int for int4, got str"):
            await session.cursor(QUERY, "x").fetch(1)
        with pytest.raises(psycopg.ProgrammingError, match="1 parameters, 0 were given"):
            await session.cursor(QUERY).fetch(1)
        assert await session.fetchval("SELECT 1") == 1
    for query, error in (("SELEC 1", errors.SyntaxError), ("INSERT INTO pg_class DEFAULT VALUES", psycopg.ProgrammingError)):
        with pytest.raises(error):
            async with session.transaction():
                await session.cursor(query).fetch(1)
    with pytest.raises(errors.DivisionByZero):
        async with session.transaction():
            async with session.cursor("SELECT 1 / (50 - n) FROM generate_series(1, 100) n", prefetch=10) as cursor:
                assert len([row async for row in cursor]) < 0
    assert await session.fetchval("SELECT 1") == 1


async def test_types_of_the_catalogue(session: Any, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    witness.execute("CREATE TYPE pair AS (a int, m mood)")
    query = "SELECT $1::mood AS m, ARRAY['ok'::mood] AS l, ROW(1, 'sad')::pair AS p, '5'::tsvector AS v"
    expected = await session.fetch(query, "sad")
    async with session.transaction():
        assert await session.cursor(query, "sad").fetch(5) == expected


async def test_with_hold_and_names_of_ones_own(session: Any) -> None:
    async with session.transaction():
        await session.execute("DECLARE mine SCROLL CURSOR FOR SELECT generate_series(1, 5)")
        assert await session.fetch("FETCH 2 FROM mine") == [(1,), (2,)]
        assert await session.fetch("FETCH BACKWARD 1 FROM mine") == [(1,)]


async def test_round_trips_and_cache(face: str, libpq: str, pg_schema: str) -> None:
    with proxied(pg_schema) as proxy:
        made = await pg_faces.connect(face, proxy.conninfo, libpq=libpq)
        async with made.transaction():
            await made.fetchval("SELECT 1")
            async with made.cursor(QUERY, 1000, prefetch=100) as cursor:
                await cursor.fetchrow()
                kept = made.cached_statements
                proxy.clear()
                rows = [row async for row in cursor]
            assert len(rows) == 999 and 10 <= proxy.trips <= 13
        async with made.transaction():
            for _ in range(20):
                assert len([row async for row in made.cursor("SELECT generate_series(1, 5)")]) == 5
        assert made.cached_statements <= kept + 2  # FETCH and CLOSE are not kept
        await made.close()
