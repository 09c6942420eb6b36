# PgCodec without a server: values there and back, and what is refused with which words.
from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from decimal import Decimal

import psycopg
import pytest
from psycopg.types.json import Json, Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from barewire._core import PgCodec

BOOL, BYTEA, CHAR, INT8, INT2, INT4, TEXT, OID, XID8 = 16, 17, 18, 20, 21, 23, 25, 26, 5069
FLOAT4, FLOAT8, NUMERIC, MONEY, UUID, JSON, JSONB = 700, 701, 1700, 790, 2950, 114, 3802
DATE, TIME, TIMETZ, TIMESTAMP, TIMESTAMPTZ, INTERVAL = 1082, 1083, 1266, 1114, 1184, 1186
INET, CIDR, MACADDR, MACADDR8, BIT, POINT, BOX, PATH, LINE, CIRCLE = 869, 650, 829, 774, 1560, 600, 603, 602, 628, 718
TID, PG_LSN, INT4_ARRAY, TEXT_ARRAY, POINT_ARRAY, JSONB_ARRAY = 27, 3220, 1007, 1009, 1017, 3807
INT4RANGE, INT4MULTIRANGE, REGCLASS, REGCLASS_ARRAY = 3904, 4451, 2205, 2210
UTC = dt.timezone.utc


@pytest.fixture
def codec() -> PgCodec:
    return PgCodec()


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (BOOL, True),
        (BOOL, False),
        *[(INT2, number) for number in (0, -1, 2**15 - 1, -(2**15))],
        *[(INT4, number) for number in (0, -1, 2**31 - 1, -(2**31))],
        *[(INT8, number) for number in (0, -1, 2**63 - 1, -(2**63), 2**30, 2**60)],
        *[(OID, number) for number in (0, 2**32 - 1)],
        *[(XID8, number) for number in (0, 2**64 - 1)],
        (FLOAT4, 1.5),
        (FLOAT8, float("inf")),
        (TEXT, ""),
        (TEXT, "a"),
        (TEXT, "häß日本😀"),
        (CHAR, "x"),
        (CHAR, ""),
        (BYTEA, b""),
        (BYTEA, b"\0\xff"),
        (MONEY, Decimal("-92233720368547758.08")),
        (UUID, uuid.UUID(int=2**128 - 1)),
        (JSON, {"a": [1, None, True, 1.5, "x"]}),
        (JSONB, [1, {"b": {}}]),
        (DATE, dt.date.min),
        (DATE, dt.date.max),
        (TIME, dt.time(23, 59, 59, 999999)),
        (TIMETZ, dt.time(1, 2, 3, 4, dt.timezone(dt.timedelta(hours=-5, minutes=-30)))),
        (TIMESTAMP, dt.datetime.min),
        (TIMESTAMP, dt.datetime.max),
        (TIMESTAMPTZ, dt.datetime(1999, 12, 31, 23, 59, 59, 999999, UTC)),
        (INTERVAL, dt.timedelta(days=-3, seconds=7, microseconds=11)),
        (INET, ipaddress.ip_address("255.255.255.255")),
        (INET, ipaddress.ip_interface("10.1.2.3/8")),
        (INET, ipaddress.ip_address("::1")),
        (INET, ipaddress.ip_interface("fe80::1/64")),
        (CIDR, ipaddress.ip_network("10.0.0.0/8")),
        (CIDR, ipaddress.ip_network("::/0")),
        (MACADDR, "08:00:2b:01:02:03"),
        (MACADDR8, "08:00:2b:ff:fe:01:02:03"),
        (BIT, "1"),
        (BIT, "101010101"),
        (BIT, ""),
        (POINT, "(1,-2.5)"),
        (BOX, "(3,4),(1,2)"),
        (PATH, "[(1,2),(3,4)]"),
        (PATH, "((1,2))"),
        (LINE, "{1,2,3}"),
        (CIRCLE, "<(1e+15,1e-05),0.0001>"),
        (TID, "(4294967295,65535)"),
        (PG_LSN, "FFFFFFFF/FFFFFFFF"),
        (INT4_ARRAY, []),
        (INT4_ARRAY, [1, None, -1]),
        (INT4_ARRAY, [[[1, 2]], [[3, 4]]]),
        (TEXT_ARRAY, ["", None, "NULL"]),
        (POINT_ARRAY, ["(1,2)", "(3,4)"]),
        (INT4RANGE, Range(1, 5)),
        (INT4RANGE, Range(None, 5, "()")),
        (INT4RANGE, Range(empty=True)),
        (INT4MULTIRANGE, Multirange([Range(1, 2), Range(5, None)])),
        (INT4MULTIRANGE, Multirange()),
    ],
)
def test_a_value_comes_back_as_it_was(codec: PgCodec, oid: int, value: object) -> None:
    decoded = codec.decode(oid, codec.encode(oid, value))
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize("value", ["0", "-0", "0.00", "1E+5", "-123.4500", "1E-16383", "9" * 76, "9" * 77, "1" * 500 + "." + "7" * 300])
def test_numeric_keeps_value_and_scale(codec: PgCodec, value: str) -> None:
    number = Decimal(value)
    decoded = codec.decode(NUMERIC, codec.encode(NUMERIC, number))
    assert decoded == number
    assert decoded.as_tuple().exponent == min(number.as_tuple().exponent, 0)
    # Built in place or not, it must be as good as any other Decimal.
    assert hash(decoded) == hash(number) and str(decoded + 0) == str(Decimal(str(decoded)) + 0)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numeric_specials(codec: PgCodec, value: str) -> None:
    assert str(codec.decode(NUMERIC, codec.encode(NUMERIC, Decimal(value)))) == value


def test_numeric_takes_ints_and_floats(codec: PgCodec) -> None:
    for number in (0, -1, 2**64, -(2**200), 10**5000):
        assert codec.decode(NUMERIC, codec.encode(NUMERIC, number)) == number
    for number in (0.1, -1e300, 5e-324):
        assert codec.decode(NUMERIC, codec.encode(NUMERIC, number)) == Decimal(repr(number))


def test_json_takes_wrappers_text_and_functions(codec: PgCodec) -> None:
    assert codec.encode(JSON, '{"a" : 1}') == b'{"a" : 1}'
    assert codec.encode(JSONB, Jsonb({"a": 1})) == b'\x01{"a": 1}'
    assert codec.encode(JSON, Json(1, dumps=lambda value: f"[{value}]")) == b"[1]"
    codec.json_dumps = lambda value: b"0"
    codec.json_loads = lambda data: ("loaded", data)
    assert codec.encode(JSON, {"a": 1}) == b"0"
    assert codec.decode(JSONB, b"\x01{}") == ("loaded", b"{}")


def test_none_is_null(codec: PgCodec) -> None:
    assert codec.encode(INT4, None) is None
    assert codec.decode(INT4, None) is None


@pytest.mark.parametrize(
    ("oid", "value", "message"),
    [
        (BOOL, 1, "expected bool for bool, got int"),
        (INT4, "1", "expected int for int4, got str"),
        (INT4, 1.0, "expected int for int4, got float"),
        (FLOAT8, "1", "expected float for float8, got str"),
        (TEXT, 1, "expected str for text, got int"),
        (TEXT, b"a", "expected str for text, got bytes"),
        (TEXT, "a\0b", "PostgreSQL text fields cannot contain NUL (0x00) bytes"),
        (BYTEA, "a", "expected bytes for bytea, got str"),
        (NUMERIC, "1", "expected Decimal or int for numeric, got str"),
        (NUMERIC, Decimal("1E-16384"), "value for numeric: decimal too precise for PostgreSQL numeric binary format (maximum 16383 digits after the decimal point)"),
        (MONEY, Decimal("0.001"), "value for money: more than two digits behind the point"),
        (DATE, "2020-01-01", "expected date for date, got str"),
        (TIMESTAMP, dt.datetime(2020, 1, 1, tzinfo=UTC), "expected naive datetime for timestamp, got datetime.datetime"),
        (TIMETZ, dt.time(1), "expected time with a fixed offset from UTC for timetz, got datetime.time"),
        (INTERVAL, 5, "expected timedelta for interval, got int"),
        (UUID, "nonsense", "value for uuid: no UUID"),
        (INET, "1.2.3.4.5", "value for inet: no address"),
        (MACADDR, "08:00:2b:01:02", "value for macaddr: not spelled as the server spells it"),
        (BIT, "102", "value for bit: not spelled as the server spells it"),
        (POINT, "(1,2,3)", "value for point: another number of coordinates"),
        (POINT, "(1,2", "value for point: not spelled as the server spells it"),
        (INT4_ARRAY, 5, "expected list for int4[], got int"),
        (INT4_ARRAY, "{1}", "expected list for int4[], got str"),
        (INT4_ARRAY, [1, "x"], "[1]: expected int for int4, got str"),
        (INT4_ARRAY, [[1, 2], [3, "x"]], "[1][1]: expected int for int4, got str"),
        (INT4_ARRAY, [[1], [2, 3]], "[1]: value for int4[]: nested lists have inconsistent depths or lengths"),
        (INT4_ARRAY, [1, [2]], "[1]: value for int4[]: nested lists have inconsistent depths or lengths"),
        (INT4RANGE, Range("a", 5), "lower: expected int for int4, got str"),
        (INT4RANGE, 5, "expected Range for int4range, got int"),
        (INT4MULTIRANGE, [Range(1, 2), Range(3, "x")], "[1].upper: expected int for int4, got str"),
        (REGCLASS, 1.5, "expected str for regclass, got float"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(codec: PgCodec, oid: int, value: object, message: str) -> None:
    with pytest.raises(psycopg.DataError) as caught:
        codec.encode(oid, value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("oid", "value"),
    [(INT2, 2**15), (INT4, 2**31), (INT8, 2**63), (OID, -1), (OID, 2**32), (XID8, 2**64), (FLOAT4, 1e39), (FLOAT4, 1e-60), (FLOAT8, 10**400), (MONEY, 10**18)],
)
def test_a_number_out_of_range_is_refused_as_the_server_does(codec: PgCodec, oid: int, value: object) -> None:
    with pytest.raises(psycopg.errors.NumericValueOutOfRange, match="out of range"):
        codec.encode(oid, value)


def test_types_without_binary_form_travel_as_text(codec: PgCodec) -> None:
    assert codec.describe(REGCLASS) == ("regclass", False, 0)
    assert codec.describe(REGCLASS_ARRAY) == ("regclass[]", False, REGCLASS)
    assert codec.encode(REGCLASS, "pg_class") == b"pg_class"
    assert codec.encode(REGCLASS, 1259) == b"1259"
    assert codec.encode(REGCLASS_ARRAY, ["a", None, 'b"\\c', [5]]) == b'{"a",NULL,"b\\"\\\\c",{"5"}}'
    assert codec.decode(REGCLASS, b"pg_class", True) == "pg_class"
    assert codec.decode(REGCLASS, b"\0\0\0\1") == b"\0\0\0\1"
