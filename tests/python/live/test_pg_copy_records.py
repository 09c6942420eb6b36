# copy_records_to_table: sources of rows, columns, errors that name row and column, nothing half-done, memory.
from __future__ import annotations

import datetime
import decimal
import subprocess
import sys
import uuid
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors
from psycopg.types.range import Range

import barewire.pg


@pytest.fixture
def table(witness: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    witness.execute("CREATE TABLE t (n int, s text, d date)")
    return witness


def content(witness: psycopg.Connection[Any]) -> list[Any]:
    return witness.execute("SELECT * FROM t ORDER BY 1").fetchall()


DAY = datetime.date(2020, 2, 29)


async def test_rows(session: Any, table: psycopg.Connection[Any]) -> None:
    assert await session.copy_records_to_table("t", records=[(1, "a", DAY), [2, None, None]]) == "COPY 2"
    assert await session.copy_records_to_table("t", records=((n, "g", DAY) for n in range(3, 5))) == "COPY 2"
    assert await session.copy_records_to_table("t", records=iter([(5, "ä€", None)])) == "COPY 1"
    assert await session.copy_records_to_table("t", records=[]) == "COPY 0"
    expected = [(1, "a", DAY), (2, None, None), (3, "g", DAY), (4, "g", DAY), (5, "ä€", None)]
    assert content(table) == expected


async def test_dicts(session: Any, table: psycopg.Connection[Any]) -> None:
    await session.copy_records_to_table("t", records=[{"s": "a", "n": 1, "d": DAY, "further": 5}, {"d": None, "n": 2, "s": None}])
    await session.copy_records_to_table("t", columns=["s", "n"], records=[{"n": 3, "s": "c"}, ("d", 4)])
    assert content(table) == [(1, "a", DAY), (2, None, None), (3, "c", None), (4, "d", None)]
    with pytest.raises(psycopg.DataError, match=r"row 1.*\bs\b"):
        await session.copy_records_to_table("t", records=[{"n": 1, "s": "a", "d": None}, {"n": 1, "d": None}])
    assert len(content(table)) == 4


async def test_records_as_rows(session: Any, table: psycopg.Connection[Any]) -> None:
    records = await session.fetch("SELECT 1 AS n, 'a' AS s, NULL::date AS d", rows=barewire.pg.Record)
    await session.copy_records_to_table("t", records=records)
    assert content(table) == [(1, "a", None)]


async def test_columns(session: Any, witness: psycopg.Connection[Any]) -> None:
    witness.execute(
        'CREATE TABLE "T ""x" (id int GENERATED ALWAYS AS IDENTITY, "A b" int, twice int GENERATED ALWAYS AS ("A b" * 2) STORED,'
        " gone int, c text DEFAULT 'default')"
    )
    witness.execute('ALTER TABLE "T ""x" DROP COLUMN gone')
    await session.copy_records_to_table('T "x', columns=["A b"], records=[(5,)])
    await session.copy_records_to_table('T "x', columns=("c", "A b"), records=[("x", 6)])
    assert witness.execute('SELECT "A b", twice, c FROM "T ""x" ORDER BY 1').fetchall() == [(5, 10, "default"), (6, 12, "x")]
    # Without names the generated column is left out, the identity column is not.
    await session.copy_records_to_table('T "x', records=[(100, 7, "y")])
    with pytest.raises(errors.UndefinedColumn, match='column "none" of "T ""x" does not exist'):
        await session.copy_records_to_table('T "x', columns=["none"], records=[])
    with pytest.raises(errors.UndefinedTable):
        await session.copy_records_to_table("none", records=[(1,)])
    with pytest.raises(TypeError, match="not a str"):
        await session.copy_records_to_table('T "x', columns="c", records=[])
    with pytest.raises(psycopg.ProgrammingError, match="must not be empty"):
        await session.copy_records_to_table('T "x', columns=[], records=[])
    with pytest.raises(psycopg.Error):
        await session.copy_records_to_table('T "x', columns=["c", "c"], records=[("x", "x")])
    assert await session.fetchval('SELECT count(*) FROM "T ""x"') == 3


async def test_schema(session: Any, table: psycopg.Connection[Any]) -> None:
    schema = table.execute("SELECT current_schema").fetchone()[0]  # type: ignore[index]
    assert await session.copy_records_to_table("t", schema_name=schema, records=[(1, "a", None)]) == "COPY 1"
    with pytest.raises(errors.InvalidSchemaName):
        await session.copy_records_to_table("t", schema_name="none", records=[])
    await session.execute("CREATE TEMP TABLE only_here (n int)")
    assert await session.copy_records_to_table("only_here", records=[(1,)]) == "COPY 1"


async def test_types(session: Any, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    witness.execute("CREATE TYPE pair AS (a int, b text)")
    witness.execute("CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
    witness.execute("CREATE TABLE t (i int8, n numeric, u uuid, z timestamptz, a text[], r int4range, m mood, p pair, d positive, j jsonb, b bytea)")
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 6, datetime.timezone.utc)
    row = (2**60, decimal.Decimal("1.20"), uuid.uuid4(), moment, ["x", None], Range(1, 5), "ok", (1, "x"), 5, {"k": [1]}, b"\0\xff")
    await session.copy_records_to_table("t", records=[row, (None,) * 11])
    found = await session.fetchrow("SELECT * FROM t WHERE i IS NOT NULL")
    assert tuple(found[:7]) == row[:7] and tuple(found[7]) == (1, "x") and found[8:] == row[8:]
    assert await session.fetchval("SELECT count(*) FROM t WHERE t IS NULL") == 1
    with pytest.raises(errors.CheckViolation):
        await session.copy_records_to_table("t", columns=["d"], records=[(5,), (-5,)])
    with pytest.raises(errors.InvalidTextRepresentation):
        await session.copy_records_to_table("t", columns=["m"], records=[("glad",)])
    with pytest.raises(psycopg.DataError, match=r"row 0.*\bp\b"):
        await session.copy_records_to_table("t", columns=["p"], records=[((1, 2),)])
    assert await session.fetchval("SELECT count(*) FROM t") == 2


@pytest.mark.parametrize("place", [0, 1, 700, 49_999])
@pytest.mark.parametrize("wrong,text", [
    ((1, 5, None), r"row {}\b.*\bs\b.*expected str for text, got int"),
    ((1, "a"), r"row {}\b.*2.*3"),
    (None, r"row {}\b"),
    ({"n": 1, "s": "a"}, r"row {}\b.*\bd\b"),
])  # fmt: skip
async def test_errors_name_the_row(face: str, pg_schema: str, table: psycopg.Connection[Any], place: int, wrong: Any, text: str) -> None:
    made = await pg_faces.connect(face, pg_schema)
    rows: list[Any] = [(n, "x", None) for n in range(50_000)]
    rows[place] = wrong
    for source in (rows, iter(rows)):
        with pytest.raises((psycopg.DataError, TypeError, psycopg.ProgrammingError), match=text.format(place)):
            await made.copy_records_to_table("t", records=source)
    assert content(table) == [] and await made.fetchval("SELECT 1") == 1
    await made.close()


async def test_the_servers_errors(session: Any, witness: psycopg.Connection[Any]) -> None:
    witness.execute("CREATE TABLE t (n int PRIMARY KEY, s varchar(3))")
    rows = [(n, "abc") for n in range(20_000)]
    with pytest.raises(errors.UniqueViolation) as raised:
        await session.copy_records_to_table("t", records=[*rows, (5, "a")])
    assert "COPY t, line 20001" in raised.value.diag.context
    with pytest.raises(errors.StringDataRightTruncation):
        await session.copy_records_to_table("t", records=[(1, "abcd"), *rows])
    with pytest.raises(errors.NotNullViolation):
        await session.copy_records_to_table("t", records=[*rows, (None, "a")])
    with pytest.raises((errors.CharacterNotInRepertoire, psycopg.DataError)):
        await session.copy_records_to_table("t", records=[(1, "a\0")])
    assert content(witness) == [] and await session.copy_records_to_table("t", records=rows) == "COPY 20000"


async def test_a_broken_source(session: Any, table: psycopg.Connection[Any]) -> None:
    def rows() -> Any:
        yield from ((n, "x" * 50, None) for n in range(20_000))
        raise LookupError("of the generator")

    with pytest.raises(LookupError, match="of the generator"):
        await session.copy_records_to_table("t", records=rows())
    for wrong in (5, None):
        with pytest.raises(TypeError):
            await session.copy_records_to_table("t", records=wrong)

    def used() -> Any:
        yield 1, "a", None
        pg_faces.bare(session).fetchval("SELECT 1")

    with pytest.raises(psycopg.ProgrammingError, match="code that it calls itself"):
        await session.copy_records_to_table("t", records=used())
    assert content(table) == [] and await session.fetchval("SELECT 1") == 1


async def test_inside_a_transaction(session: Any, table: psycopg.Connection[Any]) -> None:
    async with session.transaction():
        await session.copy_records_to_table("t", records=[(1, "a", None)])
        assert session.in_transaction and content(table) == []
        with pytest.raises(psycopg.DataError):
            async with session.transaction():
                await session.copy_records_to_table("t", records=[(2, 5, None)])
        await session.copy_records_to_table("t", records=[(3, "c", None)])
    assert [row[0] for row in content(table)] == [1, 3]


async def test_timeout(session: Any, table: psycopg.Connection[Any]) -> None:
    table.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END'")
    table.execute("CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()")
    with pytest.raises(barewire.pg.StatementTimeout):
        await session.copy_records_to_table("t", records=[(n, "a", None) for n in range(1000)], timeout=0.3)
    assert content(table) == []
    assert await session.copy_records_to_table("t", records=[(1, "a", None)], timeout=20) == "COPY 1"


async def test_asynchronous_rows(pg_schema: str, table: psycopg.Connection[Any]) -> None:
    made = await barewire.pg.connect_async(pg_schema)

    async def rows(stop: int) -> Any:
        for number in range(25_000):
            if number == stop:
                raise LookupError("of the generator")
            yield number, "x", None

    assert await made.copy_records_to_table("t", records=rows(-1)) == "COPY 25000"
    with pytest.raises(LookupError):
        await made.copy_records_to_table("t", records=rows(24_000))

    async def wrong() -> Any:
        for number in range(25_000):
            yield number, "x" if number != 20_001 else 5, None

    with pytest.raises(psycopg.DataError, match=r"row 20001\b"):
        await made.copy_records_to_table("t", records=wrong())
    assert len(content(table)) == 25_000
    await made.close()


@pytest.mark.parametrize("size", [4_000, 7_000, 10_000, 20_000, 50_000])
async def test_what_fills_the_socket_goes_on_when_it_has_emptied(session: Any, table: psycopg.Connection[Any], size: int) -> None:
    # Some of it stands in libpq's buffer when the socket is full, and goes out at the end of the loop's turn.
    for _ in range(5):
        async with session.transaction():
            await session.copy_records_to_table("t", records=[(n, "x", None) for n in range(size)], timeout=20)
    assert await session.fetchval("SELECT count(*) FROM t") == 5 * size


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_other_encodings(face: str, postgres_conninfo: str, encoding: str) -> None:
    name = f"encoded_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_conninfo, autocommit=True) as maker:
        maker.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        made = await pg_faces.connect(face, postgres_conninfo, dbname=name, options="-c client_encoding=LATIN1")
        await made.execute("CREATE TABLE t (s text)")
        await made.copy_records_to_table("t", records=[("ä",), ("x",)])
        assert await made.fetch("SELECT s FROM t ORDER BY s") == [("x",), ("ä",)]
        assert await made.fetchval("SELECT count(*) FROM t WHERE s = $1", "ä") == 1
        assert await made.fetchval("SELECT octet_length(s) FROM t WHERE s = 'ä'") == (1 if encoding == "LATIN1" else 2)
        if encoding == "LATIN1":
            with pytest.raises(errors.UntranslatableCharacter):
                await made.copy_records_to_table("t", records=[("€",)])
        assert await made.fetchval("SELECT count(*) FROM t") == 2
        await made.close()
    finally:
        with psycopg.connect(postgres_conninfo, autocommit=True) as maker:
            maker.execute(f"DROP DATABASE {name} WITH (FORCE)")


FLAT = """
import resource, sys
import barewire.pg
with barewire.pg.connect(sys.argv[1], libpq=sys.argv[2]) as connection:
    def load(count):
        return connection.copy_records_to_table("t", records=((n, "x" * 200, None) for n in range(count)))
    load(1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert load(300_000) == "COPY 300000"
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_is_flat(libpq: str, pg_schema: str, table: psycopg.Connection[Any]) -> None:
    done = subprocess.run([sys.executable, "-c", FLAT, pg_schema, libpq], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 6000, "KiB for 60 MB of rows"
