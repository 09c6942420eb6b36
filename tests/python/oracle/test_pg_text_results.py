# Fields in text format, as a result has them when one of its types has no binary form: the same values as in binary format.
from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import psycopg
import pytest
from pg_random_values import ALL, same
from pg_types import NAMES, SETUP, copy_in, learn

from barewire._core import PgCodec

ROUNDS = 3_000 if os.environ.get("BAREWIRE_LONG") == "1" else 100


@pytest.fixture(scope="module")
def connection(postgres_conninfo: str) -> Iterator[psycopg.Connection]:
    name = "oracle_text"
    with psycopg.connect(postgres_conninfo, autocommit=True) as administrator:
        administrator.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        administrator.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        parameters = psycopg.conninfo.conninfo_to_dict(postgres_conninfo) | {"dbname": name, "options": "-c timezone=UTC"}
        with psycopg.connect(**parameters, autocommit=True) as made:
            made.execute(SETUP)
            yield made
        administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


def both_formats(connection: psycopg.Connection, query: str) -> tuple[int, list[tuple[bytes | None, bytes | None]]]:
    text = connection.pgconn.exec_params(query.encode(), None, result_format=0)
    binary = connection.pgconn.exec_params(query.encode(), None, result_format=1)
    assert text.status == binary.status == psycopg.pq.ExecStatus.TUPLES_OK, text.error_message + binary.error_message
    return text.ftype(0), [(text.get_value(i, 0), binary.get_value(i, 0)) for i in range(text.ntuples)]


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_same_values(connection: psycopg.Connection, name: str) -> None:
    codec = PgCodec()
    learn(codec, connection, NAMES)
    r = random.Random("text of " + name)
    (oid,) = connection.execute("SELECT %s::regtype::oid::int8", (name,)).fetchone()
    connection.execute("DROP TABLE IF EXISTS kept")
    connection.execute(f"CREATE TEMP TABLE kept (v {name})")
    copy_in(connection, "kept", codec.encode_rows([oid], ["v"], [(ALL[name](r),) for _ in range(ROUNDS)]))
    result_oid, fields = both_formats(connection, "SELECT v FROM kept")
    for text, binary in fields:
        assert same(codec.decode(result_oid, text, True), codec.decode(result_oid, binary)), text


def test_lower_bounds_vectors_and_months(connection: psycopg.Connection) -> None:
    codec = PgCodec()
    for expression in ("'[3:4][-1:0]={{1,2},{3,NULL}}'::int[]", "'1 2 3'::int2vector", "''::oidvector", "'{}'::text[]",
                       "'1 year -2 mons 3 days -04:05:06.789'::interval", "'-1 mons +00:00:00.000001'::interval", "'0'::interval",
                       "'178956970 years'::interval - '178956970 years'::interval", "'-00:00:01'::interval"):
        oid, [(text, binary)] = both_formats(connection, f"SELECT {expression}")
        assert same(codec.decode(oid, text, True), codec.decode(oid, binary)), expression


def test_types_without_binary_form(connection: psycopg.Connection) -> None:
    codec = PgCodec()
    for expression, expected in [
        ("'pg_class'::regclass", "pg_class"), ("ARRAY['pg_class', NULL, 'pg_type']::regclass[]", ["pg_class", None, "pg_type"]),
        ("'a b'::tsvector", "'a' 'b'"), ("'a & b'::tsquery", "'a' & 'b'"), ("'10:20:10,15'::pg_snapshot", "10:20:10,15"),
        ("ARRAY[makeaclitem(0, current_user::regrole, 'SELECT', false)]", [f"=r/{connection.info.user}"]),
    ]:
        result = connection.pgconn.exec_params(f"SELECT {expression}".encode(), None, result_format=0)
        decoded = codec.decode(result.ftype(0), result.get_value(0, 0), True)
        assert decoded == expected


def test_the_zone_of_the_session(connection: psycopg.Connection) -> None:
    codec = PgCodec()
    codec.timezone = ZoneInfo("Europe/Berlin")
    with connection.transaction():
        connection.execute("SET LOCAL timezone = 'Europe/Berlin'")
        oid, [(text, binary)] = both_formats(connection, "SELECT '2020-07-01 12:00:00.5+00'::timestamptz")
    decoded = codec.decode(oid, text, True)
    assert decoded == codec.decode(oid, binary) == dt.datetime(2020, 7, 1, 12, 0, 0, 500000, dt.timezone.utc)
    assert decoded.tzinfo is codec.timezone


@pytest.mark.parametrize("name", ["int4[]", "int4range", "int4multirange", "interval", "hstore", "inner_pair", "xid8", "int2vector", "jsonb"])
def test_broken_text_is_an_error_or_a_value(connection: psycopg.Connection, name: str) -> None:
    codec = PgCodec()
    oids = learn(codec, connection, NAMES)
    (oid,) = connection.execute("SELECT %s::regtype::oid::int8", (name,)).fetchone()
    assert oid in oids.values() or codec.knows(oid)
    r = random.Random(name)
    for _ in range(ROUNDS * 20):
        data = "".join(r.choices('{}[](),"\\ =>-+:.0123456789aeNULmptydays', k=r.randrange(12))).encode()
        try:
            codec.decode(oid, data, True)
        except (psycopg.Error, ValueError):
            pass
