# Fields that are cut, lengthened or altered: an error or a value, never a crash; a cut one of fixed layout is an error.
from __future__ import annotations

import json
import os
import random
import struct

import psycopg
import pytest
from pg_random_values import ALL
from psycopg import postgres

from barewire._core import PgCodec

ROUNDS = 2_000 if os.environ.get("BAREWIRE_LONG") == "1" else 60
ALLOWED = (psycopg.DataError, UnicodeDecodeError, json.JSONDecodeError)
# Any number of bytes is a value of these, or the lengths inside cannot be told from data.
OF_ANY_LENGTH = {"text", "varchar", "bpchar", "name", '"char"', "bytea", "json", "jsonb", "mood", "citext", "ltree"}
HSTORE, MOOD, INNER, OUTER, RANGE, MULTIRANGE, CITEXT, LTREE, POSITIVE, TINY = range(20000, 20010)
ADDED = [
    (HSTORE, "hstore", "b"), (MOOD, "mood", "e"), (CITEXT, "citext", "b"), (LTREE, "ltree", "b"), (POSITIVE, "positive", "d", False, 23),
    (TINY, "tiny", "d", False, POSITIVE), (INNER, "inner_pair", "c", False, 0, [("a", 23), ("b", 1009)]),
    (OUTER, "outer_pair", "c", False, 0, [("p", INNER), ("m", MOOD), ("d", 1700), ("ts", 1185)]),
    (RANGE, "float_range", "r", False, 701), (MULTIRANGE, "float_multirange", "m", False, RANGE),
]
ADDED += [(row[0] + 100, "_" + row[1], "b", True, row[0]) for row in ADDED]
OIDS = {row[1]: row[0] for row in ADDED}


def oid_of(name: str) -> int:
    base = name.removesuffix("[]").strip('"')
    if base in OIDS:
        return OIDS[base] + (100 if name.endswith("[]") else 0)
    info = postgres.types['"char"' if base == "char" else base]
    return info.array_oid if name.endswith("[]") else info.oid


@pytest.fixture
def codec() -> PgCodec:
    made = PgCodec()
    made.add_types(ADDED)
    return made


def attempt(codec: PgCodec, oid: int, data: bytes) -> bool:
    try:
        codec.decode(oid, data)
    except ALLOWED:
        return False
    return True


@pytest.mark.parametrize("name", sorted(ALL))
def test_cut_and_lengthened_fields(codec: PgCodec, name: str) -> None:
    r = random.Random("cut " + name)
    oid = oid_of(name)
    for _ in range(ROUNDS):
        value = ALL[name](r)
        if value is None:
            continue
        data = codec.encode(oid, value)
        for size in range(len(data)):
            if attempt(codec, oid, data[:size]):
                assert name in OF_ANY_LENGTH, (data, size)
        for tail in (b"\0", b"\xff\xff\xff\xff", data[-1:], data):
            if attempt(codec, oid, data + tail):
                assert name in OF_ANY_LENGTH or tail == b"", (data, tail)


@pytest.mark.parametrize("name", sorted(ALL))
def test_altered_fields(codec: PgCodec, name: str) -> None:
    r = random.Random("altered " + name)
    oid = oid_of(name)
    for _ in range(ROUNDS):
        value = ALL[name](r)
        if value is None:
            continue
        data = bytearray(codec.encode(oid, value))
        for _ in range(40):
            altered = bytearray(data)
            for _ in range(r.randrange(1, 4)):
                if altered:
                    altered[r.randrange(len(altered))] = r.choice([0, 1, 0x7F, 0x80, 0xFF, r.randrange(256)])
            attempt(codec, oid, bytes(altered))


@pytest.mark.parametrize("name", sorted(ALL))
def test_random_bytes(codec: PgCodec, name: str) -> None:
    r = random.Random("random " + name)
    for _ in range(ROUNDS * 10):
        attempt(codec, oid_of(name), r.randbytes(r.randrange(40)))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("int4[]", struct.pack("!iiI6i", 3, 0, 23, 2**30, 1, 2**30, 1, 2**30, 1)),  # more elements than memory
        ("int4[]", struct.pack("!iiIii", 1, 0, 23, 2**31 - 1, 1)),
        ("int4[]", struct.pack("!iiIii", 1, 0, 23, -1, 1)),
        ("int4[]", struct.pack("!iiI", 7, 0, 23)),
        ("int4[]", struct.pack("!iiI", -1, 0, 23)),
        ("hstore", struct.pack("!i", 2**31 - 1)),
        ("hstore", struct.pack("!ii", 1, -1)),
        ("inner_pair", struct.pack("!i", 2**31 - 1)),
        ("int4multirange", struct.pack("!i", 2**31 - 1)),
        ("int4multirange", struct.pack("!ii", 1, -1)),
        ("polygon", struct.pack("!i", 2**31 - 1)),
        ("path", struct.pack("!bi", 1, -1)),
        ("varbit", struct.pack("!i", 2**31 - 1)),
        ("varbit", struct.pack("!i", -1)),
        ("numeric", struct.pack("!HhHH", 1, 0, 0x1234, 0)),
        ("numeric", struct.pack("!HhHHH", 1, 0, 0, 0, 10000)),
        ("numeric", struct.pack("!HhHH", 0, 0, 0, 0x4000)),
        ("inet", struct.pack("!BBBBI", 2, 33, 0, 4, 0)),
        ("cidr", struct.pack("!BBBBI", 2, 8, 1, 4, 1)),
        ("jsonb", b"\x02{}"),
        ("time", struct.pack("!q", -1)),
        ("timetz", struct.pack("!qi", 0, 86400)),
    ],
)
def test_lengths_and_words_that_lie(codec: PgCodec, name: str, data: bytes) -> None:
    with pytest.raises(psycopg.DataError, match="malformed binary value of"):
        codec.decode(oid_of(name), data)


def test_nesting_without_end(codec: PgCodec) -> None:
    # A record in a record in a record ...
    data = struct.pack("!i", 0)
    for _ in range(100_000):
        data = struct.pack("!iIi", 1, 2249, len(data)) + data if len(data) < 200_000 else data
    with pytest.raises(RecursionError):
        codec.decode(2249, data)
    nested: object = 1
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(psycopg.DataError, match="more than six dimensions"):
        codec.encode(1007, nested)


def test_streams_of_rows_that_are_broken(codec: PgCodec) -> None:
    stream = codec.encode_rows([23, 25], ["a", "b"], [(1, "x"), (None, None), (3, "ß")])
    for size in range(len(stream)):
        with pytest.raises(psycopg.DataError):
            codec.decode_rows([23, 25], ["a", "b"], stream[:size])
    with pytest.raises(psycopg.DataError):
        codec.decode_rows([23, 25], ["a", "b"], stream + b"\0")
    with pytest.raises(psycopg.DataError):
        codec.decode_rows([23], ["a"], stream)
    r = random.Random(7)
    for _ in range(ROUNDS * 50):
        altered = bytearray(stream)
        altered[r.randrange(len(altered))] = r.randrange(256)
        try:
            codec.decode_rows([23, 25], ["a", "b"], bytes(altered))
        except ALLOWED:
            pass
