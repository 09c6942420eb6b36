# Types that a database adds: domains, enumerations with members, composites with factories, and what is missing.
from __future__ import annotations

import enum
from collections import namedtuple

import psycopg
import pytest

from barewire._core import PgCodec

INT4, TEXT, INT4_ARRAY = 23, 25, 1007


class Mood(enum.Enum):
    SAD = 1
    HAPPY = 2


class Pure(enum.Enum):
    sad = 1


class Mixed(str, enum.Enum):
    anything = "happy"


@pytest.fixture
def codec() -> PgCodec:
    return PgCodec()


def test_what_is_built_in(codec: PgCodec) -> None:
    assert codec.knows(INT4) and not codec.knows(99999)
    assert codec.describe(INT4_ARRAY) == ("int4[]", True, INT4)
    assert codec.describe(99999) is None
    # Built-in types are not described anew.
    codec.add_types([(INT4, "mine", "b")])
    assert codec.describe(INT4) == ("int4", True, 0)


def test_unknown_types_stay_bytes_and_take_text(codec: PgCodec) -> None:
    assert codec.decode(99999, b"\0\1") == b"\0\1"
    assert codec.encode(99999, "text") == b"text"
    with pytest.raises(psycopg.DataError, match="expected str for unknown type, got float"):
        codec.encode(99999, 1.5)


def test_enumerations(codec: PgCodec) -> None:
    codec.add_types([(100, "mood", "e"), (101, "_mood", "b", True, 100)])
    assert codec.decode(100, b"sad") == "sad"
    assert codec.encode(100, "sad") == codec.encode(100, Pure.sad) == b"sad"
    assert codec.encode(100, Mixed.anything) == b"happy"  # more of a str than of an Enum
    with pytest.raises(psycopg.DataError, match="expected str or Enum for mood, got int"):
        codec.encode(100, 1)
    codec.add_types([(100, "mood", "e", False, 0, None, None, {"sad": Mood.SAD, "happy": Mood.HAPPY})])
    assert codec.decode(101, codec.encode(101, [Mood.HAPPY, None, "sad"])) == [Mood.HAPPY, None, Mood.SAD]
    with pytest.raises(psycopg.DataError, match="bad member for enum mood: 'new'"):
        codec.decode(100, b"new")


def test_domains_are_their_base(codec: PgCodec) -> None:
    # In any order, and one over another.
    codec.add_types([(102, "small", "d", False, 101), (101, "positive", "d", False, INT4), (103, "_small", "b", True, 102)])
    assert codec.encode(102, 5) == b"\0\0\0\5"
    assert codec.decode(103, codec.encode(103, [1, None])) == [1, None]
    with pytest.raises(psycopg.DataError, match="expected int for small, got str"):
        codec.encode(102, "x")


def test_composites(codec: PgCodec) -> None:
    columns = [("a", INT4), ("b", 101)]
    codec.add_types([(100, "pair", "c", False, 0, columns), (101, "_mood", "b", True, 102), (102, "mood", "e")])
    data = codec.encode(100, (1, ["sad"]))
    assert codec.decode(100, data) == (1, ["sad"])
    assert codec.encode(100, {"b": ["sad"], "a": 1}) == codec.encode(100, [1, ["sad"]]) == data
    Pair = namedtuple("Pair", "a b")
    codec.add_types([(100, "pair", "c", False, 0, columns, Pair)])
    made = codec.decode(100, data)
    assert type(made) is Pair and made == (1, ["sad"])
    for value, message in [
        ((1,), "value for pair: another number of columns"), ({"a": 1}, "value for pair: another number of columns"),
        ({"a": 1, "c": 2}, "b: value for pair: column is missing"), (5, "expected tuple or dict for pair, got int"),
        ((1, [5]), "b[0]: expected str or Enum for mood, got int"),
    ]:
        with pytest.raises(psycopg.DataError) as caught:
            codec.encode(100, value)
        assert str(caught.value) == message


def test_a_factory_that_fails(codec: PgCodec) -> None:
    codec.add_types([(100, "pair", "c", False, 0, [("a", INT4)], lambda a: 1 // a)])
    with pytest.raises(ZeroDivisionError):
        codec.decode(100, codec.encode(100, (0,)))


def test_what_contains_a_type_without_binary_form_has_none(codec: PgCodec) -> None:
    codec.add_types([
        (100, "shape", "b"), (101, "_shape", "b", True, 100), (102, "holder", "c", False, 0, [("s", 101)]), (103, "_holder", "b", True, 102),
        (104, "fine", "c", False, 0, [("a", INT4)]),
    ])
    assert [codec.describe(oid)[1] for oid in range(100, 105)] == [False, False, False, False, True]
    # Such values travel as text, which the caller spells.
    assert codec.encode(102, '("{x}")') == b'("{x}")'
    assert codec.encode(101, ["x", None]) == b'{"x",NULL}'
    with pytest.raises(psycopg.DataError, match="expected str for holder, got tuple"):
        codec.encode(102, (["x"],))


def test_missing_types(codec: PgCodec) -> None:
    rows = [(100, "pair", "c", False, 0, [("a", INT4), ("b", 200)]), (101, "_pair", "b", True, 100), (102, "d", "d", False, 201)]
    assert codec.missing_types(rows) == [200, 201]
    codec.add_types([(200, "mood", "e"), (201, "mood2", "e")])
    assert codec.missing_types(rows) == []


def test_rows_that_are_no_description(codec: PgCodec) -> None:
    for row in (5, (), (1,), (1, "a"), ("x", "a", "b"), (1, "a", "c", False, 0, [5]), (1, "a", "e", False, 0, None, None, 5)):
        with pytest.raises(TypeError):
            codec.add_types([row])


def test_settings(codec: PgCodec) -> None:
    import datetime as dt

    assert codec.timezone is None and codec.encoding == "utf-8"
    codec.timezone = dt.timezone.utc
    assert codec.timezone is dt.timezone.utc
    with pytest.raises(TypeError):
        codec.timezone = "UTC"
    with pytest.raises(TypeError):
        codec.json_loads = 5
    with pytest.raises(AttributeError):
        del codec.timezone


def test_other_encodings(codec: PgCodec) -> None:
    codec.encoding = "iso8859-1"
    assert codec.encode(TEXT, "ä") == b"\xe4" and codec.decode(TEXT, b"\xe4") == "ä"
    assert codec.decode_rows([TEXT], ["a"], codec.encode_rows([TEXT], ["a"], [("ä",)])) == [("ä",)]
    with pytest.raises(UnicodeEncodeError):
        codec.encode(TEXT, "日")
    codec.encoding = "bytes"
    assert codec.decode(TEXT, b"\xe4") == b"\xe4"
    assert codec.encode(TEXT, b"\xe4") == b"\xe4" and codec.encode(TEXT, "ä") == "ä".encode()


def test_a_type_that_is_described_anew_while_it_is_used(codec: PgCodec) -> None:
    class Meddling:
        def __index__(self) -> int:
            codec.add_types([(100, "pair", "c", False, 0, [("x", TEXT)])])
            return 7

    def factory(*values: object) -> object:
        codec.add_types([(100, "pair", "c", False, 0, [("y", TEXT)], tuple)])
        return values

    columns = [("a", INT4), ("b", INT4), ("c", INT4)]
    codec.add_types([(100, "pair", "c", False, 0, columns)])
    with pytest.raises(psycopg.DataError):
        codec.encode(100, (1, Meddling(), 3))
    codec.add_types([(100, "pair", "c", False, 0, columns)])
    with pytest.raises(psycopg.DataError):
        codec.encode(100, {"a": Meddling(), "b": 1, "c": "x"})
    codec.add_types([(100, "pair", "c", False, 0, columns, factory)])
    assert codec.decode(100, codec.encode(100, (1, 2, 3))) == (1, 2, 3)
