# Hypothesis strategies for every BSON type, Python value and CodecOptions field. No comparisons here.
import array
import datetime
import enum
import re
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, MutableMapping
from decimal import Decimal

import bson
from bson import Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary, BinaryVectorDtype, UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion, TypeCodec, TypeDecoder, TypeEncoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from bson_peer import EXACT
from hypothesis import strategies as st

UUID_REPRESENTATIONS = (
    UuidRepresentation.UNSPECIFIED,
    UuidRepresentation.PYTHON_LEGACY,
    UuidRepresentation.STANDARD,
    UuidRepresentation.JAVA_LEGACY,
    UuidRepresentation.CSHARP_LEGACY,
)
ERROR_HANDLERS = ("strict", "replace", "ignore", "backslashreplace", "surrogateescape")


class Text(str):
    pass


class Number(int):
    pass


class Real(float):
    pass


class Mapped(dict):
    pass


class Sequenced(list):
    pass


class Pair(tuple):
    pass


class Blob(bytes):
    pass


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2**40


class Name(str, enum.Enum):
    FIRST = "first"


class UserMapping(MutableMapping):
    """A user's document class that is no dict."""

    def __init__(self, *args, **kwargs):
        self.inner = dict(*args, **kwargs)

    def __getitem__(self, key):
        return self.inner[key]

    def __setitem__(self, key, value):
        self.inner[key] = value

    def __delitem__(self, key):
        del self.inner[key]

    def __iter__(self):
        return iter(self.inner)

    def __len__(self):
        return len(self.inner)

    def __repr__(self):
        return f"UserMapping({self.inner!r})"


class ReadOnlyMapping(Mapping):
    """Encodable, though not a document class."""

    def __init__(self, inner):
        self.inner = inner

    def __getitem__(self, key):
        return self.inner[key]

    def __iter__(self):
        return iter(self.inner)

    def __len__(self):
        return len(self.inner)

    def __repr__(self):
        return f"ReadOnlyMapping({self.inner!r})"


class Offset(datetime.tzinfo):
    """A user's tzinfo with daylight saving: two offsets, months 4 to 9 one hour more."""

    def __init__(self, minutes):
        self.minutes = minutes

    def utcoffset(self, when):
        if when is not None and 4 <= when.month <= 9:
            return datetime.timedelta(minutes=self.minutes + 60)
        return datetime.timedelta(minutes=self.minutes)

    def dst(self, when):
        if when is not None and 4 <= when.month <= 9:
            return datetime.timedelta(minutes=60)
        return datetime.timedelta(0)

    def tzname(self, when):
        return f"Offset{self.minutes}"

    def __repr__(self):
        return f"Offset({self.minutes})"


TZINFOS = (
    bson.utc,
    datetime.timezone.utc,
    datetime.timezone(datetime.timedelta(hours=5, minutes=30)),
    datetime.timezone(datetime.timedelta(hours=-11)),
    Offset(60),
    Offset(-300),
)


class Price:
    """Encoded by a TypeEncoder."""

    def __init__(self, cents):
        self.cents = cents

    def __repr__(self):
        return f"Price({self.cents})"


class Wrapped:
    """Encoded by the fallback encoder."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f"Wrapped({self.value!r})"


class PriceEncoder(TypeEncoder):
    python_type = Price

    def transform_python(self, value):
        return {"cents": value.cents}


class DecimalCodec(TypeCodec):
    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value):
        return Decimal128(value)

    def transform_bson(self, value):
        return value.to_decimal()


class IntDecoder(TypeDecoder):
    bson_type = int

    def transform_bson(self, value):
        return Number(value)


class TextDecoder(TypeDecoder):
    bson_type = str

    def transform_bson(self, value):
        return Text(value)


class ListDecoder(TypeDecoder):
    bson_type = list

    def transform_bson(self, value):
        return tuple(value)


class DictDecoder(TypeDecoder):
    bson_type = dict

    def transform_bson(self, value):
        return OrderedDict(value)


def fallback(value):
    if isinstance(value, Wrapped):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"no fallback for {type(value).__name__}")


REGISTRIES = (
    None,
    TypeRegistry([PriceEncoder()]),
    TypeRegistry([DecimalCodec()]),
    TypeRegistry([IntDecoder(), TextDecoder()]),
    TypeRegistry([ListDecoder(), DictDecoder()]),
    TypeRegistry(fallback_encoder=fallback),
    TypeRegistry([PriceEncoder(), DecimalCodec(), IntDecoder()], fallback),
)

keys = st.one_of(
    st.sampled_from(("_id", "a", "b", "name", "$ref", "$id", "$db", "$set", "a.b", "", "0", "1", "é", "ключ", "😀")),
    st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=12),
    st.integers(0, 200).map(lambda n: "k" * n),
)
texts = st.one_of(
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=30),
    st.sampled_from(("", "\x00", "a\x00b", "ascii", "naïve", "汉字", "😀" * 5, "x" * 127, "y" * 128, "z" * 5000)),
)
int64s = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from((0, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, -(2**63), 2**30, 2**60)),
)
datetimes = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from(TZINFOS), min_value=datetime.datetime(2, 1, 2), max_value=datetime.datetime(9999, 12, 30)),
    st.sampled_from((datetime.datetime.min, datetime.datetime.max, datetime.datetime(1970, 1, 1), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999))),
)
millis = st.one_of(
    st.integers(-(2**63) + 1000, 2**63 - 1),
    st.integers(-62135596800000 - 10**8, -62135596800000 + 10**8),
    st.integers(253402300799999 - 10**8, 253402300799999 + 10**8),
    st.integers(-(10**13), 10**13),
)
binaries = st.one_of(
    st.builds(Binary, st.binary(max_size=40), st.integers(0 if EXACT else 5, 255)),
    st.builds(Binary, st.binary(min_size=16, max_size=16), st.sampled_from((3, 4))),
    st.builds(lambda v: Binary.from_vector(v, BinaryVectorDtype.INT8), st.lists(st.integers(-128, 127), max_size=20)),
    st.builds(lambda v: Binary.from_vector(v, BinaryVectorDtype.FLOAT32), st.lists(st.floats(width=32), max_size=20)),
    st.builds(
        lambda v, p: Binary.from_vector([*v, 0], BinaryVectorDtype.PACKED_BIT, p),
        st.lists(st.integers(0, 255), max_size=20),
        st.integers(0, 7),
    ),
)
object_ids = st.binary(min_size=12, max_size=12).map(ObjectId)
regexes = st.one_of(
    st.builds(
        Regex,
        st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=10),
        st.sampled_from((0, 2, 4, 8, 16, 32, 64, 126, 255, "imx")),
    ),
    st.sampled_from((re.compile("a.*", re.I | re.M), re.compile(b"bytes", re.S), Regex(b"raw", 2), re.compile(""))),
)
decimals = st.one_of(
    st.binary(min_size=16, max_size=16).map(Decimal128.from_bid),
    st.sampled_from((Decimal128("0"), Decimal128("1.5"), Decimal128("NaN"), Decimal128("Infinity"), Decimal128("-0E-6176"))),
)
timestamps = st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    int64s,
    st.floats(),
    texts,
    st.binary(max_size=40),
    datetimes,
    millis.map(DatetimeMS),
    binaries,
    object_ids,
    regexes,
    decimals,
    timestamps,
    int64s.map(Int64),
    texts.map(Code),
    st.sampled_from((MinKey(), MaxKey(), Level.LOW, Level.HIGH, Name.FIRST)),
    texts.map(Text),
    int64s.map(Number),
    st.floats().map(Real),
    st.binary(max_size=10).map(Blob),
    st.uuids(),
)
custom = st.one_of(
    st.integers(-5, 5).map(Price),
    st.sampled_from((1, "w", None, [1, 2], {"x": 1})).map(Wrapped),
    st.sampled_from((Decimal("1.25"), Decimal("-7E+3"), Decimal("NaN"))),
    st.frozensets(st.integers(0, 9), max_size=3),
    st.sampled_from((2**63, -(2**63) - 1, 2**200)),
)
impossible = st.one_of(
    st.sampled_from((
        {1}, Decimal("1"), datetime.date(2020, 1, 1), datetime.time(1), datetime.timedelta(1), 1j, bytearray(b"x"),
        memoryview(b"x"), array.array("i", [1]), range(3), int, Ellipsis, {}.keys(), object, NotImplemented,
        "\ud800", Text("a\udfff"), 2**63, Int64(2**70), Number(-(2**64)), re.compile("a\x00b"), re.compile(b"\xff"),
        Regex("\ud800"), {1: 2}, {None: 1}, {b"k": 1}, {"a\x00": 1}, {"\ud800": 1}, {"": {1.5: 1}}, Code("x", {"a": object}),
    )),
    st.uuids(),
)


def documents(leaves, max_leaves=8):
    """Documents of any mapping kind with nested lists, tuples, documents and references around `leaves`."""
    def extend(children):
        pairs = st.lists(st.tuples(keys, children), max_size=3)
        return st.one_of(
            pairs.map(dict),
            st.lists(children, max_size=4),
            st.lists(children, max_size=4).map(tuple),
            pairs.map(OrderedDict),
            pairs.map(SON),
            pairs.map(Mapped),
            pairs.map(lambda p: UserMapping(p)),
            pairs.map(lambda p: ReadOnlyMapping(dict(p))),
            pairs.map(lambda p: defaultdict(int, p)),
            st.lists(children, max_size=3).map(Sequenced),
            st.lists(children, max_size=3).map(Pair),
            st.builds(DBRef, texts, children, st.one_of(st.none(), texts), pairs.map(dict)),
            st.builds(Code, texts, pairs.map(dict)),
        )

    values = st.recursive(leaves, extend, max_leaves=max_leaves)
    pairs = st.lists(st.tuples(keys, values), max_size=4)
    return st.one_of(
        pairs.map(dict), pairs.map(dict), pairs.map(OrderedDict), pairs.map(SON), pairs.map(Mapped),
        pairs.map(lambda p: UserMapping(p)), pairs.map(lambda p: ReadOnlyMapping(dict(p))),
        pairs.map(lambda p: defaultdict(list, p)),
    )


def raw_documents():
    """RawBSONDocument instances, around some generated content."""
    simple = st.dictionaries(st.text("abc", max_size=3), st.one_of(st.integers(-9, 9), st.text("xyz", max_size=9000 // 3)), max_size=4)
    return simple.map(lambda document: RawBSONDocument(bson.encode(document)))


@st.composite
def codec_options(draw, document_classes=(dict, SON, OrderedDict, RawBSONDocument, UserMapping, Mapped)):
    """Any legal combination of all CodecOptions fields."""
    tz_aware = draw(st.booleans())
    return CodecOptions(
        document_class=draw(st.sampled_from(document_classes)),
        tz_aware=tz_aware,
        uuid_representation=draw(st.sampled_from(UUID_REPRESENTATIONS)),
        unicode_decode_error_handler=draw(st.sampled_from(ERROR_HANDLERS)),
        tzinfo=draw(st.sampled_from((None, *TZINFOS))) if tz_aware else None,
        type_registry=draw(st.sampled_from(REGISTRIES)),
        datetime_conversion=draw(st.sampled_from(list(DatetimeConversion))),
    )
