# Rows: tuples, dicts, Records, and large results that are decoded while they arrive, on both libpqs.
from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from typing import Any

import psycopg
import pytest

import barewire.pg

LARGE = "SELECT n, n * 1.5::float8 AS f, 'row ' || n AS s, mod(n, 2) = 0 AS b, n::numeric / 4 AS q FROM generate_series(1, $1::int) n"


async def test_record(session: Any) -> None:
    record = await session.fetchrow("SELECT 1 AS a, 'x' AS b, NULL::int AS c", rows=barewire.pg.Record)
    assert isinstance(record, barewire.pg.Record) and len(record) == 3
    assert (record["a"], record[1], record[-1], record.get("b"), record.get("none", 5)) == (1, "x", None, "x", 5)
    assert list(record) == [1, "x", None] and tuple(record) == (1, "x", None) and record[:2] == (1, "x")
    assert list(record.keys()) == ["a", "b", "c"] and list(record.values()) == [1, "x", None]
    assert dict(record.items()) == {"a": 1, "b": "x", "c": None} and dict(record) == {"a": 1, "b": "x", "c": None}
    assert "a" in record and "none" not in record
    assert record == await session.fetchrow("SELECT 1 AS a, 'x' AS b, NULL::int AS c", rows=barewire.pg.Record)
    assert record == (1, "x", None) and record != (1, "x", 2) and hash(record) == hash((1, "x", None))
    for wrong, error in (("none", KeyError), (3, IndexError), (1.5, TypeError)):
        with pytest.raises(error):
            record[wrong]
    assert "a=1" in repr(record) and "b='x'" in repr(record)


async def test_names_that_are_not_unique(session: Any) -> None:
    query = "SELECT 1 AS a, 2 AS a, 3"
    assert await session.fetchrow(query) == (1, 2, 3)
    assert await session.fetchrow(query, rows=dict) == {"a": 2, "?column?": 3}
    record = await session.fetchrow(query, rows=barewire.pg.Record)
    assert tuple(record) == (1, 2, 3) and record["?column?"] == 3
    assert await session.fetchrow('SELECT 1 AS "ä €", 2 AS "keys"', rows=dict) == {"ä €": 1, "keys": 2}


async def test_many_columns(session: Any) -> None:
    row = await session.fetchrow("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1600)), rows=dict)
    assert row == {f"c{n}": n for n in range(1600)}


@pytest.mark.parametrize("count", [0, 1, 512, 513, 12_000])
async def test_large_results_equal_psycopgs(session: Any, witness: psycopg.Connection[Any], count: int) -> None:
    expected = witness.execute(LARGE.replace("$1", "%s"), [count]).fetchall()
    for rows in (tuple, dict, barewire.pg.Record):  # what is known of a statement changes how its rows are taken
        found = await session.fetch(LARGE, count, rows=rows)
        assert all(type(row) is rows for row in found)
        if rows is dict:
            assert all(list(row) == ["n", "f", "s", "b", "q"] for row in found)
            found = [tuple(row.values()) for row in found]
        assert [tuple(row) for row in found] == expected


async def test_wide_values(session: Any) -> None:
    query = "SELECT repeat(chr(97 + n), 100000 * n) AS t, decode(repeat('ff', 100000 * n), 'hex') AS b FROM generate_series(0, 9) n"
    for _ in range(2):
        found = await session.fetch(query)
        assert [(len(t), len(b)) for t, b in found] == [(100_000 * n, 100_000 * n) for n in range(10)]
        assert found[9][0] == "j" * 900_000 and found[9][1] == b"\xff" * 900_000


async def test_an_error_behind_many_rows(session: Any) -> None:
    query = "SELECT 1 / (10000 - n) FROM generate_series(1, 30000) n"
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await session.fetch(query)
        assert await session.fetchval("SELECT 1") == 1
    async with session.transaction():
        await session.fetchval("SELECT 1")
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with session.transaction():
                await session.fetch(query)
        assert await session.fetchval("SELECT 2") == 2


async def test_first_row_of_many(session: Any) -> None:
    for _ in range(3):
        assert await session.fetchrow("SELECT n, 'x' FROM generate_series(1, 20000) n") == (1, "x")
        assert await session.fetchval("SELECT n FROM generate_series(7, 20000) n") == 7
        assert await session.execute("SELECT n FROM generate_series(1, 20000) n") == "SELECT 20000"


async def test_large_results_beside_others(pg_schema: str, libpq: str) -> None:
    made = await barewire.pg.connect_async(pg_schema, libpq=libpq)
    sizes = [8_000, 1, 600, 0, 8_000, 5]
    for _ in range(2):
        found = await asyncio.gather(*(made.fetch(LARGE, size) for size in sizes))
        assert [len(each) for each in found] == sizes
        assert all(row[2] == f"row {row[0]}" for each in found for row in each)
    await made.close()


async def test_rows_are_left_to_the_collector_only_if_they_must(session: Any) -> None:
    atoms = await session.fetch("SELECT n, 'x' FROM generate_series(1, 100) n")
    lists = await session.fetch("SELECT ARRAY[n] FROM generate_series(1, 100) n")
    assert not any(gc.is_tracked(row) for row in atoms) and all(gc.is_tracked(row) for row in lists)
    assert gc.isenabled()


MEMORY = """
import resource, sys
import barewire.pg
with barewire.pg.connect(sys.argv[1], libpq=sys.argv[2]) as connection:
    query = "SELECT repeat('x', 100) FROM generate_series(1, $1::int)"
    connection.fetch(query, 1000)
    connection.fetch(query, 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = connection.fetch(query, 300_000)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, connection.libpq_version)
"""


def test_memory_while_they_arrive(pg_schema: str, libpq: str) -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY, pg_schema, libpq], capture_output=True, text=True, check=True)
    grown, version = (int(word) for word in done.stdout.split())
    # 300,000 rows are about 62 MB as Python objects; libpq's whole result would be 40 MB more.
    assert grown < (85_000 if version >= 170000 else 130_000)
