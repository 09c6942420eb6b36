# Transactions and savepoints of one connection: which statement begins, ends or undoes each.
"""Asyncio transactions. The blocking twin `_transaction.py` is generated from this file by tools/gen_sync.py.

BEGIN and SAVEPOINT are not sent by themselves: they travel in front of the block's first statement, in the same flush.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors

from barewire.pg._statements import begin_text

if TYPE_CHECKING:
    from barewire.pg._async_connection import AsyncConnection


class AsyncTransaction:
    """What `connection.transaction()` returns; see there. `async with`, or `start`, then `commit` or `rollback`."""

    __slots__ = ("_connection", "_begin", "_savepoint", "_state")

    def __init__(
        self, connection: AsyncConnection, isolation: Any, read_only: bool | None, deferrable: bool | None
    ) -> None:
        self._connection = connection
        self._begin = begin_text(isolation, read_only, deferrable)
        self._savepoint = ""
        self._state = "new"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state}{' ' + self._savepoint if self._savepoint else ''}>"

    @property
    def rolled_back(self) -> bool:
        return self._state == "rolled back"

    async def start(self) -> None:
        """Begins the transaction, or the savepoint inside an open one."""
        if self._state != "new":
            raise psycopg.ProgrammingError("a transaction object can be started only once")
        connection = self._connection
        open_ones = connection._transactions
        if open_ones or connection.in_transaction:
            if self._begin != "BEGIN":
                raise psycopg.ProgrammingError(
                    "isolation, read_only and deferrable belong to the outermost transaction, not to a savepoint"
                )
            self._savepoint = f"barewire_{len(open_ones) + 1}"
            if not connection._prepend(f"SAVEPOINT {self._savepoint}"):
                await connection.execute(f"SAVEPOINT {self._savepoint}")  # behind a BEGIN that goes along
        else:
            connection._prepend(self._begin)
        open_ones.append(self)
        self._state = "open"

    async def commit(self) -> None:
        """Ends it and keeps its changes.

        :raises psycopg.errors.InFailedSqlTransaction: one of its statements had failed, so everything was rolled back
        """
        self._leave()
        connection = self._connection
        if connection._take_back():
            return  # nothing was sent since it began
        try:
            tag = await connection.execute(f"RELEASE SAVEPOINT {self._savepoint}" if self._savepoint else "COMMIT")
        except psycopg.Error:
            raise
        except BaseException:
            self._make_sure()
            raise
        if tag == "ROLLBACK":
            self._state = "rolled back"
            raise errors.InFailedSqlTransaction(
                "a statement of the transaction had failed: COMMIT has rolled everything back"
            )

    async def rollback(self) -> None:
        """Ends it and undoes its changes. A connection that is lost or closed has done so already."""
        connection = self._connection
        # Asked before leaving: while a statement that was given up is under way, the open blocks tell.
        begun = connection.in_transaction
        self._leave("rolled back")
        if connection.closed or connection._take_back() or not begun:
            return
        try:
            await connection.execute(self._undoing())
        except psycopg.Error:
            raise
        except BaseException:
            self._make_sure()
            raise

    def _undoing(self) -> str:
        name = self._savepoint
        return f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}" if name else "ROLLBACK"

    def _make_sure(self) -> None:
        """The statement that ends it was given up, perhaps before it was sent: it must not stay open for the next user.

        In asyncio nobody waits for this one, so nobody can give it up.
        """
        if self._connection.closed:
            return
        try:
            self._connection.execute(self._undoing())
        except psycopg.Error:
            pass  # it had ended, or the connection has

    def _leave(self, state: str = "committed") -> None:
        open_ones = self._connection._transactions
        if self._state != "open":
            raise psycopg.ProgrammingError(f"the transaction is not open: {self._state}")
        if open_ones[-1] is not self:
            raise psycopg.ProgrammingError("transactions end in the reverse order of their beginning: an inner one is open")
        open_ones.pop()
        self._state = state

    async def __aenter__(self) -> AsyncTransaction:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if self._state != "open":
            return False  # ended inside the block, by hand
        if value is None:
            await self.commit()
            return False
        try:
            await self.rollback()
        except psycopg.OperationalError:
            if not self._connection.closed:
                raise  # else the block's own error says more
        return isinstance(value, psycopg.Rollback) and value.transaction in (None, self)
