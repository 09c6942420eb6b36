# What the extension calls to learn which of PyMongo's exceptions a failure or a server's refusal is. No operations here.
"""Failures and refusals -> pymongo.errors, with PyMongo's classes, labels and texts."""

from __future__ import annotations

import asyncio
import errno
import inspect
import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    DocumentTooLarge,
    InvalidOperation,
    OperationFailure,
    ProtocolError,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
from pymongo.hello import Hello
from pymongo.server_description import ServerDescription
from pymongo.server_selectors import writable_server_selector

from barewire import _core
from barewire.mongo._seam import (
    Topology,
    TopologyDescription,
    _add_retryable_write_error,
    _check_command_response,
    _check_write_command_response,
    _get_timeout_details,
    _raise_connection_failure,
    _raise_document_too_large,
    updated_topology_description,
    validate_is_document_type,
)

if TYPE_CHECKING:
    from barewire.mongo._engine import Link

_POOL_OPTIONS_IN_TEXT = "pool_opts" in inspect.signature(_check_command_response).parameters  # 4.16
_LABEL_NEEDS_VERSION = "max_wire_version" in inspect.signature(_add_retryable_write_error).parameters  # up to 4.16


class Errors:
    """Two questions, each answered by an exception object that the extension raises or sets on a future."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def reply(self, document: Mapping[str, Any], flags: int, max_wire_version: int, mongos: bool) -> Exception | None:
        """The exception for a reply that is not plain success; None when PyMongo would let it pass.

        `flags` are those of the operation (`_core.CHECK_*`, `_core.RETRY_*`).
        """
        check = flags & _core.CHECK_MASK
        try:
            if check == _core.CHECK_WRITE:
                _check_command_response(document, max_wire_version)
                _check_write_command_response(document)
            elif check == _core.CHECK_CURSOR and _POOL_OPTIONS_IN_TEXT:
                _check_command_response(document, max_wire_version, pool_opts=self._options().pool_options)
            elif check == _core.CHECK_CURSOR:
                _check_command_response(document, max_wire_version)
            elif check != _core.CHECK_NOTHING:
                _check_command_response(
                    document,
                    max_wire_version,
                    (26,) if check == _core.CHECK_MISSING_ALLOWED else None,
                    parse_write_concern_error=check != _core.CHECK_COMMAND,
                )
        except PyMongoError as error:
            if flags & _core.RETRY_WRITE:
                return _labelled(error, max_wire_version, mongos)
            return error
        return None

    def failure(self, kind: str, code: int, message: str, address: str, flags: int, selector: Any) -> Exception:
        """The exception for an operation that got no reply. `kind` is the name of net::Failure::Kind, `code` an errno."""
        client = self._link.client() if self._link.client is not None else None
        if kind == "closed":
            return InvalidOperation(f"Cannot use {_face(client)} after close")
        if kind == "configuration":
            return ConfigurationError(message)
        if kind == "authentication":
            code = code or 18
            details = {"ok": 0.0, "errmsg": message, "code": code, "codeName": "AuthenticationFailed"}
            return OperationFailure(message, code, details)
        if kind == "protocol":
            return ProtocolError(message)
        if kind == "cancelled":
            return asyncio.CancelledError(message)  # type: ignore[return-value]
        if kind == "wait_queue_timeout":
            pool = self._options().pool_options
            return WaitQueueTimeoutError(
                "Timed out while checking out a connection from connection pool. "
                f"maxPoolSize: {pool.max_pool_size}, timeout: {pool.wait_queue_timeout}"
            )
        if flags & _core.SHAPE_MASK == _core.SHAPE_MESSAGE:
            return _system_error(kind, code, message)  # PyMongo wraps it itself
        if kind == "server_selection":
            return self._selection_error(client, message, writable_server_selector if selector is None else selector)
        error = connection_error(self._link.addresses[address], kind, code, message, self._options().pool_options)
        if flags & _core.RETRY_WRITE and self._options().retry_writes:
            error._add_error_label("RetryableWriteError")
        return error

    def too_large(self, name: str, size: int, limit: int) -> Exception:
        """DocumentTooLarge for a command or document of `size` bytes."""
        try:
            _raise_document_too_large(name, size, limit)
        except DocumentTooLarge as error:
            return error.with_traceback(None)

    def prepare_document(self, document: Any) -> None:
        """PyMongo's check of a document to insert, and its `_id`."""
        validate_is_document_type("document", document)
        if not isinstance(document, RawBSONDocument) and "_id" not in document:
            document["_id"] = bson.ObjectId()

    def _options(self) -> Any:
        client = self._link.client() if self._link.client is not None else None
        return client.options if client is not None else None

    def _selection_error(self, client: Any, message: str, selector: Any) -> Exception:
        if client is None or client._topology_settings is None or self._link.engine is None:
            return ServerSelectionTimeoutError(message)
        settings = client._topology_settings
        description = TopologyDescription(
            settings.get_topology_type(), settings.get_server_descriptions(), settings.replica_set_name, None, None, settings
        )
        described = server_descriptions(self._link, self._link.engine.topology())
        for _ in range(2):  # the first round may add the set's other members
            for server in described:
                if description.has_server(server.address):
                    description = updated_topology_description(description, server)
        seen = SimpleNamespace(
            _description=description, _settings=settings, _seed_addresses=list(settings.get_server_descriptions())
        )
        text = Topology._error_message(seen, selector)
        return ServerSelectionTimeoutError(
            f"{text}, Timeout: {client.options.server_selection_timeout}s, Topology Description: {description!r}"
        )


def server_descriptions(link: Link, view: Mapping[str, Any]) -> list[ServerDescription]:
    """What the engine's monitors know (`MongoEngine.topology()`), as PyMongo describes servers; the primary first."""
    options = link.client().options.pool_options if link.client is not None and link.client() is not None else None
    found = []
    for server in view["servers"]:
        address = link.addresses[server["address"]]
        if server["hello"]:
            hello = Hello(bson.decode(server["hello"]))
            round_trip = max(server["round_trip_microseconds"], 0) / 1e6
            description = ServerDescription(address, hello, round_trip, min_round_trip_time=round_trip)
        elif server["error"]:
            # PyMongo's monitors use the connect timeout for both.
            pool = SimpleNamespace(socket_timeout=options.connect_timeout, connect_timeout=options.connect_timeout) if options else None
            error = connection_error(address, "network", server["error_code"], server["error"], pool)
            description = ServerDescription(address, error=error)
        else:
            description = ServerDescription(address)
        found.append(description)
    return sorted(found, key=lambda description: not description.is_writable)


def _face(client: Any) -> str:
    return "AsyncMongoClient" if client is not None and hasattr(client, "aclose") else "MongoClient"


def _system_error(kind: str, code: int, message: str) -> OSError:
    if kind == "network_timeout" or code == errno.ETIMEDOUT:
        return TimeoutError("timed out")
    return OSError(code, os.strerror(code)) if code else OSError(message)


def connection_error(address: Any, kind: str, code: int, message: str, pool_options: Any) -> AutoReconnect:
    """AutoReconnect or NetworkTimeout with PyMongo's text; `__cause__` is the OSError, as PyMongo has it."""
    details = _get_timeout_details(pool_options) if pool_options is not None else None
    try:
        _raise_connection_failure(address, _system_error(kind, code, message), timeout_details=details)
    except AutoReconnect as error:
        return error.with_traceback(None)


def _labelled(error: PyMongoError, max_wire_version: int, mongos: bool) -> Exception:
    try:
        if _LABEL_NEEDS_VERSION:
            _add_retryable_write_error(error, max_wire_version, mongos)
        else:
            _add_retryable_write_error(error)
    except OperationFailure as clearer:  # "does not support retryable writes"
        return clearer
    return error
