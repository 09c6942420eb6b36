# PyMongo's pools with the engine in the place of sockets, for the inherited methods. No operations of our own here.
"""`EnginePool` and its blocking twin: every message PyMongo writes goes through `_core.MongoEngine.exchange`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from pymongo.hello import Hello
from pymongo.monitoring import ConnectionClosedReason
from pymongo.server_type import SERVER_TYPE

from barewire.mongo._seam import AsyncConnection, AsyncPool, Connection, Pool
from barewire.mongo._uri import address_text

if TYPE_CHECKING:
    from barewire.mongo._engine import Link

_OP_MSG = 2013
_HEADER = struct.Struct("<iiii")
_FLAGS_AT = 16
_MORE_TO_COME = 0x2
_EXHAUST_ALLOWED = 0x10000
_REPL_TYPES = (
    SERVER_TYPE.RSPrimary,
    SERVER_TYPE.RSSecondary,
    SERVER_TYPE.RSArbiter,
    SERVER_TYPE.RSOther,
    SERVER_TYPE.RSGhost,
)


def _without_exhaust(message: bytes) -> tuple[bytes, bool]:
    """The message with its exhaust flag cleared, so that no stream outlives its request; and whether a reply comes."""
    flags = int.from_bytes(message[_FLAGS_AT : _FLAGS_AT + 4], "little")
    if flags & _EXHAUST_ALLOWED:
        flags &= ~_EXHAUST_ALLOWED
        message = message[:_FLAGS_AT] + flags.to_bytes(4, "little") + message[_FLAGS_AT + 4 :]
    return message, not flags & _MORE_TO_COME


class _Exchange:
    """What both twins have in common; stands where PyMongo keeps its network interface."""

    def __init__(self, link: Link, address: Any, timeout: float | None) -> None:
        self._link = link
        self._address = address_text(address)
        self._timeout = timeout
        self._closed = False

    @property
    def get_conn(self) -> _Exchange:
        return self

    @property
    def sock(self) -> None:
        return None

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def is_closing(self) -> bool:
        return self._closed

    def _milliseconds(self) -> int:
        return 0 if self._timeout is None else max(1, int(self._timeout * 1000))

    def _engine(self) -> Any:
        if self._closed or self._link.engine is None:
            raise OSError("connection closed")
        return self._link.engine


class EngineProtocol(_Exchange):
    """One request and its reply at a time; the engine chooses the connection for each."""

    _reply: Any = None

    @property
    def gettimeout(self) -> float | None:
        return self._timeout

    async def write(self, message: bytes) -> None:
        message, expects_reply = _without_exhaust(bytes(message))
        # PyMongo itself enforces the timeout, by cancelling read().
        reply = self._engine().exchange_start(self._address, message, expects_reply, 0)
        if expects_reply:
            self._reply = reply
        else:
            await reply

    async def read(self, request_id: int | None, max_message_size: int) -> tuple[bytes, int]:
        reply, self._reply = self._reply, None
        if reply is None:
            raise OSError("connection closed")
        return await reply, _OP_MSG

    async def close(self) -> None:
        self._closed = True
        if self._reply is not None:
            self._reply.cancel()
            self._reply = None


class EngineSocket(_Exchange):
    """The blocking twin: `sendall` does the whole exchange, `recv_into` hands its reply over."""

    _reply: memoryview | None = None

    def gettimeout(self) -> float | None:
        return self._timeout

    def sendall(self, message: bytes) -> None:
        message, expects_reply = _without_exhaust(bytes(message))
        request_id = _HEADER.unpack_from(message)[1]
        body = self._engine().exchange_run(self._address, message, expects_reply, self._milliseconds())
        if expects_reply:
            self._reply = memoryview(_HEADER.pack(_HEADER.size + len(body), 0, request_id, _OP_MSG) + body)

    def recv_into(self, buffer: Any) -> int:
        if not self._reply:
            return 0
        size = min(len(buffer), len(self._reply))
        buffer[:size] = self._reply[:size]
        self._reply = self._reply[size:]
        return size

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self._closed = True
        self._reply = None


class _NeverClosedByPeer:
    """Connections of the engine are checked by the engine."""

    def socket_closed(self, sock: _Exchange) -> bool:
        return sock.is_closing()


def _prepare(conn: Any) -> None:
    conn.performed_handshake = True
    conn.op_msg_enabled = True  # up to 4.15 (the older protocol otherwise)
    conn.ready = True  # the engine authenticates
    conn.socket_checker = _NeverClosedByPeer()
    conn.compression_settings = None  # never offered: the engine frames plain OP_MSG


def _learn(conn: Any, document: dict[str, Any]) -> None:
    """What PyMongo's own handshake writes down from the hello reply."""
    hello = Hello(document)
    conn.hello_ok = conn.hello_ok or hello.hello_ok
    conn.is_writable = hello.is_writable
    conn.max_wire_version = hello.max_wire_version
    conn.max_bson_size = hello.max_bson_size
    conn.max_message_size = hello.max_message_size
    conn.max_write_batch_size = hello.max_write_batch_size
    conn.supports_sessions = hello.logical_session_timeout_minutes is not None and hello.is_readable
    conn.logical_session_timeout_minutes = hello.logical_session_timeout_minutes
    conn.is_repl = hello.server_type in _REPL_TYPES
    conn.is_standalone = hello.server_type == SERVER_TYPE.Standalone
    conn.is_mongos = hello.server_type == SERVER_TYPE.Mongos


class EnginePool(AsyncPool):
    """Counts, pauses and clears as PyMongo's pool does; its connections are tickets for `MongoEngine.exchange`."""

    def __init__(self, link: Link, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._link = link

    async def connect(self, handler: Any = None) -> AsyncConnection:
        if self._link.engine is None:
            return await super().connect(handler)
        async with self.lock:
            number = self.next_connection_id
            self.next_connection_id += 1
        exchange = EngineProtocol(self._link, self.address, self.opts.connect_timeout)
        conn = AsyncConnection(exchange, self, self.address, number, self.is_sdam)
        _prepare(conn)
        async with self.lock:
            self.active_contexts.add(conn.cancel_context)
        try:
            _learn(conn, await conn.command("admin", conn.hello_cmd(), publish_events=False))
            exchange.settimeout(self.opts.socket_timeout)
            self.is_writable = conn.is_writable
            if handler:
                handler.contribute_socket(conn, completed_handshake=True)
        except BaseException:
            async with self.lock:
                self.active_contexts.discard(conn.cancel_context)
            await conn.close_conn(ConnectionClosedReason.ERROR)
            raise
        return conn


class BlockingEnginePool(Pool):
    """The twin of `EnginePool` for MongoClient."""

    def __init__(self, link: Link, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._link = link

    def connect(self, handler: Any = None) -> Connection:
        if self._link.engine is None:
            return super().connect(handler)
        with self.lock:
            number = self.next_connection_id
            self.next_connection_id += 1
        exchange = EngineSocket(self._link, self.address, self.opts.connect_timeout)
        conn = Connection(exchange, self, self.address, number, self.is_sdam)
        _prepare(conn)
        with self.lock:
            self.active_contexts.add(conn.cancel_context)
        try:
            _learn(conn, conn.command("admin", conn.hello_cmd(), publish_events=False))
            exchange.settimeout(self.opts.socket_timeout)
            self.is_writable = conn.is_writable
            if handler:
                handler.contribute_socket(conn, completed_handshake=True)
        except BaseException:
            with self.lock:
                self.active_contexts.discard(conn.cancel_context)
            conn.close_conn(ConnectionClosedReason.ERROR)
            raise
        return conn
