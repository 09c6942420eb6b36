"""Digests of rows, equal for every peer and for the native programs. No comparison lives here."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def rows_digest(rows: Iterable[Sequence[Any]], plain: Callable[[Any], Any] | None = None) -> str:
    """Of rows in their order, values *and types*; ``plain`` brings what drivers give back differently into one form."""
    digest = hashlib.blake2b(digest_size=16)
    count = 0
    for row in rows:
        values = tuple(row) if plain is None else tuple(map(plain, row))
        digest.update(repr(values).encode("utf-8", "surrogatepass"))
        count += 1
    return f"{count}:{digest.hexdigest()}"


def first_column_digest(values: Iterable[Any]) -> str:
    """``count:sum`` of the CRC-32 of the binary form of each row's first value, an int4 or a text: what the native
    programs compute."""
    count = total = 0
    for value in values:
        total += zlib.crc32(struct.pack(">i", value) if isinstance(value, int) else value.encode())
        count += 1
    return f"{count}:{total}"
