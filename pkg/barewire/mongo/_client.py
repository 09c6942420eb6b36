# MongoClient and Database: PyMongo's, with the engine below; every method not named here is inherited.
"""Blocking client. Generated from their asyncio twin by tools/gen_sync.py: change that file."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import bson
from pymongo.synchronous.database import Database as _Database
from pymongo.synchronous.mongo_client import MongoClient as _MongoClient
from pymongo.errors import PyMongoError
from pymongo.read_preferences import ReadPreference

from barewire.mongo._collection import Collection
from barewire.mongo._commands import COMMAND, COMMAND_UNCHECKED
from barewire.mongo._engine import Link
from barewire.mongo._monitor import blocking_monitor
from barewire.mongo._pool import BlockingEnginePool
from barewire.mongo._seam import BOUND_SESSION
from barewire.mongo._uri import address_text

# Commands whose documents PyMongo moves into a document sequence, or that belong to a session or a server.
_INHERITED_COMMANDS = frozenset(
    ["insert", "update", "delete", "bulkWrite", "getMore", "killCursors", "commitTransaction", "abortTransaction"]
)


class Database(_Database):
    __doc__ = _Database.__doc__

    # codec options -> MongoTarget of `command`
    _targets: dict[Any, Any] | None = None

    def __getitem__(self, name: str) -> Collection:
        return Collection(self, name)

    def get_collection(
        self, name: str, codec_options=None, read_preference=None, write_concern=None, read_concern=None
    ) -> Collection:
        return Collection(self, name, False, codec_options, read_preference, write_concern, read_concern)

    def with_options(
        self, codec_options=None, read_preference=None, write_concern=None, read_concern=None
    ) -> Database:
        return Database(
            self._client,
            self._name,
            codec_options or self.codec_options,
            read_preference or self.read_preference,
            write_concern or self.write_concern,
            read_concern or self.read_concern,
        )

    def create_collection(
        self,
        name: str,
        codec_options=None,
        read_preference=None,
        write_concern=None,
        read_concern=None,
        session=None,
        check_exists: bool | None = True,
        **kwargs: Any,
    ) -> Collection:
        super().create_collection(
            name, codec_options, read_preference, write_concern, read_concern, session, check_exists, **kwargs
        )
        return Collection(self, name, False, codec_options, read_preference, write_concern, read_concern)

    def command(
        self,
        command: Any,
        value: Any = 1,
        check: bool = True,
        allowable_errors: Any = None,
        read_preference: Any = None,
        codec_options: Any = None,
        session: Any = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> Any:
        engine = self._client._link.engine
        name = command if isinstance(command, str) else next(iter(command), None)
        if (
            session is None
            and not allowable_errors
            and engine is not None
            and engine.direct()
            and name is not None
            and name not in _INHERITED_COMMANDS
            and (codec_options is None or not codec_options.type_registry._decoder_map)
            and (read_preference is None or read_preference.max_staleness == -1)
        ):
            document = {command: value} if isinstance(command, str) else dict(command)
            document.update(kwargs)
            if comment is not None:
                document["comment"] = comment
            if self._targets is None:
                self._targets = {}
            key = (codec_options, read_preference)
            target = self._targets.get(key)
            if target is None:
                target = engine.target(
                    self._name, codec_options, codec_options, read_preference or ReadPreference.PRIMARY
                )
                if len(self._targets) < 16:
                    self._targets[key] = target
            return target.run(document, COMMAND if check else COMMAND_UNCHECKED)
        return super().command(
            command, value, check, allowable_errors, read_preference, codec_options, session, comment, **kwargs
        )


class MongoClient(_MongoClient):
    __doc__ = _MongoClient.__doc__

    def __init__(
        self,
        host: Any = None,
        port: int | None = None,
        document_class: Any = None,
        tz_aware: bool | None = None,
        connect: bool | None = None,
        type_registry: Any = None,
        **kwargs: Any,
    ) -> None:
        link = self.__dict__["_link"] = Link(BOUND_SESSION)
        self.__dict__["_constructed"] = False
        kwargs["_pool_class"] = functools.partial(BlockingEnginePool, link)
        kwargs["_monitor_class"] = functools.partial(blocking_monitor, link)
        super().__init__(host, port, document_class, tz_aware, connect, type_registry, **kwargs)
        for name in ("_pool_class", "_monitor_class"):
            self._init_kwargs.pop(name, None)  # a duplicate makes its own
        self._constructed = True
        link.bind(self)

    def __getitem__(self, name: str) -> Database:
        return Database(self, name)

    def get_database(
        self, name=None, codec_options=None, read_preference=None, write_concern=None, read_concern=None
    ) -> Database:
        if name is None:
            name = super().get_database().name  # raises when the URI names none
        return Database(self, name, codec_options, read_preference, write_concern, read_concern)

    def get_default_database(
        self, default=None, codec_options=None, read_preference=None, write_concern=None, read_concern=None
    ) -> Database:
        name = super().get_default_database(default).name
        return Database(self, name, codec_options, read_preference, write_concern, read_concern)

    def _get_topology(self) -> Any:
        if not self._constructed:
            return self._topology  # nothing is opened by constructing a client
        return super()._get_topology()

    def _kill_cursors(self, cursor_ids: Any, address: Any, topology: Any, session: Any) -> None:
        engine = self._link.engine
        if engine is None or session is not None or address is None:
            super()._kill_cursors(cursor_ids, address, topology, session)
            return
        database, _, name = address.namespace.partition(".")
        target = engine.target(database, None, None, None)
        target.run({"killCursors": name, "cursors": list(cursor_ids)}, COMMAND, address_text(tuple(address)))

    def _process_kill_cursors(self) -> None:
        pinned, dropped = [], {}
        while self._kill_cursors_queue:
            address, cursor_id, conn_mgr = entry = self._kill_cursors_queue.pop()
            if conn_mgr or self._link.engine is None:
                pinned.append(entry)
            else:
                dropped.setdefault(address, []).append(cursor_id)
        for address, cursor_ids in dropped.items():
            try:
                self._kill_cursors(cursor_ids, address, None, None)
            except PyMongoError:
                pass  # the server forgets them in time
        if pinned:
            self._kill_cursors_queue.extend(pinned)
            super()._process_kill_cursors()

    # $clusterTime is one for the whole client, whichever way a command takes.
    def _send_cluster_time(self, command: Any, session: Any) -> None:
        engine = self._link.engine
        if engine is not None and engine.used:
            seen = engine.cluster_time()
            if seen:
                self._topology._receive_cluster_time_no_lock(bson.decode(seen))
        super()._send_cluster_time(command, session)

    def _process_response(self, reply: Any, session: Any) -> None:
        super()._process_response(reply, session)
        seen = reply.get("$clusterTime")
        if seen and self._link.engine is not None:
            self._link.engine.advance_cluster_time(bson.encode(seen))

    def close(self) -> None:
        try:
            if not self._link.closed:
                super().close()
        finally:
            self._closed = True
            self._link.close()

    def __del__(self) -> None:
        try:
            if self._link.used and not self._opened and not self._closed:
                warnings.warn(
                    f"Unclosed {type(self).__name__} opened at:\n{self._topology_settings._stack}"
                    f"Call {type(self).__name__}.close() to safely shut down your client and free up resources.",
                    ResourceWarning,
                    stacklevel=2,
                )
            else:
                super().__del__()
        except (AttributeError, TypeError, KeyError):
            pass  # not constructed, or the interpreter is going down

