# Rows in and out without a server: shapes, Record, errors that name row and column, rows that change while they are read.
from __future__ import annotations

import copy
import gc
import json
import pickle
from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Iterator

import psycopg
import pytest

from barewire import _core
from barewire._core import PgCodec, Record

INT4, TEXT, JSONB, NUMERIC, INT4_ARRAY, COMPOSITE = 23, 25, 3802, 1700, 1007, 20000
OIDS, NAMES = [INT4, TEXT], ["number", "text"]
ROWS = [(1, "one"), (None, "two"), (3, None)]


@pytest.fixture
def codec() -> PgCodec:
    return PgCodec()


@pytest.fixture
def stream(codec: PgCodec) -> bytes:
    return codec.encode_rows(OIDS, NAMES, ROWS)


def test_shapes(codec: PgCodec, stream: bytes) -> None:
    assert codec.decode_rows(OIDS, NAMES, stream) == ROWS
    assert codec.decode_rows(OIDS, NAMES, stream, "dicts") == [dict(zip(NAMES, row)) for row in ROWS]
    assert codec.decode_rows(OIDS, NAMES, stream, "first") == [1, None, 3]
    records = codec.decode_rows(OIDS, NAMES, stream, "records")
    assert records == ROWS and all(type(record) is Record for record in records)


def test_columns_of_the_same_name(codec: PgCodec, stream: bytes) -> None:
    # As dict(zip(...)), and as psycopg's dict_row: the last one stays.
    assert codec.decode_rows(OIDS, ["x", "x"], stream, "dicts") == [{"x": "one"}, {"x": "two"}, {"x": None}]
    (record, *_) = codec.decode_rows(OIDS, ["x", "x"], stream, "records")
    assert record == (1, "one") and record["x"] == record.x == "one"


def test_no_columns(codec: PgCodec) -> None:
    stream = codec.encode_rows([], [], [(), ()])
    assert codec.decode_rows([], [], stream) == [(), ()]
    assert codec.decode_rows([], [], stream, "dicts") == [{}, {}]
    assert codec.decode_rows([], [], stream, "first") == [None, None]


def test_record(codec: PgCodec, stream: bytes) -> None:
    record, other, _ = codec.decode_rows(OIDS, NAMES, stream, "records")
    assert len(record) == 2 and list(record) == [1, "one"]
    assert record[0] == record[-2] == record["number"] == record.number == 1
    assert record[0:1] == (1,) and record[:] == (1, "one")
    assert list(record.keys()) == NAMES and list(record.values()) == [1, "one"]
    assert dict(record) == dict(record.items()) == {"number": 1, "text": "one"}
    assert record.get("text") == "one" and record.get("other") is None and record.get("other", 5) == 5
    assert "text" in record and "one" not in record and 1 not in record
    assert repr(record) == "<Record number=1 text='one'>"
    assert record == (1, "one") and (1, "one") == record and record != other and record != [1, "one"]
    assert hash(record) == hash((1, "one")) and record < (2, "")
    for failing, error in [(lambda: record[2], IndexError), (lambda: record[-3], IndexError), (lambda: record["other"], KeyError), (lambda: record.other, AttributeError), (lambda: Record(), TypeError), (lambda: record[1.5], TypeError)]:
        with pytest.raises(error):
            failing()
    with pytest.raises((TypeError, AttributeError)):
        record.number = 2


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_records_can_be_pickled(codec: PgCodec, stream: bytes, protocol: int) -> None:
    records = codec.decode_rows(OIDS, NAMES, stream, "records")
    again = pickle.loads(pickle.dumps(records, protocol))
    assert again == records and [type(record) for record in again] == [Record] * 3
    assert [dict(record) for record in again] == [dict(record) for record in records] and again[0].text == "one"
    assert repr(again) == repr(records) and hash(again[0]) == hash(records[0])
    assert pickle.dumps(records, protocol).count(b"number") == 1  # the names once
    for names in (["x", "x"], []):
        (same,) = codec.decode_rows(OIDS[:len(names)], names, codec.encode_rows(OIDS[:len(names)], names or [], [(1, "a")[:len(names)]]), "records")
        assert dict(pickle.loads(pickle.dumps(same, protocol)).items()) == dict(same.items())


def test_records_can_be_copied(codec: PgCodec) -> None:
    (record,) = codec.decode_rows([INT4_ARRAY], ["list"], codec.encode_rows([INT4_ARRAY], ["list"], [([1, 2],)]), "records")
    shallow, deep = copy.copy(record), copy.deepcopy(record)
    assert type(shallow) is type(deep) is Record and shallow == deep == record
    assert shallow.list is record.list and deep.list is not record.list
    record.list.append(record)  # a ring
    assert copy.deepcopy(record).list[2].list[2] is not record and pickle.loads(pickle.dumps([shallow]))[0].list[0] == 1
    assert gc.is_tracked(deep)
    record.list.clear()


@pytest.mark.parametrize("arguments", [(), ((),), (["a"], (1,)), (("a",), [1]), (("a",), ()), ((1,), (1,)), ((b"a",), (1,)), (None, None)])
def test_records_from_wrong_pickles(arguments: tuple) -> None:
    with pytest.raises((TypeError, ValueError)):
        _core.pg_record(*arguments)


def test_a_record_is_a_row_again(codec: PgCodec, stream: bytes) -> None:
    assert codec.encode_rows(OIDS, NAMES, codec.decode_rows(OIDS, NAMES, stream, "records")) == stream


def test_rows_of_any_class(codec: PgCodec, stream: bytes) -> None:
    Row = namedtuple("Row", NAMES)
    kinds = [
        tuple, list, lambda row: Row(*row), lambda row: dict(zip(NAMES, row)), lambda row: dict(reversed(list(zip(NAMES, row)))),
        lambda row: OrderedDict(zip(NAMES, row)), lambda row: UserDict(zip(NAMES, row)), lambda row: iter(row), lambda row: {name[:]: value for name, value in zip(json.loads(json.dumps(NAMES)), row)},
    ]
    for kind in kinds:
        assert codec.encode_rows(OIDS, NAMES, [kind(row) for row in ROWS]) == stream
        assert codec.encode_rows(OIDS, NAMES, (kind(row) for row in ROWS)) == stream
        assert codec.encode_columns(OIDS, NAMES, [kind(row) for row in ROWS]) == codec.encode_columns(OIDS, NAMES, ROWS)


def test_columns_are_arrays(codec: PgCodec) -> None:
    numbers, texts = codec.encode_columns(OIDS, NAMES, ROWS)
    assert codec.decode(INT4_ARRAY, numbers) == [1, None, 3]
    assert codec.decode(1009, texts) == ["one", "two", None]
    assert codec.encode(INT4_ARRAY, [1, None, 3]) == numbers
    (no_nulls,) = codec.encode_columns([INT4], ["a"], [(1,), (2,)])
    assert codec.encode(INT4_ARRAY, [1, 2]) == no_nulls


class Shrinking:
    """An index that takes the rest of its row away while it is asked."""

    def __init__(self, row: list, keep: int) -> None:
        self.row, self.keep = row, keep

    def __index__(self) -> int:
        del self.row[self.keep:]
        return 7


@pytest.mark.parametrize("encode", ["encode_rows", "encode_columns"])
def test_errors_name_row_and_column(codec: PgCodec, encode: str) -> None:
    def failure(rows: object) -> str:
        with pytest.raises(psycopg.DataError) as caught:
            getattr(codec, encode)(OIDS, NAMES, rows)
        return str(caught.value)

    assert failure([(1, "x"), (1, 5)]) == "row 1, column text: expected str for text, got int"
    assert failure([(1, "x"), (2**40, "y")]) == "row 1, column number: value for int4: out of range"
    assert failure([(1,)]) == "row 0: the row has 1 values for 2 columns"
    assert failure([(1, "x", 3)]) == "row 0: the row has 3 values for 2 columns"
    assert failure([{"number": 1}]) == "row 0, column text: the row lacks this column"
    assert failure([{"number": 1, "text": "x", "more": 2}]) == "row 0: the row has keys that are no columns"
    assert failure([UserDict(number=1)]) == "row 0, column text: the row lacks this column"
    assert failure([5]) == "row 0: expected a tuple, list or mapping as row, got int"
    assert failure(["ab"]) == "row 0: expected a tuple, list or mapping as row, got str"
    shrinking: list = [1, "x"]
    shrinking[0] = Shrinking(shrinking, 1)
    assert failure([shrinking]) == "row 0: the row changed its size while it was read"


def test_errors_of_the_caller_pass(codec: PgCodec) -> None:
    def rows() -> Iterator[tuple]:
        yield (1, "x")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        codec.encode_rows(OIDS, NAMES, rows())
    with pytest.raises(TypeError):
        codec.encode_rows(OIDS, NAMES, 5)


class Clearing:
    def __init__(self, container: object) -> None:
        self.container = container

    def __index__(self) -> int:
        self.container.clear()
        gc.collect()
        return 7


def test_lists_that_change_while_they_are_read(codec: PgCodec) -> None:
    numbers: list = [1, 2, 3]
    numbers[0] = Clearing(numbers)
    with pytest.raises(RuntimeError, match="changed size"):
        codec.encode(INT4_ARRAY, numbers)
    row: dict = {"number": 1, "text": "x"}
    row["number"] = Clearing(row)
    with pytest.raises(psycopg.DataError, match="lacks this column"):
        codec.encode_rows(OIDS, NAMES, [row])
    codec.add_types([(COMPOSITE, "pair", "c", False, 0, [("a", INT4), ("b", TEXT)])])
    pair: list = [1, "x"]
    pair[0] = Clearing(pair)
    with pytest.raises(psycopg.DataError, match="another number of columns"):
        codec.encode(COMPOSITE, pair)


def test_errors_inside_values_carry_the_whole_path(codec: PgCodec) -> None:
    codec.add_types([
        (COMPOSITE, "pair", "c", False, 0, [("a", INT4), ("b", INT4_ARRAY)]),
        (COMPOSITE + 1, "_pair", "b", True, COMPOSITE),
    ])
    with pytest.raises(psycopg.DataError) as caught:
        codec.encode_rows([COMPOSITE + 1], ["pairs"], [([(1, [1])],), ([(1, [1]), {"a": 2, "b": [3, "x"]}],)])
    assert str(caught.value) == "row 1, column pairs[1].b[1]: expected int for int4, got str"


def test_containers_of_atoms_are_not_tracked(codec: PgCodec, stream: bytes) -> None:
    assert not any(map(gc.is_tracked, codec.decode_rows(OIDS, NAMES, stream)))
    assert not any(map(gc.is_tracked, codec.decode_rows(OIDS, NAMES, stream, "records")))
    mixed = codec.encode_rows([INT4, JSONB], NAMES, [(1, {"a": []})] * 3)
    for shape in ("tuples", "dicts", "records"):
        assert all(map(gc.is_tracked, codec.decode_rows([INT4, JSONB], NAMES, mixed, shape)))
    assert gc.isenabled()


def test_an_error_in_a_row_leaves_the_collector_on(codec: PgCodec) -> None:
    stream = codec.encode_rows([TEXT], ["a"], [("x",)] * 5000)
    with pytest.raises(UnicodeDecodeError):
        codec.decode_rows([TEXT], ["a"], stream.replace(b"x", b"\xff"))
    assert gc.isenabled()
