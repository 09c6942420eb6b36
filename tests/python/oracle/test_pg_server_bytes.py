# PgCodec against the server itself: what it sends is decoded, what we send it stores, byte for byte.
from __future__ import annotations

import os
import random
from collections.abc import Iterator

import psycopg
import pytest
from pg_random_values import ALL, same
from pg_types import NAMES, SETUP, Peer, binary_fields, copy_in, copy_out, field_oids, learn

from barewire._core import PgCodec

ROUNDS = 10_000 if os.environ.get("BAREWIRE_LONG") == "1" else 300
# What the server rewrites when it stores a value: the order of pairs, the spelling of a document, floats like 1e400.
REWRITTEN = {"hstore", "hstore[]", "jsonb", "jsonb[]"}


@pytest.fixture(scope="module")
def connection(postgres_conninfo: str) -> Iterator[psycopg.Connection]:
    name = "oracle_codec"
    with psycopg.connect(postgres_conninfo, autocommit=True) as administrator:
        administrator.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        administrator.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        parameters = psycopg.conninfo.conninfo_to_dict(postgres_conninfo) | {"dbname": name, "options": "-c timezone=UTC -c lc_monetary=C"}
        with psycopg.connect(**parameters, autocommit=True) as made:
            made.execute(SETUP)
            yield made
        administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def codec(connection: psycopg.Connection) -> PgCodec:
    made = PgCodec()
    learn(made, connection, NAMES)
    return made


@pytest.fixture(scope="module")
def peer(connection: psycopg.Connection) -> Peer:
    return Peer(connection)


def oid_of(connection: psycopg.Connection, name: str) -> int:
    return connection.execute("SELECT %s::regtype::oid::int8", (name,)).fetchone()[0]


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_server_stores_and_returns_the_very_bytes(connection: psycopg.Connection, codec: PgCodec, peer: Peer, name: str) -> None:
    r = random.Random(name)
    values = [ALL[name](r) for _ in range(ROUNDS)]
    rows = [(i, None if i % 97 == 5 else value) for i, value in enumerate(values)]
    oid = oid_of(connection, name)
    connection.execute("DROP TABLE IF EXISTS kept")
    connection.execute(f"CREATE TEMP TABLE kept (i int, v {name})")
    sent = codec.encode_rows([23, oid], ["i", "v"], rows)
    copy_in(connection, "kept", sent)
    returned = copy_out(connection, "SELECT i, v FROM kept ORDER BY i")
    if name not in REWRITTEN:
        assert returned == sent
    decoded = codec.decode_rows([23, oid], ["i", "v"], returned)
    assert len(decoded) == len(rows)
    for (_, ours), (_, original) in zip(decoded, rows):
        assert same(ours, original), (ours, original)
    # A result carries the same bytes as COPY; psycopg's loaders see in them what we see, where it has any.
    query = "SELECT v FROM kept ORDER BY i"
    (result_oid,) = field_oids(connection, query)
    for (field,), (_, ours) in zip(binary_fields(connection, query), decoded):
        assert same(codec.decode(result_oid, field), ours)
        theirs = peer.load(result_oid, field)
        assert agrees(theirs, ours), (theirs, ours)


def agrees(theirs: object, ours: object) -> bool:
    """Equal, but for what psycopg has no loader for and leaves as bytes, and for the names it gives composites."""
    if isinstance(theirs, bytes) and not isinstance(ours, bytes):
        return True
    if isinstance(theirs, (list, tuple)):
        return len(theirs) == len(ours) and all(map(agrees, theirs, ours))
    return same(theirs, ours)


TEXT_EQUALS = ["macaddr", "macaddr8", "bit(9)", "varbit", "point", "lseg", "box", "path", "polygon", "line", "circle", "tid", "pg_lsn"]
LITERALS = {
    "macaddr": ["08:00:2b:01:02:03", "ffffffffffff", "0800.2b01.0203"],
    "macaddr8": ["08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03"],
    "bit(9)": ["101010101", "000000000"],
    "varbit": ["", "1", "11111111", "000000001"],
    "point": ["(0,0)", "(-0,1e15)", "(Infinity,NaN)", "(1e-5,123456789012345678)", "(0.1,0.30000000000000004)"],
    "lseg": ["[(1,2),(3,4)]", "1,2,3,4"],
    "box": ["(1,2),(3,4)", "(1,4),(3,2)"],
    "path": ["[(1,2),(3,4)]", "((1,2),(3,4))", "(1,2)"],
    "polygon": ["((1,2),(3,4),(5,6))", "(1,2)"],
    "line": ["{1,2,3}", "{-1,0,1e-300}"],
    "circle": ["<(1,2),3>", "((1,2),3.5)"],
    "tid": ["(0,0)", "(4294967295,65535)"],
    "pg_lsn": ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"],
}


@pytest.mark.parametrize("name", TEXT_EQUALS)
def test_values_without_a_class_of_their_own_are_the_text_of_the_server(connection: psycopg.Connection, codec: PgCodec, name: str) -> None:
    for literal in LITERALS[name]:
        query = f"SELECT '{literal}'::{name}"
        ((data,),) = binary_fields(connection, query)
        (oid,) = field_oids(connection, query)
        (spelled,) = connection.execute(f"SELECT ('{literal}'::{name})::text").fetchone()
        assert codec.decode(oid, data) == spelled
        assert codec.encode(oid, spelled) == data
        # What the server reads, we read: the spelling it was given in means the same.
        assert codec.encode(oid, literal) == data


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'[3:4][-1:0]={{1,2},{3,NULL}}'::int[]", [[1, 2], [3, None]]),
        ("'{}'::int[]", []),
        ("'1 2 3'::int2vector", [1, 2, 3]),
        ("''::oidvector", []),
        ("ARRAY[1,2]::positive[]", [1, 2]),
        ("row(1, 'a'::text, NULL, row(2.50, true))", None),
        ("ROW(NULL, '{a,NULL}')::inner_pair", (None, ["a", None])),
        ("'1'::xid8", 1),
        ("'a=>1,b=>NULL'::hstore", {"a": "1", "b": None}),
        ("'$.a[*]'::jsonpath", '$."a"[*]'),
        ("'a.*'::lquery", "a.*"),
        ("'<a/>'::xml", "<a/>"),
        ("pg_sleep(0)", ""),
        ("'x'::unknown", "x"),
        ("'cursor'::refcursor", "cursor"),
    ],
)
def test_values_that_only_the_server_makes(connection: psycopg.Connection, codec: PgCodec, expression: str, expected: object) -> None:
    import decimal

    query = f"SELECT {expression}"
    ((data,),) = binary_fields(connection, query)
    (oid,) = field_oids(connection, query)
    assert codec.decode(oid, data) == ((1, "a", None, (decimal.Decimal("2.50"), True)) if expected is None else expected)


# unnest would take inner arrays apart, and composites when it stands in FROM.
@pytest.mark.parametrize("name", sorted(name for name in ALL if not name.endswith(("[]", "_pair"))))
def test_arrays_of_columns_are_what_unnest_takes(connection: psycopg.Connection, codec: PgCodec, name: str) -> None:
    r = random.Random("columns of " + name)
    values = [None if i % 7 == 3 else ALL[name](r) for i in range(40)]
    oid = oid_of(connection, name)
    (array,) = codec.encode_columns([oid], ["v"], [(value,) for value in values])
    array_oid = oid_of(connection, f"{name}[]")
    result = connection.pgconn.exec_params(
        b"SELECT v FROM unnest($1) WITH ORDINALITY AS t(v, i) ORDER BY i", [array], [array_oid], [1], 1
    )
    assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, result.error_message
    returned = [codec.decode(oid, result.get_value(i, 0)) for i in range(result.ntuples)]
    assert len(returned) == len(values) and all(map(same, returned, values))
