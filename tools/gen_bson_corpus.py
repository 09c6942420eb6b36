#!/usr/bin/env python3
"""Writes the seed corpus of the BSON fuzz targets: tests/fuzz/corpus/fuzz_bson_reader/*.bson.

Deterministic: running it again gives the same files. The documents are made with PyMongo's `bson`; the types that it no
longer writes are spelled out in bytes.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import bson
from bson.binary import Binary

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "corpus" / "fuzz_bson_reader"
OID = bson.ObjectId("507f1f77bcf86cd799439011")


def document(elements: bytes) -> bytes:
    return (len(elements) + 5).to_bytes(4, "little") + elements + b"\0"


def text(content: bytes) -> bytes:
    return (len(content) + 1).to_bytes(4, "little") + content + b"\0"


SEEDS = {
    "empty": {},
    "flat": {"_id": OID, "name": "User1", "age": 20, "score": 1.5, "active": True, "none": None},
    "nested": {"a": {"b": {"c": [1, 2, {"d": []}, [[], [None]]]}}, "l": [{"x": 1}, {"x": 2}]},
    "numbers": {"i": -1, "l": bson.Int64(2**62), "d": bson.Decimal128("1.5"), "f": float("inf")},
    "texts": {"accent": "é", "wide": "日本語", "nul": "a\0b", "ключ": "v"},
    "binary": {"b": b"abc", "old": Binary(b"zz", 2), "uuid": Binary(bytes(16), 4), "user": Binary(b"", 255)},
    "special": {"d": datetime.datetime(2020, 1, 2), "t": bson.Timestamp(1, 2), "min": bson.MinKey(), "max": bson.MaxKey(),
                "re": bson.Regex("a.b", "im"), "code": bson.Code("f()"), "scope": bson.Code("g()", {"x": 1}),
                "ref": bson.DBRef("c", OID, "db")},
    "reply": {"cursor": {"firstBatch": [{"_id": 1}, {"_id": 2}], "id": bson.Int64(77), "ns": "db.c"}, "ok": 1.0,
              "$clusterTime": {"clusterTime": bson.Timestamp(1, 2), "signature": {"hash": bytes(20), "keyId": bson.Int64(0)}},
              "operationTime": bson.Timestamp(1, 2)},
    "write_error": {"n": 0, "writeErrors": [{"index": 0, "code": 11000, "keyPattern": {"_id": 1}, "errmsg": "dup"}], "ok": 1.0},
}
DEPRECATED = {
    "undefined": document(b"\x06u\0"),
    "pointer": document(b"\x0cp\0" + text(b"coll") + bytes(range(12))),
    "symbol": document(b"\x0es\0" + text(b"sym")),
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, value in SEEDS.items():
        (FOLDER / f"{name}.bson").write_bytes(bson.encode(value))
    for name, data in DEPRECATED.items():
        (FOLDER / f"{name}.bson").write_bytes(data)


if __name__ == "__main__":
    main()
