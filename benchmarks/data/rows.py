"""Rows for PostgreSQL. The native programs build the same ones."""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import uuid
from typing import Any

from .users import CITIES, user

USERS_COLUMNS = "id int PRIMARY KEY, name text, email text, age int, city text, score float8, active bool"

#: The row of the benchmark that asyncpg's figures come from (MagicStack's pgbench), with a counter in its first column.
SEVEN_COLUMNS = "a int, b int, c int, d text, e float8, f int, g text"


def user_row(index: int) -> tuple[Any, ...]:
    return (index, *user(index).values())


def seven(index: int) -> tuple[Any, ...]:
    return index, 11, 10, "TESTTESTTEST", 10.333, 12_341_234, "123412341234"


def seven_dict(index: int) -> dict[str, Any]:
    return dict(zip("abcdefg", seven(index)))


_START = datetime.datetime(2024, 1, 1)
_MIXED_COLUMNS = (
    "id int, big bigint, name text, city varchar, score float8, price numeric(12,4), active bool, born date, "
    "seen timestamptz, data jsonb"
)
_MIXED = """
    i, i * 1000003::bigint, 'User' || i, (ARRAY['{}'])[1 + i %% 5], i * 1.5, (i * 12345 %% 100000000)::numeric / 10000, i %% 2 = 0,
    date '1990-01-01' + i %% 10000, timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second',
    jsonb_build_object('id', i, 'tags', jsonb_build_array('new', 'paid'), 'total', i * 0.25)
""".replace("%%", "%").format("','".join(CITIES))

#: name: (columns of the table, the same as an expression over i)
FETCH_SHAPES = {
    "int1": ("c0 int", "i"),
    "int10": (", ".join(f"c{n} int" for n in range(10)), ", ".join(f"i + {n}" for n in range(10))),
    "text4": (", ".join(f"c{n} text" for n in range(4)), ", ".join(f"lpad((i * 4 + {n})::text, 12, 'x')" for n in range(4))),
    "mixed10": (_MIXED_COLUMNS, _MIXED),
}

#: PostgreSQL's type: an expression over i that makes a value of it.
TYPE_EXPRESSIONS = {
    "bool": "i % 2 = 0",
    "int2": "(i % 30000)::int2",
    "int4": "i",
    "int8": "i * 1000003::int8",
    "float4": "(i * 0.5)::float4",
    "float8": "i * 1.25::float8",
    "numeric": "(i * 12345 % 100000000)::numeric(12,4) / 10000",
    "text_12": "lpad(i::text, 12, 'x')",
    "text_200": "lpad(i::text, 200, 'x')",
    "bytea_100": "decode(lpad(i::text, 200, '0'), 'hex')",
    "uuid": "md5(i::text)::uuid",
    "date": "date '1990-01-01' + i % 20000",
    "time": "time '00:00' + (i % 86400) * interval '1 second 7 microseconds'",
    "timestamp": "timestamp '2024-01-01' + i * interval '1 second 7 microseconds'",
    "timestamptz": "timestamptz '2024-01-01 00:00+00' + i * interval '1 second 7 microseconds'",
    "interval": "(i % 400) * interval '1 day' + i * interval '1 microsecond'",
    "jsonb": "jsonb_build_object('id', i, 'name', 'User' || i, 'active', i % 2 = 0)",
    "inet": "('10.' || i / 65536 || '.' || i / 256 % 256 || '.' || i % 256)::inet",
    "int4range": "int4range(i, i + 10)",
    "int4_array_10": "ARRAY[" + ", ".join(f"i + {n}" for n in range(10)) + "]",
    "text_array_5": "ARRAY[" + ", ".join(f"'text{n}' || i" for n in range(5)) + "]",
}


def plain(value: Any) -> Any:
    """One form for what drivers give back differently: zones of equal instants, classes of ranges."""
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.timezone.utc).isoformat()
    if hasattr(value, "lower_inc") and hasattr(value, "isempty"):
        return value.lower, value.upper, value.lower_inc, value.upper_inc
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    assert isinstance(value, (type(None), bool, int, float, str, bytes, dict, decimal.Decimal, uuid.UUID, datetime.date,
                              datetime.time, datetime.timedelta, ipaddress.IPv4Address)), type(value)
    return value
