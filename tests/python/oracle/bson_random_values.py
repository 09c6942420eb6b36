# Python documents from a seed: the fast generator behind the large property tests. No comparisons here.
import datetime
import random
import re
import struct
import uuid
from collections import OrderedDict, defaultdict
from decimal import Decimal

import bson_values as values
from bson import Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp, encode
from bson.binary import Binary, BinaryVectorDtype
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from bson_peer import EXACT

EDGE_INTS = (0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**30 - 1, 2**30, 2**60, 2**63 - 1, -(2**63))
EDGE_TEXTS = ("", "\0", "a\0b", "é", "汉字", "😀", "x" * 127, "y" * 128, "z" * 300, "naïve" * 40)
EDGE_KEYS = ("_id", "$ref", "$id", "$db", "", "0", "a.b", "é", "ключ", "😀", "k" * 200)
EDGE_MILLIS = (0, -1, 253402300799999, 253402300800000, -62135596800000, -62135596800001, 2**63 - 1, -(2**63) + 1000)
ALPHABET = "abcdefghijklmnopqrstuvwxyz_0123456789"


class Documents:
    """Random encodable documents: `legal=False` adds values that need a custom encoder or cannot be encoded."""

    def __init__(self, seed, legal=True, depth=4):
        self.random = random.Random(seed)
        self.depth = depth
        self.leaves = [
            self.none, self.boolean, self.integer, self.real, self.text, self.text, self.blob, self.date, self.date_ms,
            self.binary, self.object_id, self.regex, self.decimal, self.timestamp, self.int64, self.code, self.constant,
            self.subclass, self.identifier, self.raw,
        ]
        self.branches = [self.mapping, self.mapping, self.sequence, self.reference, self.scoped]
        if not legal:
            self.leaves.append(self.illegal)

    def key(self):
        rnd = self.random
        if rnd.random() < 0.2:
            return rnd.choice(EDGE_KEYS)
        name = "".join(rnd.choices(ALPHABET, k=rnd.randrange(1, 14)))
        return values.Text(name) if rnd.random() < 0.03 else name

    def document(self):
        return self.mapping(0)

    def mapping(self, depth):
        rnd = self.random
        pairs = [(self.key(), self.value(depth + 1)) for _ in range(rnd.randrange(7))]
        kind = rnd.random()
        if kind < 0.6:
            return dict(pairs)
        if kind < 0.64:
            document = dict.fromkeys(("x", "y", "z"), 0) | dict(pairs)
            document.pop(next(iter(document)))
            return document
        cls = rnd.choice((OrderedDict, SON, values.Mapped, values.UserMapping, None, defaultdict))
        if cls is None:
            return values.ReadOnlyMapping(dict(pairs))
        return defaultdict(list, pairs) if cls is defaultdict else cls(pairs)

    def value(self, depth):
        if depth < self.depth and self.random.random() < 0.25:
            return self.random.choice(self.branches)(depth)
        return self.random.choice(self.leaves)()

    def sequence(self, depth):
        rnd = self.random
        items = [self.value(depth + 1) for _ in range(rnd.choice((0, 1, 2, 3, 12)))]
        return rnd.choice((list, list, tuple, values.Sequenced, values.Pair))(items)

    def reference(self, depth):
        rnd = self.random
        database = rnd.choice((None, "db"))
        return DBRef(self.text(), self.value(depth + 1), database, {self.key(): self.value(depth + 1)} if rnd.random() < 0.3 else None)

    def scoped(self, depth):
        return Code(self.text(), self.mapping(depth + 1))

    def none(self):
        return None

    def boolean(self):
        return self.random.random() < 0.5

    def integer(self):
        rnd = self.random
        return rnd.choice((rnd.choice(EDGE_INTS), rnd.randrange(-1000, 1000), rnd.randrange(-(2**63), 2**63)))

    def real(self):
        rnd = self.random
        return rnd.choice((rnd.uniform(-1e6, 1e6), struct.unpack("<d", rnd.randbytes(8))[0], 0.0, -0.0, float("inf")))

    def text(self):
        rnd = self.random
        if rnd.random() < 0.3:
            return rnd.choice(EDGE_TEXTS)
        return "".join(rnd.choices(ALPHABET + "éя汉😀", k=rnd.randrange(20)))

    def blob(self):
        return self.random.randbytes(self.random.randrange(20))

    def date(self):
        rnd = self.random
        when = datetime.datetime(rnd.randrange(2, 9999), rnd.randrange(1, 13), rnd.randrange(1, 29), rnd.randrange(24),
                                 rnd.randrange(60), rnd.randrange(60), rnd.randrange(10**6), fold=rnd.randrange(2))
        if rnd.random() < 0.1:
            when = rnd.choice((datetime.datetime.min, datetime.datetime.max))
        elif rnd.random() < 0.4:
            when = when.replace(tzinfo=rnd.choice(values.TZINFOS))
        return when

    def date_ms(self):
        rnd = self.random
        return DatetimeMS(rnd.choice((rnd.choice(EDGE_MILLIS), rnd.randrange(-(10**13), 10**13))))

    def binary(self):
        rnd = self.random
        pick = rnd.random()
        if pick < 0.2:
            return Binary.from_vector([rnd.randrange(-128, 128) for _ in range(5)], BinaryVectorDtype.INT8)
        if pick < 0.4:
            return Binary(rnd.randbytes(16), rnd.choice((3, 4)))
        return Binary(rnd.randbytes(rnd.randrange(20)), rnd.randrange(0 if EXACT else 5, 256))

    def object_id(self):
        return ObjectId(self.random.randbytes(12))

    def regex(self):
        rnd = self.random
        return rnd.choice((Regex("a.*é", rnd.randrange(128)), re.compile("x+", re.I), re.compile(b"y", re.S), Regex(b"z", "im")))

    def decimal(self):
        rnd = self.random
        return rnd.choice((Decimal128.from_bid(rnd.randbytes(16)), Decimal128("12.50"), Decimal128("NaN")))

    def timestamp(self):
        return Timestamp(self.random.randrange(2**32), self.random.randrange(2**32))

    def int64(self):
        return Int64(self.integer())

    def code(self):
        return Code(self.text())

    def constant(self):
        return self.random.choice((MinKey(), MaxKey(), values.Level.LOW, values.Level.HIGH, values.Name.FIRST))

    def subclass(self):
        return self.random.choice((values.Text("sub"), values.Number(7), values.Number(2**40), values.Real(1.5), values.Blob(b"b")))

    def identifier(self):
        return uuid.UUID(bytes=self.random.randbytes(16))

    def raw(self):
        return RawBSONDocument(encode({"raw": "r" * self.random.choice((1, 5000))}))

    def illegal(self):
        rnd = self.random
        return rnd.choice((
            values.Price(rnd.randrange(9)), values.Wrapped([1, {"a": "b"}]), Decimal("1.5"), frozenset((1, 2)), 2**63, 2**99,
            -(2**63) - 1, object, "\ud800", {1: 2}, {"a\0b": 1}, {"$x": {"y.z": 1}}, re.compile("a\0b"), bytearray(b"x"),
        ))

    def options(self):
        """A random legal CodecOptions."""
        rnd = self.random
        tz_aware = rnd.random() < 0.5
        return CodecOptions(
            document_class=rnd.choice((dict, dict, SON, OrderedDict, RawBSONDocument, values.UserMapping, values.Mapped)),
            tz_aware=tz_aware,
            uuid_representation=rnd.choice(values.UUID_REPRESENTATIONS),
            unicode_decode_error_handler=rnd.choice(values.ERROR_HANDLERS),
            tzinfo=rnd.choice((None, *values.TZINFOS)) if tz_aware else None,
            type_registry=rnd.choice((None, *values.REGISTRIES)),
            datetime_conversion=rnd.choice((1, 1, 2, 3, 4)),
        )
