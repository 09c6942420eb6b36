# All parameters of a statement in one go (every type has a binary form) and one by one (one has none): the same values arrive,
# and errors name the same place.
from __future__ import annotations

import datetime
import decimal
from typing import Any

import psycopg
import pytest

TYPES = ("int2", "int4", "int8", "float8", "bool", "text", "numeric", "bytea", "jsonb", "int4[]", "date")
VALUES = [
    (1, 2, 3, 1.5, True, "a", decimal.Decimal("1.50"), b"\0x", {"a": [1]}, [1, None], datetime.date(2020, 2, 29)),
    (None,) * len(TYPES),
    (-1, None, 2**62, None, False, "", None, b"", None, [], None),
    (0, -(2**31), None, float("inf"), None, "ä\u20ac\U0001f600" * 500, decimal.Decimal("-1e30"), None, [], None, None),
]


def query(textual: bool) -> str:
    columns = [f"${place}::{kind}" for place, kind in enumerate(TYPES, 1)]
    # tsvector has no binary form here, so it travels as text.
    columns.append(f"${len(TYPES) + 1}::{'tsvector' if textual else 'text'}::text")
    return "SELECT " + ", ".join(columns)


async def test_both_ways_give_the_same_values(session: Any) -> None:
    for values in VALUES:
        for last, seen in (("'a'", "'a'"), (None, None)):
            assert await session.fetchrow(query(True), *values, last) == (*values, seen)
            assert await session.fetchrow(query(False), *values, last) == (*values, last)


@pytest.mark.parametrize("textual", [True, False])
async def test_both_ways_name_the_place(session: Any, textual: bool) -> None:
    good = list(VALUES[0])
    for place, (wrong, expected) in {0: (2**15, r"\$1: "), 5: (5, r"\$6: "), 9: ([1, "x"], r"\$10\[1\]: ")}.items():
        values = [*good[:place], wrong, *good[place + 1 :]]
        with pytest.raises(psycopg.DataError, match=f"^{expected}"):
            await session.fetchrow(query(textual), *values, None)
        assert await session.fetchrow(query(textual), *good, None) == (*good, None)


async def test_rows_of_executemany(session: Any) -> None:
    await session.execute("CREATE TABLE whole (a int, b text); CREATE TABLE single (a int, b text, c tsvector)")
    rows = [(i if i % 3 else None, None if i % 5 == 0 else f"row {i}", f"'w{i}'") for i in range(300)]
    await session.executemany("INSERT INTO whole VALUES ($1, $2)", [row[:2] for row in rows])
    await session.executemany("INSERT INTO single VALUES ($1, $2, $3)", rows)
    assert await session.fetch("SELECT a, b, c::text FROM single") == rows
    assert await session.fetch("SELECT a, b FROM whole") == [row[:2] for row in rows]
