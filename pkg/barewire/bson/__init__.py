"""BSON at wire speed: the functions of PyMongo's `bson`, with the same results, value types and errors.

The value types (`ObjectId`, `Decimal128`, `CodecOptions`, ...) are those of the `bson` package itself and are not repeated
here. Format: bsonspec.org, version 1.1.
"""

from __future__ import annotations

from barewire._core import decode, decode_all, encode, encode_many, is_valid
from barewire.bson._accelerate import SeamError, accelerate, is_accelerated, restore
from barewire.bson._iterate import decode_file_iter, decode_iter

__all__ = [
    "SeamError",
    "accelerate",
    "decode",
    "decode_all",
    "decode_file_iter",
    "decode_iter",
    "encode",
    "encode_many",
    "is_accelerated",
    "is_valid",
    "restore",
]
