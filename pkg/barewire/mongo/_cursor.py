# Cursor and CommandCursor: PyMongo's, whose batches come straight from the engine as lists.
"""Blocking cursors. Generated from their asyncio twin by tools/gen_sync.py: change that file.

A cursor that the engine runs holds a server session (given back when the cursor is exhausted, closed or dropped) and
never a connection.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from pymongo.synchronous.command_cursor import CommandCursor as _CommandCursor
from pymongo.synchronous.cursor import Cursor as _Cursor
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from barewire.mongo._commands import FIND, GET_MORE, cursor_is_direct, find_command, find_more_command, more_command
from barewire.mongo._reaper import blocking_dropped, blocking_expect
from barewire.mongo._seam import _CURSOR_CLOSED_ERRORS, _CursorAddress


class _DirectBatches:
    """What both cursors share once the engine runs them: `_target` is set, and PyMongo's `_session` stays None."""

    _target: Any = None
    _server: str = ""
    _server_session: Any = None  # back to its pool when dropped

    def _run(self, command: dict[str, Any], flags: int, into: list[Any] | None) -> list[Any]:
        """One find or getMore; the documents also go to the end of `into` when that is given."""
        try:
            if self._server:
                batch = self._target.run(command, flags, self._server, self._server_session, into)
            else:
                batch = self._target.run(command, flags)
        except OperationFailure as exc:
            if exc.code in _CURSOR_CLOSED_ERRORS:
                self._killed = True
            if exc.timeout:
                self._die_no_lock()
            else:
                self.close()
            raise
        except ConnectionFailure:
            self._killed = True
            self.close()
            raise
        except BaseException:
            self.close()
            raise
        return self._accept(*batch)

    def _accept(
        self,
        cursor_id: int,
        documents: list[Any],
        count: int,
        namespace: str,
        server: str,
        session: Any,
        token: Any,
    ) -> list[Any]:
        self._id = cursor_id
        if not self._server:
            self._server = server
            self._address = self._collection._database._client._link.addresses[server]
        if session is not None:
            self._server_session = session
        self._took(count, namespace, token)
        if cursor_id == 0:
            self._killed = True
            self._server_session = None
        elif self._enough():
            self.close()
        return documents

    def _took(self, count: int, namespace: str, token: Any) -> None:
        raise NotImplementedError

    def _enough(self) -> bool:
        return False

    def _die_lock(self) -> None:
        if self._target is None:
            super()._die_lock()
            return
        if self._id and not self._killed:
            self._killed = True
            address = _CursorAddress(self._address, self._get_namespace())
            client = self._collection._database._client
            try:
                client._kill_cursors([self._id], address, None, None)
            except PyMongoError:
                client._close_cursor_soon(self._id, address)
        self._killed = True
        self._server_session = None

    def _die_no_lock(self) -> None:
        if self._target is None:
            super()._die_no_lock()
            return
        if self._id and not self._killed:
            address = _CursorAddress(self._address, self._get_namespace())
            client = self._collection._database._client
            client._close_cursor_soon(self._id, address)
            blocking_dropped(client)
        self._killed = True
        self._server_session = None


class Cursor(_DirectBatches, _Cursor):
    __doc__ = _Cursor.__doc__

    def _get_namespace(self) -> str:
        return f"{self._dbname}.{self._collname}"

    def _took(self, count: int, namespace: str, token: Any) -> None:
        self._retrieved += count
        if namespace:
            self._dbname, _, self._collname = namespace.partition(".")

    def _enough(self) -> bool:
        return bool(self._limit) and self._limit <= self._retrieved

    def _fetch(self, into: list[Any] | None) -> list[Any] | None:
        """The next batch; None when this cursor is PyMongo's to run."""
        if self._id is None:
            if not cursor_is_direct(self):
                return None
            command = find_command(self)
            self._target = self._collection._open_plan().read
            self._server = ""
            return self._run(command, FIND, None)
        if self._target is None:
            return None
        return self._run(find_more_command(self), GET_MORE, into)

    def _refresh(self) -> int:
        if len(self._data) or self._killed:
            return len(self._data)
        documents = self._fetch(None) if self._id is None or self._id else []
        if documents is None:
            return super()._refresh()
        self._data = deque(documents)
        if self._id and not self._killed:
            blocking_expect(self._collection._database._client)
        return len(self._data)

    def rewind(self) -> Cursor:
        super().rewind()
        self._target = None
        return self

    def __next__(self) -> Any:
        if self._data and not self._empty:
            return self._data.popleft()
        return self.next()

    def to_list(self, length: int | None = None) -> list[Any]:
        if length is not None or self._id is not None or self._data or self._killed or self._empty:
            return super().to_list(length)
        documents = self._fetch(None)
        if documents is None:
            return super().to_list(length)
        while self._id and not self._killed:
            self._fetch(documents)
        return documents


class CommandCursor(_DirectBatches, _CommandCursor):
    __doc__ = _CommandCursor.__doc__

    @classmethod
    def opened(
        cls, collection: Any, target: Any, batch: tuple[Any, ...], batch_size: int, max_await_time_ms: Any, comment: Any
    ) -> CommandCursor:
        """The cursor of an aggregation that the engine has just started; `batch` is its first one."""
        cursor_id, documents, _, namespace, server, session, token = batch
        address = collection._database._client._link.addresses[server]
        info = {"id": cursor_id, "firstBatch": documents, "ns": namespace, "postBatchResumeToken": token}
        cursor = cls(
            collection, info, address, batch_size=batch_size, max_await_time_ms=max_await_time_ms, comment=comment
        )
        if cursor_id:
            blocking_expect(collection._database._client)
        cursor._target, cursor._server, cursor._server_session = target, server, session
        return cursor

    def _get_namespace(self) -> str:
        return self._ns

    def _took(self, count: int, namespace: str, token: Any) -> None:
        self._postbatchresumetoken = token

    def _fetch(self, into: list[Any] | None) -> list[Any]:
        name = self._ns.partition(".")[2]
        return self._run(
            more_command(self._id, name, self._batch_size, self._max_await_time_ms, self._comment), GET_MORE, into
        )

    def _refresh(self) -> int:
        if self._target is None or len(self._data) or self._killed or not self._id:
            return super()._refresh()
        self._data = deque(self._fetch(None))
        if self._id and not self._killed:
            blocking_expect(self._collection._database._client)
        return len(self._data)

    def __next__(self) -> Any:
        if self._data:
            return self._data.popleft()
        return self.next()

    def to_list(self, length: int | None = None) -> list[Any]:
        if length is not None or self._target is None:
            return super().to_list(length)
        documents = list(self._data)
        self._data.clear()
        while self._id and not self._killed:
            self._fetch(documents)
        return documents
