# Natively created value types are indistinguishable from those made by their own constructors. No property tests here.
import copy
import datetime
import pickle
import struct
import sys
import uuid
import weakref
from collections import OrderedDict

import bson_values as values
import pytest
from bson import Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary, BinaryVectorDtype
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from bson_bytes import KINDS, Generator, binary, document, element, string
from bson_outcomes import Outcome, assert_same, both_decode, difference, state
from bson_peer import EXACT, ours, theirs

VALUES = [
    ObjectId(b"0123456789ab"), Binary(b"x", 5), Binary(b"", 0x80), Binary(b"old", 2), Binary(bytes(16), 4), Binary(bytes(15 if EXACT else 16), 3),
    Binary.from_vector([1, -2, 3], BinaryVectorDtype.INT8), Binary.from_vector([1.5, -2.5], BinaryVectorDtype.FLOAT32),
    Binary.from_vector([255, 8], BinaryVectorDtype.PACKED_BIT, 3), Regex("a.*", 126), Regex("é", 0), Code("f()"),
    Code("f()", {}), Code("f()", {"x": [1]}), Timestamp(2**32 - 1, 0), Timestamp(1, 2), Int64(5), Int64(-(2**63)),
    Decimal128("1.25"), Decimal128("NaN"), Decimal128("-Infinity"), DatetimeMS(2**62), MinKey(), MaxKey(),
    DBRef("c", ObjectId(b"0123456789ab")), DBRef("c", 1, "db"), DBRef("c", {"x": 1}, "db", {"extra": [1]}),
]
IDS = [f"{index}-{type(value).__name__}" for index, value in enumerate(VALUES)]
OPTIONS = CodecOptions(datetime_conversion=3)


def decoded(value, options=OPTIONS):
    return ours.decode(theirs.encode({"a": value}), options)["a"]


@pytest.mark.parametrize("value", VALUES, ids=IDS)
class TestIndistinguishable:
    def test_type_state_and_behaviour(self, value):
        mine = decoded(value)
        other = theirs.decode(theirs.encode({"a": value}), OPTIONS)["a"]
        assert type(mine) is type(other)
        assert difference(mine, other) is None
        assert list(state(mine)) == list(state(other))
        assert mine == other and not (mine != other)
        assert repr(mine) == repr(other) and str(mine) == str(other)
        assert sys.getsizeof(mine) == sys.getsizeof(other)
        assert Outcome(hash, mine).value == Outcome(hash, other).value
        assert type(Outcome(hash, mine).error) is type(Outcome(hash, other).error)
        assert hasattr(mine, "__dict__") == hasattr(other, "__dict__")
        assert_same(Outcome(sorted, [mine, other]), Outcome(sorted, [other, mine]), texts=False)

    def test_pickle_and_copy(self, value):
        mine, other = decoded(value), theirs.decode(theirs.encode({"a": value}), OPTIONS)["a"]
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.dumps(mine, protocol) == pickle.dumps(other, protocol)
            assert difference(pickle.loads(pickle.dumps(mine, protocol)), pickle.loads(pickle.dumps(other, protocol))) is None
        for duplicate in (copy.copy, copy.deepcopy):
            assert_same(Outcome(duplicate, mine), Outcome(duplicate, other))

    def test_encodes_to_the_same_bytes(self, value):
        mine = decoded(value)
        assert ours.encode({"a": mine}) == theirs.encode({"a": mine}) == theirs.encode({"a": value})

    def test_attributes_can_be_set_or_not_as_usual(self, value):
        mine, other = decoded(value), theirs.decode(theirs.encode({"a": value}), OPTIONS)["a"]
        for name in ("new_attribute", "flags", "pattern", "subtype", "scope"):
            assert_same(Outcome(setattr, mine, name, 1), Outcome(setattr, other, name, 1), texts=False)
        assert type(Outcome(weakref.ref, mine).error) is type(Outcome(weakref.ref, other).error)


def test_object_id_attributes():
    mine = decoded(ObjectId("0123456789abcdef01234567"))
    assert mine.binary == bytes.fromhex("0123456789abcdef01234567")
    assert type(mine.binary) is bytes
    assert mine.generation_time == datetime.datetime.fromtimestamp(0x01234567, datetime.timezone.utc)
    assert mine < ObjectId("f" * 24) and mine > ObjectId("0" * 24)
    assert {mine: 1}[ObjectId("0123456789abcdef01234567")] == 1


def test_vectors():
    for vector in VALUES[6:9]:
        mine = decoded(vector)
        assert mine.subtype == 9
        assert mine.as_vector() == vector.as_vector()


@pytest.mark.parametrize("subtype", range(256))
def test_every_binary_subtype(subtype):
    if subtype == 255 and not EXACT:
        pytest.skip("older releases fail on it")
    for size in (0, 1, 15, 16, 17, 300) if EXACT or subtype not in (3, 4) else (16,):
        value = Binary(bytes(range(256))[:size] + bytes(max(0, size - 256)), subtype)
        data = theirs.encode({"a": value})
        assert ours.encode({"a": value}) == data
        both_decode(ours, theirs, data)
        if subtype in (3, 4):
            for representation in values.UUID_REPRESENTATIONS:
                both_decode(ours, theirs, data, CodecOptions(uuid_representation=representation))


@pytest.mark.parametrize("representation", values.UUID_REPRESENTATIONS[1:])
def test_uuids(representation):
    options = CodecOptions(uuid_representation=representation)
    value = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    data = theirs.encode({"a": value, "l": [value]}, codec_options=options)
    assert ours.encode({"a": value, "l": [value]}, codec_options=options) == data
    mine, other = ours.decode(data, options)["a"], theirs.decode(data, options)["a"]
    assert type(mine) is uuid.UUID and mine == other == value
    assert mine.is_safe is other.is_safe is uuid.SafeUUID.unknown
    assert difference(mine, other) is None
    assert (mine.int, mine.hex, mine.bytes, mine.fields, mine.urn, hash(mine)) == (
        other.int, other.hex, other.bytes, other.fields, other.urn, hash(other))
    assert pickle.dumps(mine) == pickle.dumps(other)
    assert copy.copy(mine) == value
    with pytest.raises(TypeError):
        mine.int = 5


@pytest.mark.parametrize("milliseconds", [
    0, 1, 999, -1, -999, -1000, 951782400000, 951868799999, 1709164800000, 4107542400000, -62135596800000, -62135596799999,
    253402300799999, 253402300799000, -2208988800000, 1700000000123, -1700000000123, 2**31 * 1000, -(2**31) * 1000, 1,
])
def test_datetimes(milliseconds):
    data = document(element(9, "a", struct.pack("<q", milliseconds)))
    for tzinfo in (None, *values.TZINFOS):
        for conversion in (1, 2, 3, 4):
            both_decode(ours, theirs, data, CodecOptions(datetime_conversion=conversion))
            options = CodecOptions(tz_aware=True, tzinfo=tzinfo, datetime_conversion=conversion)
            mine = both_decode(ours, theirs, data, options)
            if tzinfo is None and conversion == 1:
                assert mine["a"].tzinfo is theirs.utc


def test_every_day_of_a_century_both_ways():
    start = datetime.datetime(1950, 1, 1, 13, 14, 15, 678999)
    days = [start + datetime.timedelta(days=n) for n in range(0, 36525)]
    data = theirs.encode({"d": days})
    assert ours.encode({"d": days}) == data
    assert difference(ours.decode(data), theirs.decode(data)) is None


def test_years_one_to_9999():
    days = [datetime.datetime(year, month, 28 if month == 2 else 30, 23, 59, 59, 999999) for year in range(1, 10000, 3) for month in (1, 2, 12)]
    data = theirs.encode({"d": days})
    assert ours.encode({"d": days}) == data
    assert difference(ours.decode(data), theirs.decode(data)) is None


def test_symbols_undefined_and_old_references():
    data = document(
        element(14, "symbol", string("sym")), element(6, "undefined"), element(12, "pointer", string("coll") + b"0123456789ab"),
        element(5, "old", binary(2, b"old bytes")), element(14, "b", string("é")),
    )
    value = both_decode(ours, theirs, data)
    assert type(value["symbol"]) is str and value["undefined"] is None and type(value["pointer"]) is DBRef
    for options in (CodecOptions(document_class=SON), CodecOptions(type_registry=values.REGISTRIES[3])):
        both_decode(ours, theirs, data, options)


REFERENCES = [
    {"$ref": "c", "$id": 1}, {"$id": 1, "$ref": "c"}, {"$ref": "c"}, {"$id": 1}, {"$ref": 5, "$id": 1}, {"$ref": "c", "$id": 1, "$db": "d"},
    {"$ref": "c", "$id": 1, "$db": 5}, {"$ref": "c", "$id": 1, "$db": None}, {"$ref": "c", "$id": None}, {"$ref": None, "$id": 1},
    {"x": 1, "$ref": "c", "y": 2, "$id": 1, "z": [3]}, {"$ref": "c", "$id": {"$ref": "d", "$id": 2}}, {"$ref": "", "$id": ""},
    {"$ref": "c", "$id": 1, "$other": 5}, {"$reff": "c", "$id": 1}, {"a": {"$ref": "c", "$id": 1}}, {"$ref": Code("c"), "$id": 1},
    {"$ref": "c", "$id": 1, "collection": "x", "id": "y", "database": "z", "self": 1, "_extra": 2},
]


@pytest.mark.parametrize("reference", REFERENCES, ids=range(len(REFERENCES)))
def test_references(reference):
    for wrapped in (reference, {"r": reference}, {"l": [reference, reference]}, {"c": Code("x", reference)}, {"s": Code("x", {"r": reference})}):
        data = theirs.encode(wrapped)
        assert ours.encode(wrapped) == data
        for cls in (dict, SON, OrderedDict, values.UserMapping, values.Mapped, RawBSONDocument):
            value = both_decode(ours, theirs, data, CodecOptions(document_class=cls))
            assert_same(Outcome(ours.encode, value), Outcome(theirs.encode, value))


def test_constants_are_like_the_peers():
    data = theirs.encode({"a": MinKey(), "b": MaxKey(), "c": None, "d": True, "e": False, "f": 5, "g": ""})
    value = both_decode(ours, theirs, data)
    assert value["d"] is True and value["e"] is False and value["c"] is None


def test_plain_documents_hold_plain_objects():
    value = ours.decode(theirs.encode({"d": {"l": [1, {"x": "y"}]}, "i": 1, "f": 1.0, "s": "s", "b": b"b"}))
    assert type(value) is dict and type(value["d"]) is dict and type(value["d"]["l"]) is list
    assert [type(value[key]) for key in "ifsb"] == [int, float, str, bytes]
    for container in (value, value["d"], value["d"]["l"]):
        duplicate = copy.deepcopy(container)
        assert duplicate == container
    value["new"] = value.pop("i")
    value["d"]["l"].append(2)
    assert list(value) == ["d", "f", "s", "b", "new"]


def test_every_kind_alone_and_in_every_container():
    generator = Generator(11, clean=False)
    for kind in KINDS:
        for _ in range(20):
            payload = generator.payload(kind, 3)
            for data in (
                document(element(kind, "a", payload)),
                document(element(3, "d", document(element(kind, "a", payload)))),
                document(element(4, "l", document(element(kind, "0", payload), element(kind, "1", payload)))),
            ):
                for handler in values.ERROR_HANDLERS:
                    both_decode(ours, theirs, data, CodecOptions(unicode_decode_error_handler=handler))


def test_subclassed_value_types_encode_by_their_base():
    class MyId(ObjectId):
        pass

    class MyBinary(Binary):
        pass

    class MyCode(Code):
        pass

    class MyRef(DBRef):
        pass

    class MyRegex(Regex):
        pass

    class MyStamp(Timestamp):
        pass

    class MyDecimal(Decimal128):
        pass

    class MyLong(Int64):
        pass

    class MyMillis(DatetimeMS):
        pass

    class Override(ObjectId):
        @property
        def binary(self):
            return b"overridden!!"

    class RefWithDoc(DBRef):
        def as_doc(self):
            return SON([("$ref", "other"), ("$id", 9)])

    for value in (
        MyId(), MyBinary(b"x", 7), MyCode("c", {"a": 1}), MyRef("c", 1), MyRegex("r", 2), MyStamp(1, 2), MyDecimal("1"), MyLong(5),
        MyMillis(7), Override(), RefWithDoc("c", 1),
    ):
        assert ours.encode({"a": value, "_id": value}) == theirs.encode({"a": value, "_id": value})


def test_value_types_with_changed_attributes():
    regex = Regex("a", 0)
    for flags, pattern in ((2, "b"), (True, "c"), (values.Number(8), values.Text("d")), ("x", "e"), (None, "f"), (-1, "g"), (2**80, "h"), (0, 5)):
        regex.flags, regex.pattern = flags, pattern
        assert_same(Outcome(ours.encode, {"a": regex}), Outcome(theirs.encode, {"a": regex}))
    for cls, slots in (
        (ObjectId, {"_ObjectId__id": (b"x" * 12, b"short"[:0] + b"y" * 12, "text", 5)}),
        (Decimal128, {"_Decimal128__low": (5, "x"), "_Decimal128__high": (0, -1, 2**70)}),
        (Timestamp, {"_Timestamp__time": (5, "x", -1, 2**40), "_Timestamp__inc": (5, None)}),
        (Regex, {}),
    ):
        for name, candidates in slots.items():
            for candidate in candidates:
                value = VALUES[[type(v) for v in VALUES].index(cls)]
                value = copy.copy(value)
                if Outcome(setattr, value, name, candidate).error is None:
                    assert_same(Outcome(ours.encode, {"a": value}), Outcome(theirs.encode, {"a": value}), texts=False)


@pytest.mark.parametrize("cls", [ObjectId, Regex, Timestamp, Decimal128, DBRef, DatetimeMS], ids=lambda cls: cls.__name__)
def test_instances_without_their_attributes(cls):
    """Made by __new__ alone, as a broken unpickler would: an error, never a crash."""
    bare = cls.__new__(cls)
    mine, other = Outcome(ours.encode, {"a": bare}), Outcome(theirs.encode, {"a": bare})
    if cls is not DBRef:  # its __getattr__ recurses without its slots
        assert_same(mine, other, texts=False)
