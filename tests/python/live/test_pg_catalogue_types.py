# Types that only the database knows: enums, composites, domains, ranges, arrays of them, extensions' types.
from __future__ import annotations

import decimal
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

import barewire.pg


@pytest.fixture
def types(witness: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    for statement in (
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'very Happy, \"indeed\"')",
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE TYPE nest AS (p pair, l pair[], m mood, n numeric)",
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
        "CREATE DOMAIN shorter AS positive CHECK (VALUE < 100)",
        "CREATE DOMAIN moods AS mood[]",
        "CREATE TYPE span AS RANGE (subtype = numeric)",
        "CREATE TABLE rows (n int, m mood, gone int, s text)",
        "ALTER TABLE rows DROP COLUMN gone",
    ):
        witness.execute(statement)
    return witness


async def test_enums(session: Any, types: psycopg.Connection[Any]) -> None:
    for value in ("sad", "ok", 'very Happy, "indeed"'):
        assert await session.fetchval("SELECT $1::mood", value) == value
    assert await session.fetchval("SELECT $1::mood[]", ["sad", None, "ok"]) == ["sad", None, "ok"]
    assert await session.fetchval("SELECT $1::mood[]", [["sad"], ["ok"]]) == [["sad"], ["ok"]]
    with pytest.raises(errors.InvalidTextRepresentation, match='invalid input value for enum mood: "glad"'):
        await session.fetchval("SELECT $1::mood", "glad")
    with pytest.raises(psycopg.DataError, match=r"\$1: expected str or Enum for mood, got int"):
        await session.fetchval("SELECT $1::mood", 5)
    with pytest.raises(psycopg.DataError, match=r"\$1\[1\]"):
        await session.fetchval("SELECT $1::mood[]", ["sad", 5])
    types.execute("ALTER TYPE mood ADD VALUE 'new'")
    assert await session.fetchval("SELECT $1::mood", "new") == "new"


async def test_composites(session: Any, types: psycopg.Connection[Any]) -> None:
    found = await session.fetchval("SELECT $1::pair", (1, "x"))
    assert tuple(found) == (1, "x")
    assert tuple(await session.fetchval("SELECT $1::pair", (None, None))) == (None, None)
    assert await session.fetchval("SELECT $1::pair", None) is None
    assert [tuple(each) for each in await session.fetchval("SELECT $1::pair[]", [(1, "x"), (2, None)])] == [(1, "x"), (2, None)]
    value = ((1, "a"), [(2, "b"), None], "ok", decimal.Decimal("1.50"))
    nested = await session.fetchval("SELECT $1::nest", value)
    assert tuple(nested[0]) == (1, "a") and [each and tuple(each) for each in nested[1]] == [(2, "b"), None]
    assert nested[2:] == ("ok", decimal.Decimal("1.50"))
    assert await session.fetchval("SELECT ($1::nest).l[1].b", value) == "b"
    with pytest.raises(psycopg.DataError, match=r"\$1\[1\]\.b|\$1\.l\[0\]\.b"):
        await session.fetchval("SELECT $1::nest", ((1, "a"), [(2, 5)], "ok", None))
    for wrong in ((1,), (1, "x", 3), 5, "(1,x)"):
        with pytest.raises(psycopg.DataError, match=r"\$1"):
            await session.fetchval("SELECT $1::pair", wrong)
    assert await session.fetchval("SELECT 1") == 1


async def test_rows_of_tables(session: Any, types: psycopg.Connection[Any]) -> None:
    await session.execute("INSERT INTO rows VALUES ($1, $2, $3)", 1, "ok", "x")
    assert tuple(await session.fetchval("SELECT r FROM rows r")) == (1, "ok", "x")
    assert [tuple(row) for row in await session.fetchval("SELECT array_agg(r) FROM rows r")] == [(1, "ok", "x")]
    assert tuple(await session.fetchval("SELECT $1::rows", (2, "sad", None))) == (2, "sad", None)
    anonymous = await session.fetchval("SELECT ROW(1, 'x'::text, NULL::int, 2.5)")
    assert tuple(anonymous) == (1, "x", None, decimal.Decimal("2.5"))
    # A new column: the type has changed, and so does what the statement gives.
    types.execute("ALTER TABLE rows ADD f float8 DEFAULT 1.5")
    made = await pg_faces.connect("blocking" if isinstance(session, pg_faces.Awaited) else "async", types.info.dsn)
    assert tuple(await made.fetchval("SELECT r FROM rows r")) == (1, "ok", "x", 1.5)
    await made.close()


async def test_a_composite_that_changes(session: Any, types: psycopg.Connection[Any]) -> None:
    assert tuple(await session.fetchval("SELECT ROW(1, 'x')::pair")) == (1, "x")
    types.execute("ALTER TYPE pair ADD ATTRIBUTE c int")
    assert tuple(await session.fetchval("SELECT ROW(1, 'x', 3)::pair")) == (1, "x", 3)
    types.execute("ALTER TYPE pair DROP ATTRIBUTE a")
    assert tuple(await session.fetchval("SELECT ROW('x', 3)::pair")) == ("x", 3)


async def test_domains(session: Any, types: psycopg.Connection[Any]) -> None:
    assert await session.fetchval("SELECT $1::positive", 5) == 5 == await session.fetchval("SELECT $1::shorter", 5)
    assert await session.fetchval("SELECT $1::moods", ["ok", None]) == ["ok", None]
    assert await session.fetchval("SELECT $1::positive[]", [1, None]) == [1, None]
    with pytest.raises(errors.CheckViolation):
        await session.fetchval("SELECT $1::shorter", 500)
    with pytest.raises(psycopg.DataError, match=r"\$1: expected int"):
        await session.fetchval("SELECT $1::shorter", "x")


async def test_ranges(session: Any, types: psycopg.Connection[Any]) -> None:
    value = Range(decimal.Decimal("1.5"), decimal.Decimal("2.5"))
    assert await session.fetchval("SELECT $1::span", value) == value
    assert await session.fetchval("SELECT $1::span[]", [value, None, Range(empty=True)]) == [value, None, Range(empty=True)]
    if session.server_version >= 140000:
        several = Multirange([value, Range(decimal.Decimal(5), None)])
        assert await session.fetchval("SELECT $1::span_multirange", several) == several
        assert await session.fetchval("SELECT multirange($1::span)", value) == Multirange([value])
    with pytest.raises(psycopg.DataError, match=r"\$1"):
        await session.fetchval("SELECT $1::span", Range("a", "b"))


async def test_in_all_methods(session: Any, types: psycopg.Connection[Any]) -> None:
    await session.execute("CREATE TABLE t (m mood, p pair, d positive[])")
    await session.executemany("INSERT INTO t VALUES ($1, $2, $3)", [("ok", (n, "x"), [1, n + 1]) for n in range(10)])
    async with session.batch() as batch:
        batch.execute("INSERT INTO t VALUES ($1, $2, $3)", "sad", None, None)
        batch.fetchval("SELECT p FROM t ORDER BY (p).a LIMIT 1")
        batch.fetchrow("SELECT m, d FROM t ORDER BY (p).a LIMIT 1")
    assert tuple(batch.results[1]) == (0, "x") and batch.results[2] == ("ok", [1, 1])
    assert await session.copy_records_to_table("t", records=[("ok", (5, "y"), None)]) == "COPY 1"
    back = await session.insert_many_unsafe("t", [{"m": "ok", "p": (7, "z")}], returning=["m", "p"])
    assert back[0][0] == "ok" and tuple(back[0][1]) == (7, "z")
    assert len(await session.copy_to("SELECT m, p FROM t")) == 13
    statement = await session.prepare("SELECT * FROM t WHERE m = $1")
    assert len(await statement.fetch("sad")) == 1


@pytest.mark.parametrize("first", ["fetch", "batch", "executemany", "prepare", "transaction"])
async def test_first_seen_anywhere(session: Any, types: psycopg.Connection[Any], first: str) -> None:
    query = "SELECT $1::mood"
    if first == "fetch":
        assert await session.fetch(query, "ok") == [("ok",)]
    elif first == "batch":
        batch = session.batch(transaction=False)
        batch.fetchval(query, "ok")
        batch.fetchval("SELECT $1::pair", (1, "x"))
        assert (await batch.run())[0] == "ok"
    elif first == "executemany":
        await session.executemany(query, iter([("ok",), ("sad",)]))
    elif first == "prepare":
        assert await (await session.prepare(query)).fetchval("ok") == "ok"
    else:
        async with session.transaction("serializable"):
            assert await session.fetchval(query, "ok") == "ok"
            assert await session.fetchval("SHOW transaction_isolation") == "serializable"
    assert session.in_transaction is False


async def test_created_inside_a_transaction(session: Any) -> None:
    async with session.transaction():
        await session.execute("CREATE TYPE fresh AS ENUM ('a')")
        assert await session.fetchval("SELECT 'a'::fresh") == "a"
        raise psycopg.Rollback
    await session.execute("CREATE TYPE fresh AS (n int)")
    assert tuple(await session.fetchval("SELECT $1::fresh", (5,))) == (5,)


async def test_extensions(face: str, libpq: str, postgres_database: str) -> None:
    made = await pg_faces.connect(face, postgres_database, libpq=libpq)
    await made.execute("CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree")
    assert await made.fetchval("SELECT $1::hstore", {"a": "1", "b": None}) == {"a": "1", "b": None}
    assert await made.fetchval("SELECT ARRAY['a=>1'::hstore]") == [{"a": "1"}]
    assert await made.fetchval("SELECT $1::citext = 'ABC'::citext", "abc") is True
    assert await made.fetchval("SELECT ARRAY['Abc'::citext]") == ["Abc"]
    # Without a binary form that is known here: the server's text, both ways.
    assert await made.fetchval("SELECT $1::ltree", "a.b.c") == "a.b.c"
    assert await made.fetch("SELECT 'a b'::tsvector, $1::ltree, 5", "a.b") == [("'a' 'b'", "a.b", 5)]
    assert await made.fetchval("SELECT $1::tsquery", "'a' & 'b'") == "'a' & 'b'"
    await made.close()


async def test_psycopg_gives_the_same(session: Any, types: psycopg.Connection[Any]) -> None:
    query = "SELECT 'ok'::mood, 5::positive, '[1,2)'::int4range, '{[1,2),[5,9)}'::int4multirange, 'infinity'::timestamp::text"
    ours = await session.fetchrow(query)
    assert ours == types.execute(query).fetchone()
    assert isinstance(await session.fetchval("SELECT ROW(1,'x')::pair"), (tuple, barewire.pg.Record))
