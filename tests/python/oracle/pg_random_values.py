# Random Python values of every PostgreSQL type, in the form in which the server gives them back unchanged.
from __future__ import annotations

import datetime as dt
import ipaddress
import math
import random
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

UTC = dt.timezone.utc
Generator = Callable[[random.Random], Any]


def integer(bits: int, unsigned: bool = False) -> Generator:
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    edges = [low, low + 1, 0, 1, high - 1, high]

    def make(r: random.Random) -> int:
        return r.choice(edges) if r.random() < 0.1 else max(low, min(high, r.randint(low, high) >> r.randrange(bits)))

    return make


def float8(r: random.Random) -> float:
    if r.random() < 0.1:
        return r.choice([0.0, -0.0, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 1.0, -1.5])
    return struct.unpack("!d", struct.pack("!Q", r.getrandbits(64)))[0] if r.random() < 0.5 else r.uniform(-1e6, 1e6)


def comparable_float8(r: random.Random) -> float:
    return next(value for value in iter(lambda: float8(r), None) if value == value)


def float4(r: random.Random) -> float:
    return struct.unpack("!f", struct.pack("!I", r.getrandbits(32)))[0]


def numeric(r: random.Random) -> Decimal:
    if r.random() < 0.1:
        return r.choice([Decimal(text) for text in ("0", "0.0000", "NaN", "Infinity", "-Infinity", "1E-30", "10000", "9999", "-0.0001", "99999999999999999999", "1E+40")])
    digits = str(r.getrandbits(r.randrange(1, 300)))
    scale = r.randrange(0, 60)
    return Decimal(("-" if r.random() < 0.5 else "") + digits + f"E-{scale}")


def finite_numeric(r: random.Random) -> Decimal:
    return next(value for value in iter(lambda: numeric(r), None) if value.is_finite())


def money(r: random.Random) -> Decimal:
    return Decimal(integer(64)(r)).scaleb(-2)


ALPHABET = "abcxyzAZ019 _-,;{}[]()<>\"'\\/\t\néßжי日本語𝒳😀\u0301"


def text(r: random.Random) -> str:
    return "".join(r.choices(ALPHABET, k=r.choice([0, 1, 2, 5, 20, 200])))


def byte_char(r: random.Random) -> str:
    return chr(r.randrange(1, 128))


def data(r: random.Random) -> bytes:
    return r.randbytes(r.choice([0, 1, 7, 100]))


def json_value(r: random.Random, depth: int = 3) -> Any:
    kind = r.randrange(8 if depth else 5)
    if kind == 0:
        return r.choice([None, True, False])
    if kind == 1:
        return integer(r.choice([8, 16, 40, 70]))(r)
    if kind == 2:
        return r.uniform(-1e3, 1e3)
    if kind in (3, 4):
        return text(r)
    if kind == 5:
        return [json_value(r, depth - 1) for _ in range(r.randrange(4))]
    return {text(r): json_value(r, depth - 1) for _ in range(r.randrange(5))}


def document(r: random.Random) -> Any:
    """JSON that is no text on top: a str stands for JSON that is spelled already."""
    return next(value for value in iter(lambda: json_value(r), ...) if not isinstance(value, str))


def date(r: random.Random) -> dt.date:
    return r.choice([dt.date.min, dt.date.max, dt.date(2000, 2, 29), dt.date(1900, 2, 28)]) if r.random() < 0.05 else dt.date.fromordinal(r.randrange(1, dt.date.max.toordinal() + 1))


def inner_date(r: random.Random) -> dt.date:
    return dt.date.fromordinal(r.randrange(400, dt.date.max.toordinal() - 400))


def time(r: random.Random) -> dt.time:
    return r.choice([dt.time.min, dt.time.max]) if r.random() < 0.05 else dt.time(r.randrange(24), r.randrange(60), r.randrange(60), r.randrange(10**6))


def timetz(r: random.Random) -> dt.time:
    # The server allows less than 16 hours to either side.
    return time(r).replace(tzinfo=dt.timezone(dt.timedelta(seconds=r.randrange(-57599, 57600))))


def timestamp(r: random.Random) -> dt.datetime:
    if r.random() < 0.05:
        return r.choice([dt.datetime.min, dt.datetime.max, dt.datetime(2000, 1, 1), dt.datetime(1999, 12, 31, 23, 59, 59, 999999)])
    return dt.datetime.combine(date(r), time(r))


def timestamptz(r: random.Random) -> dt.datetime:
    return timestamp(r).replace(tzinfo=UTC)


def interval(r: random.Random) -> dt.timedelta:
    if r.random() < 0.05:
        return r.choice([dt.timedelta(), dt.timedelta(days=-1, microseconds=1), dt.timedelta(999999999), dt.timedelta(-999999999)])
    return dt.timedelta(r.randrange(-10**6, 10**6), r.randrange(86400), r.randrange(10**6))


def inet(r: random.Random) -> Any:
    if r.random() < 0.5:
        number, bits, classes = r.getrandbits(32), 32, (ipaddress.IPv4Address, ipaddress.IPv4Interface)
    else:
        number, bits, classes = r.getrandbits(128), 128, (ipaddress.IPv6Address, ipaddress.IPv6Interface)
    prefix = r.randrange(bits)  # a whole prefix is an address
    return classes[0](number) if r.random() < 0.5 else classes[1]((number, prefix))


def cidr(r: random.Random) -> Any:
    bits, network = r.choice([(32, ipaddress.IPv4Network), (128, ipaddress.IPv6Network)])
    prefix = r.randrange(bits + 1)
    return network((r.getrandbits(bits) >> (bits - prefix) << (bits - prefix), prefix))


def mac(size: int) -> Generator:
    return lambda r: r.randbytes(size).hex(":")


def bits(r: random.Random) -> str:
    return "".join(r.choices("01", k=r.choice([0, 1, 7, 8, 9, 64, 65])))


def spelled(number: float) -> str:
    """As the server spells a float8."""
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    text, first = "".join(map(str, digits)), len(digits) - 1 + exponent
    if number == 0:
        body = "0"
    elif first < -4 or first >= 15:
        body = text[0] + ("." + text[1:] if len(text) > 1 else "") + f"e{first:+03d}"
    elif first < 0:
        body = "0." + "0" * (-first - 1) + text
    else:
        text = text.ljust(first + 1, "0")
        body = text[: first + 1] + ("." + text[first + 1 :] if len(text) > first + 1 else "")
    return ("-" if math.copysign(1, number) < 0 else "") + body


def coordinate(r: random.Random) -> float:
    return r.choice([0.0, -0.0, 1e15, 123456789012345.0, 1e-5, 1e-4, 1e300, -2.5, 1.7976931348623157e308]) if r.random() < 0.3 else r.uniform(-1e3, 1e3)


def pair(r: random.Random) -> str:
    return f"({spelled(coordinate(r))},{spelled(coordinate(r))})"


def box(r: random.Random) -> str:
    (x1, x2), (y1, y2) = sorted([coordinate(r), coordinate(r)]), sorted([coordinate(r), coordinate(r)])
    return f"({spelled(x2 + 0.0)},{spelled(y2 + 0.0)}),({spelled(x1)},{spelled(y1)})"


def path(r: random.Random) -> str:
    points = ",".join(pair(r) for _ in range(r.randrange(1, 5)))
    return f"[{points}]" if r.random() < 0.5 else f"({points})"


def polygon(r: random.Random) -> str:
    return "(" + ",".join(pair(r) for _ in range(r.randrange(1, 5))) + ")"


def line(r: random.Random) -> str:
    return "{%s,%s,%s}" % (spelled(r.uniform(1, 9)), spelled(coordinate(r)), spelled(coordinate(r)))


def circle(r: random.Random) -> str:
    return f"<{pair(r)},{spelled(abs(coordinate(r)))}>"


def range_of(bound: Generator, discrete: bool) -> Generator:
    def make(r: random.Random) -> Range:
        if r.random() < 0.1:
            return Range(empty=True)
        low, high = sorted([bound(r), bound(r)])
        if low == high:
            return Range(empty=True) if discrete else Range(low, low, "[]")
        lower = None if r.random() < 0.1 else low
        upper = None if r.random() < 0.1 else high
        bounds = "[)" if discrete else r.choice(["[)", "(]", "[]", "()"])
        return Range(lower, upper, bounds)

    return make


def multirange_of(bound: Generator) -> Generator:
    def make(r: random.Random) -> Multirange:
        ends = sorted({bound(r) for _ in range(2 * r.randrange(4))})
        return Multirange(Range(low, high) for low, high in zip(ends[::2], ends[1::2]))

    return make


def array_of(element: Generator, nulls: bool = True) -> Generator:
    def make(r: random.Random) -> list:
        lengths = [r.randrange(1, 4) for _ in range(r.choice([0, 1, 1, 1, 2, 3]))]

        def build(depth: int) -> Any:
            if depth == len(lengths):
                return None if nulls and r.random() < 0.2 else element(r)
            return [build(depth + 1) for _ in range(lengths[depth])]

        return build(0) if lengths else []

    return make


def hstore(r: random.Random) -> dict:
    return {text(r): None if r.random() < 0.2 else text(r) for _ in range(r.randrange(5))}


def ltree(r: random.Random) -> str:
    return ".".join("".join(r.choices("abcXYZ019_", k=r.randrange(1, 9))) for _ in range(r.randrange(1, 5)))


def mood(r: random.Random) -> str:
    return r.choice(["sad", "ok", "happy '\"\\ ß"])


def inner_pair(r: random.Random) -> tuple:
    return (r.choice([None, integer(32)(r)]), r.choice([None, array_of(text)(r)]))


def outer_pair(r: random.Random) -> tuple:
    return (r.choice([None, inner_pair(r)]), r.choice([None, mood(r)]), numeric(r), array_of(timestamptz)(r))


# Name of the SQL type -> generator.
SCALARS: dict[str, Generator] = {
    "bool": lambda r: r.random() < 0.5, "int2": integer(16), "int4": integer(32), "int8": integer(64), "oid": integer(32, True),
    "xid": integer(32, True), "cid": integer(32, True), "xid8": integer(64, True), "float4": float4, "float8": float8,
    "numeric": numeric, "money": money, "text": text, "varchar": text, "bpchar": lambda r: text(r) + "x", "name": lambda r: text(r)[:12],
    "citext": text, '"char"': byte_char, "bytea": data, "json": document, "jsonb": document, "uuid": lambda r: uuid.UUID(int=r.getrandbits(128)),
    "date": date, "time": time, "timetz": timetz, "timestamp": timestamp, "timestamptz": timestamptz, "interval": interval,
    "inet": inet, "cidr": cidr, "macaddr": mac(6), "macaddr8": mac(8), "varbit": bits, "point": pair, "lseg": lambda r: f"[{pair(r)},{pair(r)}]",
    "box": box, "path": path, "polygon": polygon, "line": line, "circle": circle,
    "tid": lambda r: f"({integer(32, True)(r)},{integer(16, True)(r)})", "pg_lsn": lambda r: f"{r.getrandbits(32) >> r.randrange(32):X}/{r.getrandbits(32):X}",
    "ltree": ltree, "mood": mood, "positive": lambda r: r.randrange(1, 2**31), "tiny": lambda r: r.randrange(1, 100),
}
CONTAINERS: dict[str, Generator] = {
    "hstore": hstore, "inner_pair": inner_pair, "outer_pair": outer_pair,
    "int4range": range_of(lambda r: r.randrange(-(2**31), 2**31 - 1), True), "int8range": range_of(lambda r: r.randrange(-(2**63), 2**63 - 1), True),
    "daterange": range_of(inner_date, True), "numrange": range_of(finite_numeric, False), "tsrange": range_of(timestamp, False),
    "tstzrange": range_of(timestamptz, False), "float_range": range_of(comparable_float8, False),
    "int4multirange": multirange_of(lambda r: r.randrange(-100, 100) * 3), "int8multirange": multirange_of(lambda r: r.randrange(-(2**60), 2**60) * 3),
    "datemultirange": multirange_of(inner_date), "nummultirange": multirange_of(finite_numeric),
    "tsmultirange": multirange_of(timestamp), "tstzmultirange": multirange_of(timestamptz), "float_multirange": multirange_of(lambda r: r.uniform(-9, 9)),
}
ARRAYS: dict[str, Generator] = {
    f"{name}[]": array_of(generator) for name, generator in {**SCALARS, **CONTAINERS}.items()
    if name not in ("json", "jsonb")
}
# In arrays of JSON a list would be a dimension.
ARRAYS |= {f"{name}[]": array_of(lambda r: {"value": json_value(r, 1)}) for name in ("json", "jsonb")}
ALL: dict[str, Generator] = {**SCALARS, **CONTAINERS, **ARRAYS}


def same(left: Any, right: Any) -> bool:
    """Equal values of equal classes, with NaN equal to itself, the sign of zero told apart, and scales of Decimals kept."""
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack("!d", left) == struct.pack("!d", right) or (left != left and right != right)
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        # numeric knows no negative zero and no positive exponent.
        if left.is_finite() and right.is_finite():
            return left == right and min(left.as_tuple().exponent, 0) == min(right.as_tuple().exponent, 0)
        return str(left) == str(right)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return isinstance(left, list) == isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, Range) and isinstance(right, Range):
        return left.bounds == right.bounds and same(left.lower, right.lower) and same(left.upper, right.upper)
    if isinstance(left, Multirange) and isinstance(right, Multirange):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, (dt.datetime, dt.time)) and type(left) is type(right):
        return left == right and left.utcoffset() == right.utcoffset() and left.fold == right.fold
    return type(left) is type(right) and left == right
