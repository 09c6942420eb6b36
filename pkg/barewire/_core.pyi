"""Types of the extension module; the faces in this package are the documented way in."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Iterable, Mapping, Sequence
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
def object_id_bytes() -> bytes: ...
def seam_dict_to_bson(
    document: Any, check_keys: bool, codec_options: CodecOptions[Any], top_level: bool = True, /
) -> bytes: ...
def seam_element_to_dict(
    data: bytes, position: int, end: int, codec_options: CodecOptions[Any], raw_array: bool, /
) -> tuple[str, Any, int]: ...
def seam_array_of_documents_to_buffer(array: Any, /) -> bytes: ...
def seam_op_msg(
    flags: int, command: Any, identifier: str, documents: Any, codec_options: CodecOptions[Any], /
) -> tuple[int, bytes, int, int]: ...
def seam_batched_op_msg(
    operation: int, command: Any, documents: Any, acknowledged: bool, codec_options: CodecOptions[Any], context: Any, /
) -> tuple[int, bytes, list[Any]]: ...
def seam_encode_batched_op_msg(
    operation: int, command: Any, documents: Any, acknowledged: bool, codec_options: CodecOptions[Any], context: Any, /
) -> tuple[bytes, list[Any]]: ...
def seam_encode_batched_write_command(
    namespace: str, operation: int, command: Any, documents: Any, codec_options: CodecOptions[Any], context: Any, /
) -> tuple[bytes, list[Any]]: ...

# --- event loops -------------------------------------------------------------------------------------------------------
class Reactor:
    def __init__(self, loop: AbstractEventLoop, /) -> None: ...
    def fileno(self) -> int: ...
    def drain(self) -> int: ...
    def close(self) -> None: ...

def abandon_reactors() -> None: ...

# --- MongoDB -----------------------------------------------------------------------------------------------------------
class MongoEngine:
    epoch: int
    used: bool
    closed: bool
    def __init__(self, settings: dict[str, Any], errors: Any, /) -> None: ...
    def restrict(self, always: bool, timeout: Any, bound_session: Any, logger: Any) -> None: ...
    def direct(self) -> bool: ...
    def close(self) -> None: ...
    def after_fork(self) -> None: ...
    def open_topology(self) -> None: ...
    def check_now(self) -> None: ...
    def wait_topology(self, seen: int, milliseconds: int, /) -> bool: ...
    def topology(self) -> dict[str, Any]: ...
    def pool_stats(self) -> list[dict[str, Any]]: ...
    def cluster_time(self) -> bytes: ...
    def advance_cluster_time(self, document: bytes, /) -> None: ...
    def target(
        self,
        database: str,
        encode: CodecOptions[Any] | None,
        decode: CodecOptions[Any] | None,
        read_preference: Any,
        /,
    ) -> MongoTarget: ...
    def exchange_start(self, address: str, message: bytes, expects_reply: bool, timeout_ms: int, /) -> Future[Any]: ...
    def exchange_run(self, address: str, message: bytes, expects_reply: bool, timeout_ms: int, /) -> Any: ...

class MongoSession: ...

class MongoTarget:
    def start(
        self,
        command: Mapping[str, Any],
        flags: int,
        address: str | None = None,
        session: MongoSession | None = None,
        into: list[Any] | None = None,
        /,
    ) -> Future[Any]: ...
    def run(
        self,
        command: Mapping[str, Any],
        flags: int,
        address: str | None = None,
        session: MongoSession | None = None,
        into: list[Any] | None = None,
        /,
    ) -> Any: ...
    def start_documents(
        self,
        command: Mapping[str, Any],
        flags: int,
        field: str,
        documents: Sequence[Any],
        offset: int = 0,
        ids: list[Any] | None = None,
        /,
    ) -> Future[Any]: ...
    def run_documents(
        self,
        command: Mapping[str, Any],
        flags: int,
        field: str,
        documents: Sequence[Any],
        offset: int = 0,
        ids: list[Any] | None = None,
        /,
    ) -> Any: ...
    def encode_chunk(
        self,
        command: Mapping[str, Any],
        flags: int,
        stream: DocumentStream,
        count: int,
        ids: list[Any] | None = None,
        /,
    ) -> MongoMessage | None: ...

class MongoMessage:
    count: int
    def start(self) -> Future[Any]: ...
    def run(self) -> Any: ...

class DocumentStream:
    taken: int
    def __init__(self, documents: Iterable[Any], /) -> None: ...

SHAPE_MASK: int
SHAPE_NOTHING: int
SHAPE_DOCUMENT: int
SHAPE_FIRST: int
SHAPE_BATCH: int
SHAPE_COUNTED: int
SHAPE_MESSAGE: int
CHECK_MASK: int
CHECK_NOTHING: int
CHECK_COMMAND: int
CHECK_CONCERN: int
CHECK_WRITE: int
CHECK_MISSING_ALLOWED: int
CHECK_CURSOR: int
RETRY_MASK: int
RETRY_READ: int
RETRY_WRITE: int
