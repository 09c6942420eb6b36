"""BSON at wire speed: the functions of PyMongo's `bson`, with the same results, value types and errors.

The value types (`ObjectId`, `Decimal128`, `CodecOptions`, ...) are those of the `bson` package itself and are not repeated
here. Format: bsonspec.org, version 1.1.
"""

from __future__ import annotations

from barewire._core import encode, encode_many

__all__ = ["encode", "encode_many"]
