"""Types of the extension module; the faces in this package are the documented way in."""

from collections.abc import Iterable, Mapping
from typing import Any

from bson.codec_options import CodecOptions

def encode(
    document: Mapping[str, Any], check_keys: bool = False, codec_options: CodecOptions[Any] = ...
) -> bytes: ...
def encode_many(
    documents: Iterable[Mapping[str, Any]], check_keys: bool = False, codec_options: CodecOptions[Any] = ...
) -> bytes: ...
def insert_batches(
    documents: Iterable[Any],
    write_back: bool = True,
    max_documents: int = ...,
    max_bytes: int = ...,
    max_document_size: int = ...,
) -> tuple[list[tuple[bytes, int, str]], list[Any]]: ...
def internals() -> dict[str, Any]: ...
