# PgCodec against psycopg's binary dumpers: the same bytes for the same value and type. No server.
from __future__ import annotations

import os
import random

import psycopg
import pytest
from pg_random_values import ALL
from psycopg import postgres, pq
from psycopg.adapt import PyFormat, Transformer

from barewire._core import PgCodec

ROUNDS = 10_000 if os.environ.get("BAREWIRE_LONG") == "1" else 300
# Types whose dumper psycopg finds by their oid. Its Json dumpers take any value, as ours; bytes of floats differ in NaN only.
NAMES = [
    "bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "text", "varchar", "name", "bytea", "uuid", "date", "interval",
    "inet", "cidr", "json", "jsonb", "timestamp", "timestamptz", "time", "timetz", "int4range", "int8range", "numrange", "daterange",
    "tsrange", "tstzrange", "int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes(name: str) -> None:
    if name in ("int4multirange", "int8multirange") and psycopg.__version__ < "3.3":
        pytest.skip("psycopg 3.2 gives the bounds the size of each value, not of the type")
    codec, transformer = PgCodec(), Transformer()
    oid = postgres.types[name].oid
    r = random.Random("dumpers of " + name)
    compared = 0
    for _ in range(ROUNDS):
        value = ALL[name](r)
        if value is None:
            continue
        if "num" in name and ("Infinity" in repr(value)):
            continue  # psycopg leaves out the scale that the server gives the infinities
        if name in ("json", "jsonb"):
            value = psycopg.types.json.Jsonb(value) if name == "jsonb" else psycopg.types.json.Json(value)
            dumper = transformer.get_dumper(value, PyFormat.BINARY)
        elif name in ("timestamptz", "timestamp", "time", "timetz") or name.endswith("range"):
            # Which of the two, or of several, psycopg tells by the value.
            subclass = {"int4": "Int4", "int8": "Int8", "num": "Numeric", "date": "Date", "ts": "Timestamp", "tstz": "Timestamptz"}
            for prefix, start in subclass.items():
                if name == prefix + "range":
                    made = getattr(psycopg.types.range, start + "Range")
                    value = made(value.lower, value.upper, value.bounds or "[)", value.isempty)
                elif name == prefix + "multirange":
                    value = getattr(psycopg.types.multirange, start + "Multirange")(value)
            dumper = transformer.get_dumper(value, PyFormat.BINARY)
        else:
            dumper = postgres.adapters.get_dumper_by_oid(oid, pq.Format.BINARY)(type(value), transformer)
        theirs = dumper.dump(value)
        assert codec.encode(oid, value) == bytes(theirs), value
        compared += 1
    assert compared > ROUNDS // 2
