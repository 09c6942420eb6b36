# COPY both ways and insert_many_unsafe, on both faces and both libpqs: contents, errors, nothing half-done.
from __future__ import annotations

import datetime
import decimal
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

import barewire.pg


@pytest.fixture
async def table(session: Any) -> Any:
    await session.execute("CREATE TABLE t (id serial PRIMARY KEY, n int, s text, d numeric, m timestamptz)")
    return session


MOMENT = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)


def rows(count: int) -> Iterator[tuple[Any, ...]]:
    return ((n, None if n % 7 == 0 else f"s{n}", decimal.Decimal(n) / 4, MOMENT) for n in range(count))


COLUMNS = ["n", "s", "d", "m"]


async def contents(session: Any) -> list[tuple[Any, ...]]:
    return await session.fetch("SELECT n, s, d, m FROM t ORDER BY id", rows=tuple)


async def test_records(table: Any) -> None:
    assert await table.copy_records_to_table("t", records=rows(10000), columns=COLUMNS) == "COPY 10000"
    assert await contents(table) == list(rows(10000))
    await table.execute("TRUNCATE t")
    dicts = [dict(zip(COLUMNS, row), further=1) for row in rows(100)]
    assert await table.copy_records_to_table("t", records=dicts, columns=COLUMNS) == "COPY 100"
    assert await table.copy_records_to_table("t", records=[list(row) for row in rows(3)], columns=COLUMNS) == "COPY 3"
    assert await table.copy_records_to_table("t", records=[], columns=COLUMNS) == "COPY 0"
    assert await contents(table) == [*rows(100), *rows(3)]


async def test_records_of_all_columns(session: Any) -> None:
    await session.execute('CREATE TABLE "T t" (a int, gone int, b int[], c int GENERATED ALWAYS AS (a * 2) STORED)')
    await session.execute('ALTER TABLE "T t" DROP COLUMN gone')
    await session.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    await session.execute('ALTER TABLE "T t" ADD COLUMN e mood')
    assert await session.copy_records_to_table("T t", records=[(1, [1, 2], "ok"), (2, None, None)]) == "COPY 2"
    assert await session.fetch('SELECT * FROM "T t" ORDER BY a') == [(1, [1, 2], 2, "ok"), (2, None, 4, None)]


async def test_records_that_do_not_fit(table: Any) -> None:
    async def refused(records: Any, error: type[BaseException], text: str, **options: Any) -> None:
        with pytest.raises(error, match=text):
            await table.copy_records_to_table("t", records=records, **{"columns": ["n", "s"], **options})
        assert await contents(table) == []

    await refused([(1, "a"), (2, 5)], psycopg.DataError, "row 1, column s: expected str for text, got int")
    await refused([(1, "a"), (2,)], psycopg.DataError, "row 1")
    await refused([{"n": 1}], psycopg.DataError, "row 0, column s")
    await refused([(1, "a"), 5], (psycopg.DataError, TypeError), "row 1")
    await refused([], errors.UndefinedColumn, 'column "x"', columns=["x"])
    await refused([], psycopg.ProgrammingError, "columns must not be empty", columns=[])
    await refused([], TypeError, "not a str", columns="n")
    await refused([(2**31, "a")], errors.NumericValueOutOfRange, "row 0, column n")

    def broken() -> Iterator[tuple[int, str]]:
        yield from ((n, "x" * 100) for n in range(20000))
        raise LookupError("of the generator")

    await refused(broken(), LookupError, "of the generator")
    await table.execute("ALTER TABLE t ADD CHECK (n < 15000)")
    await refused(((n, None) for n in range(20000)), errors.CheckViolation, "violates check constraint")
    with pytest.raises(errors.UndefinedTable):
        await table.copy_records_to_table("nowhere", records=[])


async def test_a_failed_copy_inside_a_transaction(table: Any) -> None:
    with pytest.raises(psycopg.DataError):
        async with table.transaction():
            await table.execute("INSERT INTO t (n) VALUES (1)")
            await table.copy_records_to_table("t", records=[("x",)], columns=["n"])
    assert await contents(table) == []
    async with table.transaction():
        await table.copy_records_to_table("t", records=[(1,)], columns=["n"])
        raise psycopg.Rollback
    assert await contents(table) == []


async def test_timeout_of_a_copy(table: Any) -> None:
    with pytest.raises(TimeoutError):
        await table.copy_to("COPY (SELECT pg_sleep(20)) TO STDOUT", timeout=0.1)
    assert await table.fetchval("SELECT 1") == 1


async def test_raw_blocks_both_ways(table: Any) -> None:
    await table.copy_records_to_table("t", records=rows(5000), columns=COLUMNS)
    expected = await contents(table)
    for options in ("(FORMAT csv)", "(FORMAT binary)", ""):
        output = io.BytesIO()
        assert await table.copy_to(f"COPY t TO STDOUT {options}", output) == "COPY 5000"
        blocks: list[bytes] = []
        assert await table.copy_to(f"-- a comment\ncopy t to stdout {options}", blocks.append) == "COPY 5000"
        data = output.getvalue()
        assert b"".join(blocks) == data == await table.copy_to(f"COPY t TO STDOUT {options}")
        sources = [data, memoryview(data), io.BytesIO(data), [data[:1000], b"", data[1000:]], iter([data])]
        for source in sources:
            await table.execute("TRUNCATE t")
            assert await table.copy_from(f"COPY t FROM STDIN {options}", source) == "COPY 5000"
            assert await contents(table) == expected


async def test_rows_of_a_query(session: Any) -> None:
    query = "SELECT n AS a, 's' || n AS b, NULL::int AS c, now() AS d FROM generate_series(1, 3000) n"
    found = await session.copy_to(query)
    assert [row[:3] for row in found] == [(n, f"s{n}", None) for n in range(1, 3001)]
    assert (await session.copy_to("SELECT 1 AS a;", rows=dict)) == [{"a": 1}]
    assert (await session.copy_to("SELECT 1 AS a", rows=barewire.pg.Record))[0]["a"] == 1
    assert await session.copy_to("SELECT 1 WHERE false") == []
    raw: list[bytes] = []
    assert await session.copy_to("SELECT 1", raw.append) == "COPY 1" and b"".join(raw).startswith(b"PGCOPY\n")
    with pytest.raises(errors.DivisionByZero):
        await session.copy_to("SELECT 10 / (5 - n) FROM generate_series(1, 10) n")
    with pytest.raises(psycopg.NotSupportedError, match="without a binary form"):
        await session.copy_to("SELECT 'a'::tsvector")
    with pytest.raises(psycopg.ProgrammingError, match="rows are decoded only from a query"):
        await session.copy_to("COPY (SELECT 1) TO STDOUT", rows=dict)
    assert await session.fetchval("SELECT 1") == 1


async def test_wrong_sources_and_sinks(table: Any) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="COPY ... FROM STDIN"):
        await table.copy_from("INSERT INTO t VALUES (1)", b"")
    with pytest.raises(TypeError):
        await table.copy_from("COPY t FROM STDIN", "text")
    with pytest.raises(TypeError):
        await table.copy_from("COPY t FROM STDIN", ["text"])
    with pytest.raises(TypeError, match="output must have a write method"):
        await table.copy_to("COPY t TO STDOUT", 5)
    with pytest.raises(errors.BadCopyFileFormat):
        await table.copy_from("COPY t FROM STDIN (FORMAT binary)", b"nonsense")

    def full(block: bytes) -> None:
        raise OSError("no space")

    await table.copy_records_to_table("t", records=rows(5000), columns=COLUMNS)
    with pytest.raises(OSError, match="no space"):
        await table.copy_to("COPY t TO STDOUT", full)
    assert await table.fetchval("SELECT count(*) FROM t") == 5000


# --- insert_many_unsafe --------------------------------------------------------------------------------------------------
async def test_unsafe(table: Any) -> None:
    dicts = [dict(zip(COLUMNS, row)) for row in rows(25000)]
    assert await table.insert_many_unsafe("t", dicts) == 25000
    assert await contents(table) == list(rows(25000))
    await table.execute("TRUNCATE t RESTART IDENTITY")
    assert await table.insert_many_unsafe("t", iter(dicts), returning="id") == list(range(1, 25001))
    assert await contents(table) == list(rows(25000))
    assert await table.insert_many_unsafe("t", rows(2), columns=COLUMNS, returning=["n", "id"]) == [(0, 25001), (1, 25002)]
    assert await table.insert_many_unsafe("t", [], returning="id") == [] and await table.insert_many_unsafe("t", []) == 0


async def test_unsafe_is_all_or_nothing(table: Any) -> None:
    for returning in (None, "id"):
        wrong = [*({"n": n, "s": "a"} for n in range(15000)), {"n": 1, "s": 5}]
        with pytest.raises(psycopg.DataError, match="row 15000, column s: expected str for text, got int"):
            await table.insert_many_unsafe("t", wrong, returning=returning)
        with pytest.raises(psycopg.DataError, match="row 1, column s"):
            await table.insert_many_unsafe("t", [{"n": 1, "s": "a"}, {"n": 1}], returning=returning)
        await table.execute("ALTER TABLE t ADD CONSTRAINT c CHECK (n < 15000)")
        with pytest.raises(errors.CheckViolation):
            await table.insert_many_unsafe("t", ({"n": n} for n in range(20000)), returning=returning)
        await table.execute("ALTER TABLE t DROP CONSTRAINT c")
        assert await contents(table) == []


async def test_unsafe_into_a_table_with_arrays(session: Any) -> None:
    await session.execute("CREATE TABLE a (id serial, n int[], s text)")
    given = [{"n": [1, 2], "s": "x"}, {"n": [], "s": None}, {"n": None, "s": "y"}]
    assert await session.insert_many_unsafe("a", given) == 3
    assert await session.insert_many_unsafe("a", given, returning="id") == [4, 5, 6]
    assert await session.insert_many_unsafe("a", [([3],)], columns=["n"], returning=["id", "n"]) == [(7, [3])]
    assert await session.fetch("SELECT n, s FROM a ORDER BY id LIMIT 3") == [(r["n"], r["s"]) for r in given]


async def test_unsafe_of_types_of_the_database(session: Any) -> None:
    await session.execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (value < 10)")
    await session.execute("CREATE TABLE e (id serial, m mood, d small)")
    given = [{"m": "ok", "d": 1}, {"m": None, "d": None}]
    assert await session.insert_many_unsafe("e", given, returning="id") == [1, 2]
    assert await session.insert_many_unsafe("e", given) == 2
    with pytest.raises(errors.CheckViolation):
        await session.insert_many_unsafe("e", [{"m": "ok", "d": 11}], returning="id")


async def test_asynchronous_iterables(pg_schema: str) -> None:
    async def made(count: int) -> AsyncIterator[dict[str, int]]:
        for n in range(count):
            yield {"n": n}

    async with await barewire.pg.connect_async(pg_schema) as connection:
        await connection.execute("CREATE TABLE t (id serial, n int)")
        assert await connection.copy_records_to_table("t", records=made(25000), columns=["n"]) == "COPY 25000"
        assert await connection.insert_many_unsafe("t", made(12000)) == 12000
        assert await connection.insert_many_unsafe("t", made(3), returning="n") == [0, 1, 2]

        async def blocks() -> AsyncIterator[bytes]:
            for n in range(10):
                yield b"%d\n" % n

        assert await connection.copy_from("COPY t (n) FROM STDIN", blocks()) == "COPY 10"
        assert await connection.fetchval("SELECT count(*) FROM t") == 37013
