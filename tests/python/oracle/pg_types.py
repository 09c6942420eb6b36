# Types of one database for the comparisons with PostgreSQL: user-defined ones, the catalogue rows, psycopg's view of them.
from __future__ import annotations

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.hstore import register_hstore
from psycopg.types.multirange import MultirangeInfo, register_multirange
from psycopg.types.range import RangeInfo, register_range
from psycopg.types import TypeInfo

from barewire._core import PgCodec

SETUP = """
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE EXTENSION ltree;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy ''"\\ ß');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN tiny AS positive CHECK (VALUE < 100);
CREATE TYPE inner_pair AS (a int, b text[]);
CREATE TYPE outer_pair AS (p inner_pair, m mood, d numeric, ts timestamptz[]);
CREATE TYPE float_range AS RANGE (subtype = float8);
"""
NAMES = ["hstore", "citext", "ltree", "lquery", "mood", "positive", "tiny", "inner_pair", "outer_pair", "float_range", "float_multirange"]

# Everything below the named types, so that nothing is missing.
CATALOGUE = """
SELECT t.oid, t.typname, t.typtype::text, t.typsubscript = 'array_subscript_handler'::regproc,
       coalesce(nullif(t.typelem, 0), nullif(t.typbasetype, 0), r.rngsubtype, m.rngtypid, 0)::int8,
       (SELECT array_agg(a.attname ORDER BY attnum) FROM pg_attribute a WHERE a.attrelid = nullif(t.typrelid, 0) AND attnum > 0 AND NOT attisdropped),
       (SELECT array_agg(a.atttypid::int8 ORDER BY attnum) FROM pg_attribute a WHERE a.attrelid = nullif(t.typrelid, 0) AND attnum > 0 AND NOT attisdropped),
       t.typarray::int8
FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
WHERE t.oid = ANY(%s) OR t.typname = ANY(%s)
"""


def type_rows(connection: psycopg.Connection, oids: list[int], names: list[str] = []) -> list[tuple]:
    found = []
    for oid, name, variety, is_array, element, columns, column_oids, array_oid in connection.execute(CATALOGUE, (oids, names)).fetchall():
        pairs = list(zip(columns, column_oids)) if variety == "c" and columns else None
        found.append((oid, name, variety, is_array, element, pairs))
        if array_oid and names:
            found += type_rows(connection, [array_oid])
    return found


def learn(codec: PgCodec, connection: psycopg.Connection, names: list[str]) -> dict[str, int]:
    """Adds types by name, with their arrays and whatever they refer to; their oids by name."""
    rows = type_rows(connection, [], names)
    while missing := codec.missing_types(rows):
        rows += type_rows(connection, missing)
    codec.add_types(rows)
    return {row[1]: row[0] for row in rows}


class Peer:
    """psycopg's binary loaders and dumpers, with the same types registered."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        for name in ("hstore", "citext", "ltree"):
            TypeInfo.fetch(connection, name).register(connection)
        register_hstore(TypeInfo.fetch(connection, "hstore"), connection)
        register_range(RangeInfo.fetch(connection, "float_range"), connection)
        register_multirange(MultirangeInfo.fetch(connection, "float_multirange"), connection)
        for name in ("inner_pair", "outer_pair"):
            register_composite(CompositeInfo.fetch(connection, name), connection)
        self.transformer = Transformer(connection)

    def load(self, oid: int, data: bytes | None) -> object:
        return None if data is None else self.transformer.get_loader(oid, pq.Format.BINARY).load(data)


def binary_fields(connection: psycopg.Connection, query: str) -> list[list[bytes | None]]:
    """The cells of a result in binary format, untouched."""
    result = connection.pgconn.exec_params(query.encode(), None, result_format=1)
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.error_from_result(result, encoding="utf-8")
    return [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]


def field_oids(connection: psycopg.Connection, query: str) -> list[int]:
    result = connection.pgconn.exec_params(query.encode(), None, result_format=1)
    return [result.ftype(column) for column in range(result.nfields)]


def copy_out(connection: psycopg.Connection, query: str) -> bytes:
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
        return b"".join(bytes(block) for block in copy)


def copy_in(connection: psycopg.Connection, table: str, data: bytes) -> None:
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(data)
