# JSON of json and jsonb: our own parser and writer give what the json module gives, errors included.
from __future__ import annotations

import enum
import json
import math
import os
import random
from collections import OrderedDict
from typing import Any

import pytest

from barewire._core import PgCodec

JSON, JSONB = 114, 3802
ROUNDS = 20_000 if os.environ.get("BAREWIRE_LONG") == "1" else 1_000


@pytest.fixture
def codec() -> PgCodec:
    return PgCodec()


def outcome(function: Any, *arguments: Any) -> tuple[str, Any]:
    try:
        return "value", function(*arguments)
    except Exception as error:
        return type(error).__name__, str(error)


def same(left: Any, right: Any) -> bool:
    """Equal with equal classes all the way down, NaN and the order of keys included."""
    return repr(left) == repr(right)


DOCUMENTS = [
    "null", "true", "false", "0", "-0", "1", "-1", "123456789012345678", "1234567890123456789", "-9223372036854775808", "9" * 30, "9" * 600,
    "0.0", "-0.0", "0.1", "1.5e3", "1E+2", "1e-7", "123456789.123456789", "9007199254740993", "9007199254740993.0", "1e22", "1e23", "1e308", "1e309",
    "-1e309", "5e-324", "1e-400", "2.2250738585072011e-308", "0.30000000000000004", "1" + "0" * 400 + ".5", "0." + "0" * 400 + "1", "1e99999999999",
    '""', '"a"', '"abcdefg"', '"abcdefgh"', '"abcdefghi"', '"\\""', '"\\\\"', '"\\/\\b\\f\\n\\r\\t"', '"\\u0041\\u00e9\\u65e5"', '"\\ud83d\\ude00"',
    '"\\ud83d"', '"\\ude00"', '"\\ud83d\\u0041"', '"ä日本😀"', '"a\\u0000b"', '"\u2028"', "[]", "{}", "[[]]", "[{}]", "[1]", "[1,2,3]", " [ 1 , 2 ] ",
    '{"a":1}', '{"a":1,"a":2}', '{"a":1,"b":{"a":[{}]},"c":null}', ' { "a" : 1 , "b" : 2 } ', '{"":""}', '{"\\u0061":1}', "\n[\t1\r]\n",
    "NaN", "Infinity", "-Infinity", "[NaN]",
    # Not JSON.
    "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', "{1:2}", '{"a" 1}', '"', '"a', '"\\', '"\\x"', '"\\u12"',
    '"\\u12G4"', '"\t"', '"a\nb"', "tru", "nul", "fals", "truex", "01", "-", "+1", ".5", "1.", "1.e5", "1e", "1e+", "--1", "1 2", "[1 2]", "'a'", "nan", "\ufeff1",
    "[" * 150 + "]" * 150, "[" * 1000 + "]" * 1000, '{"a":' * 300 + "1" + "}" * 300,
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_documents_and_everything_cut_from_them(codec: PgCodec, document: str) -> None:
    data = document.encode("utf-8", "surrogatepass")
    step = max(1, len(data) // 50)
    for size in [*range(0, len(data), step), len(data)]:
        ours, theirs = outcome(codec.decode, JSON, data[:size]), outcome(json.loads, data[:size])
        assert ours[0] == theirs[0] and same(ours[1], theirs[1]), (data[:size], ours, theirs)


def test_bytes_that_are_no_utf8(codec: PgCodec) -> None:
    for data in (b'"\xff"', b'{"\xc3":1}', b'"\xed\xa0\x80"', b'"\xe6\x97"', b"\x00\x00"):
        ours, theirs = outcome(codec.decode, JSON, data), outcome(json.loads, data)
        assert ours[0] == theirs[0] and same(ours[1], theirs[1])


def test_too_deep_is_the_error_of_json(codec: PgCodec) -> None:
    with pytest.raises(RecursionError):
        codec.decode(JSON, b"[" * 100_000 + b"]" * 100_000)
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(RecursionError):
        codec.encode(JSON, nested)


def random_value(r: random.Random, depth: int = 4) -> Any:
    kind = r.randrange(9 if depth else 6)
    if kind == 0:
        return r.choice([None, True, False])
    if kind == 1:
        return r.choice([1, -1]) * (r.getrandbits(r.choice([4, 30, 63, 64, 200])))
    if kind == 2:
        return r.choice([r.random(), r.uniform(-1e20, 1e20), float(r.randrange(1000)), r.random() * 10.0 ** r.randrange(-320, 308)])
    if kind < 6:
        return "".join(chr(r.choice([r.randrange(128), r.randrange(0x20, 0xD800), r.randrange(0xE000, 0x110000)])) for _ in range(r.randrange(12)))
    if kind == 6:
        return [random_value(r, depth - 1) for _ in range(r.randrange(5))]
    if kind == 7:
        return tuple(random_value(r, depth - 1) for _ in range(r.randrange(3)))
    return {random_value(r, 0) if r.random() < 0.02 else r.choice("abcdef") * r.randrange(30): random_value(r, depth - 1) for _ in range(r.randrange(6))}


def test_random_values_are_written_and_read_as_json_does(codec: PgCodec) -> None:
    r = random.Random(3)
    for _ in range(ROUNDS):
        value = random_value(r)
        if value is None or isinstance(value, (str, bytes)):
            continue
        text = json.dumps(value).encode()
        assert codec.encode(JSON, value) == text
        assert same(codec.decode(JSON, text), json.loads(text))
        for spelled in (json.dumps(value, ensure_ascii=False), json.dumps(value, indent=1), json.dumps(value, separators=(",", ":"))):
            assert same(codec.decode(JSONB, b"\1" + spelled.encode()), json.loads(spelled))


class Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, [math.nan], 10**30, {1: 2}, {None: 1, True: 2, 1.5: 3}, OrderedDict(b=1, a=2), {"a": Number.ONE}, [OrderedDict(a=())], "\ud800 in a list".split(),
     {"a": object()}, [b"bytes"], {("a",): 1}, {"x": {1, 2}}, 1.0, 1e16, 1e-5, -0.0, True, [[[]]], {"\ud83d\ude00": "\x7f\x80"}],
    ids=lambda value: repr(value).partition(" at 0x")[0],  # the same in every process
)
def test_what_is_unusual_is_written_as_json_does(codec: PgCodec, value: Any) -> None:
    ours, theirs = outcome(codec.encode, JSON, value), outcome(json.dumps, value)
    if theirs[0] == "value":
        theirs = ("value", theirs[1].encode())
    assert ours == theirs


def test_a_cycle_is_the_error_of_json(codec: PgCodec) -> None:
    cycle: dict[str, Any] = {}
    cycle["self"] = [cycle]
    with pytest.raises(ValueError, match="Circular reference detected"):
        codec.encode(JSONB, cycle)


def test_keys_are_shared_between_documents(codec: PgCodec) -> None:
    decoded = [codec.decode(JSON, b'{"some_key": {"some_key": 1}}') for _ in range(20)]
    keys = {id(key) for document in decoded[10:] for key in (*document, *document["some_key"])}
    assert len(keys) == 1
