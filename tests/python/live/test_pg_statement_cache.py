# The statement cache: what the server holds is what it counts; LRU, eviction, resets, schema changes, off.
from __future__ import annotations

from typing import Any

import pg_faces
import psycopg
import pytest
from pg_proxy import proxied
from psycopg import errors

PREPARED = "SELECT statement FROM pg_prepared_statements ORDER BY prepare_time"


async def held(session: Any) -> list[str]:
    """What the server holds, asked without a prepared statement."""
    return [row[0] for row in await session._fetch_once(PREPARED)]


async def test_counts_are_equal(session: Any) -> None:
    for round_ in range(3):
        for number in range(20):
            assert await session.fetchval(f"SELECT {number} + $1::int", round_) == number + round_
        assert session.cached_statements == 20 == len(await held(session))
    async with session.batch() as batch:
        for number in range(15, 30):
            batch.fetchval(f"SELECT {number} + $1::int", 1)
    await session.executemany("SELECT $1::text", [("a",)] * 5)
    assert session.cached_statements == 31 == len(await held(session))


async def test_failed_statements_are_not_kept(session: Any) -> None:
    for _ in range(3):
        with pytest.raises(errors.UndefinedTable):
            await session.fetch("SELECT * FROM nowhere WHERE n = $1", 1)
        with pytest.raises(errors.SyntaxError):
            await session.fetch("SELEC")
    await session.fetch("SELECT 1 / $1::int", 1)
    with pytest.raises(errors.DivisionByZero):
        await session.fetch("SELECT 1 / $1::int", 0)
    assert len(await held(session)) == 1 and session.cached_statements == 1


async def test_least_recently_used_goes(face: str, libpq: str, pg_schema: str) -> None:
    made = await pg_faces.connect(face, pg_schema, libpq=libpq, statement_cache_size=3)
    one, two, three, four = (f"SELECT {n} + $1::int" for n in range(1, 5))
    for query in (one, two, three, one, four):
        await made.fetchval(query, 1)
    assert sorted(await held(made)) == [one, three, four] and made.cached_statements == 3
    await made.fetchval(two, 1)
    assert sorted(await held(made)) == [one, two, four]
    for number in range(100):
        assert await made.fetchval(f"SELECT {number} * $1::int", 2) == number * 2
        assert made.cached_statements == 3 == len(await held(made))
    # More at a time than it keeps.
    batch = made.batch()
    for number in range(20):
        batch.fetchval(f"SELECT {number} - $1::int", 1)
    assert await batch.run() == [number - 1 for number in range(20)]
    assert made.cached_statements == 3 == len(await held(made))
    await made.close()


async def test_a_dropped_statement_is_prepared_again(face: str, libpq: str, pg_schema: str) -> None:
    made = await pg_faces.connect(face, pg_schema, libpq=libpq, statement_cache_size=1)
    statement = await made.prepare("SELECT 1 + $1::int")
    for number in range(5):
        assert await statement.fetchval(number) == 1 + number
        assert await made.fetchval("SELECT 2 + $1::int", number) == 2 + number
    assert len(await held(made)) == 1 == made.cached_statements
    await made.close()


async def test_equal_texts_are_one_statement(session: Any) -> None:
    for text in ("SELECT  $1::int", "SELECT $1::int", "select $1::int", "SELECT $1::int "):
        await session.fetchval(text, 1)
        await session.fetchval(str(bytes(text, "ascii"), "ascii"), 1)
    assert session.cached_statements == 4 == len(await held(session))


@pytest.mark.parametrize("reset", ["DISCARD ALL", "DEALLOCATE ALL", "DEALLOCATE PREPARE ALL", "deallocate  all;"])
async def test_everything_is_forgotten(session: Any, witness: psycopg.Connection[Any], reset: str) -> None:
    queries = [f"SELECT {n} + $1::int" for n in range(5)]
    for query in queries:
        await session.fetchval(query, 1)
    await session.execute(reset)
    assert await held(session) == [] and session.cached_statements == 0
    for number, query in enumerate(queries):
        assert await session.fetchval(query, 1) == number + 1
    assert sorted(await held(session)) == queries and session.cached_statements == 5
    # Hidden from us: in a function, in a script.
    await session.execute(f"SELECT 1; {reset}" if not reset.startswith("DISCARD") else reset)
    assert await session.fetchval(queries[0], 1) == 1
    await session.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
    for number, query in enumerate(queries):
        assert await session.fetchval(query, 1) == number + 1
    assert len(await held(session)) == session.cached_statements == 5


async def test_one_is_deallocated_by_the_user(session: Any) -> None:
    await session.fetchval("SELECT 1 + $1::int", 1)
    await session.fetchval("SELECT 2 + $1::int", 1)
    names = [row[0] for row in await session._fetch_once("SELECT name FROM pg_prepared_statements")]
    for name in names:
        await session.execute(f'DEALLOCATE "{name}"')
    assert await session.fetchval("SELECT 1 + $1::int", 1) == 2
    assert await session.fetchval("SELECT 2 + $1::int", 1) == 3
    assert len(await held(session)) == 2


async def test_forgotten_inside_a_transaction(session: Any) -> None:
    await session.fetchval("SELECT 1 + $1::int", 1)
    async with session.transaction():
        await session.execute("DEALLOCATE ALL")
        assert await session.fetchval("SELECT 1 + $1::int", 1) == 2
        raise psycopg.Rollback
    assert await session.fetchval("SELECT 1 + $1::int", 1) == 2
    assert len(await held(session)) == session.cached_statements == 1


async def test_a_changed_table_is_described_once_more(face: str, libpq: str, pg_schema: str, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TABLE t AS SELECT 1 AS n")
    with proxied(pg_schema) as proxy:
        made = await pg_faces.connect(face, proxy.conninfo, libpq=libpq)
        assert await made.fetch("SELECT * FROM t") == [(1,)]
        witness.execute("ALTER TABLE t ADD s text DEFAULT 'x'")
        proxy.clear()
        assert await made.fetch("SELECT * FROM t", rows=dict) == [{"n": 1, "s": "x"}]
        assert proxy.statements.count("SELECT * FROM t") == 1
        proxy.clear()
        assert await made.fetch("SELECT * FROM t") == [(1, "x")]
        assert proxy.statements == [] and proxy.trips == 1
        witness.execute("ALTER TABLE t ALTER n TYPE text")
        assert await made.fetchval("SELECT * FROM t") == "1"
        witness.execute("DROP TABLE t; CREATE TABLE t AS SELECT 2.5 AS n")
        assert str(await made.fetchval("SELECT * FROM t")) == "2.5"
        witness.execute("DROP TABLE t")
        with pytest.raises(errors.UndefinedTable):
            await made.fetch("SELECT * FROM t")
        witness.execute("CREATE TABLE t AS SELECT 3 AS n")
        assert await made.fetch("SELECT * FROM t") == [(3,)]
        await made.close()


@pytest.mark.parametrize("way", ["batch", "executemany", "separate"])
async def test_a_changed_table_in_other_ways(session: Any, witness: psycopg.Connection[Any], way: str) -> None:
    witness.execute("CREATE TABLE t AS SELECT 1 AS n")
    query = "SELECT * FROM t WHERE n = $1"
    assert await session.fetch(query, 1) == [(1,)]
    witness.execute("ALTER TABLE t ADD s text")
    if way == "executemany":
        await session.executemany(query, [(1,), (2,)])
    else:
        batch = session.batch(transaction=way == "batch")
        batch.fetchval("SELECT 5")
        batch.fetch(query, 1)
        batch.fetchval("SELECT 6")
        if way == "batch":
            assert await batch.run() == [5, [(1, None)], 6]
        else:  # the others were run, so it is not run again
            with pytest.raises(errors.FeatureNotSupported) as raised:
                await batch.run()
            assert raised.value.batch_results[::2] == [5, 6]
    assert await session.fetch(query, 1) == [(1, None)]


async def test_reported_inside_a_transaction(session: Any, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TABLE t AS SELECT 1 AS n")
    await session.fetch("SELECT * FROM t")
    await session.execute("CREATE TABLE log (n int)")
    witness.execute("ALTER TABLE t ADD s text")
    with pytest.raises(errors.FeatureNotSupported, match="cached plan must not change result type"):
        async with session.transaction():
            await session.execute("INSERT INTO log VALUES (1)")
            await session.fetch("SELECT * FROM t")
    async with session.transaction():  # the next one is right
        assert await session.fetch("SELECT * FROM t") == [(1, None)]
    assert await session.fetchval("SELECT count(*) FROM log") == 0


async def test_off(face: str, libpq: str, pg_schema: str) -> None:
    made = await pg_faces.connect(face, pg_schema, libpq=libpq, statement_cache_size=0)
    for _ in range(3):
        assert await made.fetchval("SELECT 1 + $1::int", 1) == 2
        await made.executemany("SELECT $1::int", [(n,) for n in range(10)])
        async with made.batch() as batch:
            batch.fetchval("SELECT $1::text", "a")
            batch.fetchval("SELECT $1::text", "b")
        assert batch.results == ["a", "b"]
        async with made.transaction():
            assert [row async for row in made.cursor("SELECT generate_series(1, $1::int)", 3)] == [(1,), (2,), (3,)]
        statement = await made.prepare("SELECT $1::int")
        assert await statement.fetchval(5) == 5
        assert await held(made) == [] and made.cached_statements == 0
    await made.close()
