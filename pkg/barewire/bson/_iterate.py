"""Decoding documents one by one from a buffer or a file; the decoding itself is `barewire._core.decode`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Any

from bson.codec_options import CodecOptions
from bson.errors import InvalidBSON

from barewire._core import decode

_length = struct.Struct("<i")


def decode_iter(data: bytes, codec_options: CodecOptions[Any] | None = None) -> Iterator[Any]:
    """Yields the documents that lie back to back in `data`, one at a time.

    Each is an instance of `codec_options.document_class` (dict by default). Raises, when it gets there,
    `bson.errors.InvalidBSON` for an invalid document, `struct.error` if fewer than 4 bytes are left for a length prefix,
    and TypeError if `codec_options` is no CodecOptions.
    """
    if codec_options and not isinstance(codec_options, CodecOptions):
        raise TypeError("codec_options must be an instance of CodecOptions")
    position, last = 0, len(data) - 1
    while position < last:
        size = _length.unpack_from(data, position)[0]
        document = data[position : position + size]
        position += size
        yield decode(document, codec_options)


def decode_file_iter(file_obj: IO[bytes], codec_options: CodecOptions[Any] | None = None) -> Iterator[Any]:
    """Yields the documents of a binary file, reading one at a time.

    Each is an instance of `codec_options.document_class` (dict by default). Raises `bson.errors.InvalidBSON` for an invalid
    document or a file that ends inside one.
    """
    while True:
        prefix = file_obj.read(4)
        if not prefix:
            return
        if len(prefix) != 4:
            raise InvalidBSON("cut off in middle of objsize")
        rest = max(0, _length.unpack(prefix)[0] - 4)
        yield decode(prefix + file_obj.read(rest), codec_options)
