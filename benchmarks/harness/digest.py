"""Digests of documents, equal for every peer and for the native programs. No comparison lives here."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import bson


def documents_digest(documents: Iterable[Mapping[str, Any]], drop_id: bool = False) -> str:
    """``count:sum`` where sum adds the CRC-32 of each document's BSON: the order of documents does not matter.

    The native programs compute the same over the raw replies. ``drop_id`` leaves ``_id`` out, for inserts where each
    peer makes its own.
    """
    count = total = 0
    for document in documents:
        if drop_id:
            document = {key: value for key, value in document.items() if key != "_id"}
        total += zlib.crc32(bson.encode(document))
        count += 1
    return f"{count}:{total}"


def bytes_digest(data: bytes) -> str:
    return f"{len(data)}:{hashlib.blake2b(data, digest_size=16).hexdigest()}"


def objects_digest(objects: Iterable[Any]) -> str:
    """Digest of values *and types*: representations tell an int from an Int64 and a float from a Decimal128."""
    digest = hashlib.blake2b(digest_size=16)
    count = 0
    for item in objects:
        digest.update(repr(item).encode("utf-8", "surrogatepass"))
        count += 1
    return f"{count}:{digest.hexdigest()}"
