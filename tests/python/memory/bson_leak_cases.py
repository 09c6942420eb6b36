# Run as a program: repeats one named codec call many times and prints how references and memory moved. No assertions.
"""Usage: python bson_leak_cases.py NAME COUNT. What is printed is said in leak_run.py."""
import datetime
import re
import uuid
from collections import OrderedDict
from decimal import Decimal

import bson
import leak_run
from barewire import bson as codec
from bson import Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary
from bson.codec_options import CodecOptions, TypeCodec, TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from leak_run import refused

KEY, VALUE = "a_key_of_the_test", "a value of the test"
STANDARD = CodecOptions(uuid_representation=4)


class DecimalCodec(TypeCodec):
    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value):
        return Decimal128(value)

    def transform_bson(self, value):
        return value.to_decimal()


class Refusing(TypeDecoder):
    bson_type = str

    def transform_bson(self, value):
        raise LookupError(VALUE)


class Mapped(dict):
    pass


REGISTRY = CodecOptions(type_registry=TypeRegistry([DecimalCodec()], fallback_encoder=repr))
EVERYTHING = {
    KEY: VALUE, "_id": ObjectId(), "none": None, "bool": True, "int": 5, "long": 2**40, "int64": Int64(2**50), "float": 2.5,
    "bytes": b"b", "binary": Binary(b"x", 5), "uuid": uuid.uuid4(), "date": datetime.datetime(2024, 1, 2, 3, 4, 5),
    "aware": datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))), "ms": DatetimeMS(5),
    "regex": Regex("a", 2), "native": re.compile("b"), "code": Code("c"), "scope": Code("c", {KEY: VALUE}),
    "stamp": Timestamp(1, 2), "decimal": Decimal128("1.5"), "min": MinKey(), "max": MaxKey(), "ref": DBRef("c", VALUE, "d"),
    "raw": RawBSONDocument(bson.encode({KEY: VALUE})), "list": [VALUE, [VALUE], {KEY: VALUE}], "tuple": (1, VALUE),
    "doc": {KEY: {KEY: VALUE}}, "ordered": OrderedDict({KEY: VALUE}), "é": "é汉字",
}
DATA = bson.encode(EVERYTHING, codec_options=STANDARD)
SMALL = bson.encode({KEY: VALUE, "n": 1})
FAILING = {KEY: VALUE, "list": [VALUE, {KEY: object}]}
BAD_KEY = {KEY: VALUE, "inner": {1: VALUE}}
SURROGATE = {KEY: "\ud800", "x": VALUE}
RAW = CodecOptions(document_class=RawBSONDocument)
AWARE = CodecOptions(tz_aware=True, tzinfo=datetime.timezone(datetime.timedelta(hours=1)), uuid_representation=4)
MAPPED = CodecOptions(document_class=Mapped)
REFUSING = CodecOptions(type_registry=TypeRegistry([Refusing()]))


CASES = {
    "encode": lambda: codec.encode(EVERYTHING, codec_options=STANDARD),
    "encode_many": lambda: codec.encode_many([EVERYTHING, EVERYTHING], codec_options=STANDARD),
    "encode_registry": lambda: codec.encode({KEY: Decimal("1.5"), "x": [range(3)]}, codec_options=REGISTRY),
    "encode_new_keys": lambda: codec.encode({VALUE + KEY: VALUE * 2}),
    "encode_unknown_type": lambda: refused(codec.encode, FAILING),
    "encode_bad_key": lambda: refused(codec.encode, BAD_KEY),
    "encode_surrogate": lambda: refused(codec.encode, SURROGATE),
    "encode_too_large": lambda: refused(codec.encode, {KEY: 2**70}),
    "encode_checked_key": lambda: refused(codec.encode, {"$" + KEY: VALUE}, True),
    "encode_no_mapping": lambda: refused(codec.encode, [VALUE]),
    "encode_many_refused": lambda: refused(codec.encode_many, [EVERYTHING, FAILING]),
    "decode": lambda: codec.decode(DATA, STANDARD),
    "decode_aware": lambda: codec.decode(DATA, AWARE),
    "decode_mapped": lambda: codec.decode(DATA, MAPPED),
    "decode_raw": lambda: dict(codec.decode(DATA, RAW)),
    "decode_registry": lambda: codec.decode(DATA, REGISTRY),
    "decode_all": lambda: codec.decode_all(SMALL * 3),
    "decode_iter": lambda: list(codec.decode_iter(SMALL * 3)),
    "decode_cut": lambda: refused(codec.decode, DATA[:-7]),
    "decode_damaged": lambda: refused(codec.decode, DATA[:-40] + b"\xff" * 39 + b"\0"),
    "decode_inner_error": lambda: refused(codec.decode, DATA.replace(b"value", b"val\xff\xff")),
    "decode_refusing": lambda: refused(codec.decode, DATA, REFUSING),
    "decode_all_damaged": lambda: refused(codec.decode_all, SMALL * 3 + b"\7\0\0\0\0\0\0"),
    "is_valid": lambda: (codec.is_valid(DATA), codec.is_valid(DATA[:-1])),
    "options": lambda: codec.encode({KEY: VALUE}, codec_options=CodecOptions(tz_aware=True)),
}
SHARED = {
    "key": KEY, "value": VALUE, "document": EVERYTHING, "list": EVERYTHING["list"], "failing": FAILING, "data": DATA,
    "options": STANDARD, "aware": AWARE, "tzinfo": AWARE.tzinfo, "registry": REGISTRY.type_registry, "None": None, "True": True,
    "ObjectId": ObjectId, "Binary": Binary, "Regex": Regex, "Mapped": Mapped, "dict": dict, "utc": bson.utc, "raw": EVERYTHING["raw"],
    "int": 5, "empty": "", "empty bytes": b"", "object": object, "UUID": uuid.UUID, "RawBSONDocument": RawBSONDocument,
}


if __name__ == "__main__":
    leak_run.main(CASES, SHARED)
