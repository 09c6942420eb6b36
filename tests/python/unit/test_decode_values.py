"""Decoded values are those of the installed bson package: same types, same content, same attributes, same key order."""

from __future__ import annotations

import datetime
import math
import uuid

import bson
import pytest
from bson.binary import Binary, UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.son import SON

import barewire.bson  # some releases of bson cannot encode every document below
from barewire import _core

OID = bson.ObjectId("507f1f77bcf86cd799439011")
DOCUMENTS = {
    "empty": {},
    "flat": {"_id": OID, "name": "User1", "email": "x@y", "age": 20, "city": "Rome", "score": 1.5, "active": True},
    "nested": {"a": {"b": {"c": [1, 2, {"d": []}, [[], [None]]]}}, "l": [{"x": 1, "y": "s"}, {"x": 2, "y": "t"}, {"y": 4, "x": 5}]},
    "texts": {"empty": "", "one": "x", "accent": "é", "wide": "日本語", "astral": "😀" * 9, "nul": "a\0b", "ключ": "v", "long": "x" * 999},
    "numbers": {"zero": 0, "small": 2**31 - 1, "min32": -(2**31), "big": 2**40, "max": 2**63 - 1, "min": -(2**63),
                "int64": bson.Int64(0), "minus": bson.Int64(-5), "digit": bson.Int64(2**30), "inf": math.inf, "real": -0.0},
    "decimals": {"d": bson.Decimal128("1.5"), "n": bson.Decimal128("NaN"), "i": bson.Decimal128("-Infinity"), "t": bson.Decimal128("1E-6176")},
    "dates": {"d": datetime.datetime(2020, 1, 2, 3, 4, 5, 678000), "first": datetime.datetime.min,
              "last": datetime.datetime(9999, 12, 31, 23, 59, 59, 999000), "before": datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)},
    "code": {"regex": bson.Regex("a.b", "ilmsux"), "plain": bson.Code("x"), "scope": bson.Code("y", {"a": {"b": 1}})},
    "references": {"r": bson.DBRef("c", 1), "db": bson.DBRef("c", OID, "db", x=1, y=[2]), "no": {"$ref": 1, "$id": 2},
                   "half": {"$ref": "c"}, "bad_db": {"$ref": "c", "$id": 1, "$db": 5}, "other": {"$dollar": 1}},
    "special": {"ts": bson.Timestamp(2**32 - 1, 2), "min": bson.MinKey(), "max": bson.MaxKey(), "none": None, "yes": True, "no": False},
    "binary": {"bytes": b"bytes", "empty": b"", "md5": Binary(b"zz", 5), "old": Binary(b"zz", 2), "user": Binary(b"", 255),
               "u4": Binary.from_uuid(uuid.UUID(int=2**127 + 12345)), "u3": Binary.from_uuid(uuid.UUID(int=77), UuidRepresentation.PYTHON_LEGACY)},
}
OPTIONS = {
    "default": None,
    **{f"uuid{r}": CodecOptions(uuid_representation=r) for r in (0, 3, 4, 5, 6)},
    "aware": CodecOptions(tz_aware=True),
    "zone": CodecOptions(tz_aware=True, tzinfo=datetime.timezone(datetime.timedelta(hours=3))),
    "west": CodecOptions(tz_aware=True, tzinfo=datetime.timezone(datetime.timedelta(hours=-3)), datetime_conversion=DatetimeConversion.DATETIME_CLAMP),
    "utc": CodecOptions(tz_aware=True, tzinfo=bson.utc),
    "ms": CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS),
    "auto": CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO),
    "clamp": CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_CLAMP),
    "son": CodecOptions(document_class=SON),
    "replace": CodecOptions(unicode_decode_error_handler="replace"),
}


def same(left: object, right: object) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Binary):
        return left == right and vars(left) == vars(right)
    if isinstance(left, bson.Code):
        return str(left) == str(right) and same(left.scope, right.scope)
    if isinstance(left, bson.DBRef):
        return same(dict(left.as_doc()), dict(right.as_doc()))
    if isinstance(left, datetime.datetime):
        return left == right and left.tzinfo == right.tzinfo
    if isinstance(left, float):
        return repr(left) == repr(right)
    return left == right and hash_or_none(left) == hash_or_none(right)


def hash_or_none(value: object) -> int | None:
    return hash(value) if type(value).__hash__ is not None else None


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:  # the class and the text are compared
        return (type(error), str(error))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_same_as_bson(name, options):
    data = barewire.bson.encode(DOCUMENTS[name])
    wanted = outcome(bson.decode, data, OPTIONS[options])
    # Again and again: later documents of the same shape take another way than the first.
    for _ in range(6):
        assert same(outcome(_core.decode, data, OPTIONS[options]), wanted)
    if isinstance(wanted, dict):
        assert same(_core.decode_all(data * 3, OPTIONS[options]), [wanted] * 3)


@pytest.mark.parametrize("milliseconds", [-62135596800001, 253402300800000, 2**63 - 1, -(2**63) + 808, -62135596800000, 253402300799999])
@pytest.mark.parametrize("options", ["default", "aware", "zone", "west", "ms", "auto", "clamp"])
def test_dates_at_the_ends_of_the_range(milliseconds, options):
    data = bson.encode({"d": bson.DatetimeMS(milliseconds)})
    assert same(outcome(_core.decode, data, OPTIONS[options]), outcome(bson.decode, data, OPTIONS[options]))


def test_value_types_work_as_if_made_by_their_constructors():
    import copy
    import pickle

    document = _core.decode(barewire.bson.encode({**DOCUMENTS["special"], **DOCUMENTS["binary"], **DOCUMENTS["code"], **DOCUMENTS["numbers"],
                                         "id": OID, "d": bson.Decimal128("2.50")}), CodecOptions(uuid_representation=4))
    for value in document.values():
        assert same(copy.deepcopy(value), value)
        assert same(pickle.loads(pickle.dumps(value)), value)
        repr(value)
    assert document["big"] + 1 == 2**40 + 1
    assert str(document["d"].to_decimal()) == "2.50"
    assert document["u4"].bytes == uuid.UUID(int=2**127 + 12345).bytes


def test_documents_do_not_share_state():
    data = bson.encode({"a": {"b": [1]}, "c": 1}) * 20
    documents = _core.decode_all(data)
    documents[7]["a"]["b"].append(2)
    documents[7]["new"] = 1
    del documents[8]["c"]
    assert documents[6] == documents[9] == {"a": {"b": [1]}, "c": 1}
    assert documents[7] == {"a": {"b": [1, 2]}, "c": 1, "new": 1}
    assert documents[8] == {"a": {"b": [1]}}


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_any_buffer(wrap):
    data = bson.encode({"a": "text"})
    assert _core.decode(wrap(data)) == {"a": "text"}
    assert _core.decode_all(wrap(data + data)) == [{"a": "text"}] * 2
