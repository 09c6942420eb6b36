# Cursors on the server: DECLARE, FETCH, MOVE and CLOSE inside an open transaction.
"""Blocking cursors. Generated from their asyncio twin by tools/gen_sync.py: change that file."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors

if TYPE_CHECKING:
    from barewire.pg._connection import Connection

class Cursor:
    """What `connection.cursor()` returns: `for row in cursor`, or `fetch`, `fetchrow` and `forward` by hand.

    It is declared by its first use and lives until its end was reached, `close()`, or the end of the transaction.
    """

    def __init__(
        self,
        connection: Connection,
        query: str,
        args: tuple[Any, ...],
        prefetch: int,
        rows: type | None,
        timeout: float | None,
    ) -> None:
        if prefetch < 1:
            raise ValueError("prefetch must be at least 1")
        self._connection = connection
        self._query = query
        self._args = args
        self._prefetch = prefetch
        self._rows = rows
        self._timeout = timeout
        self._name = ""
        self._text = False
        self._scopes: tuple[Any, ...] = ()  # transactions and savepoints that it was declared in
        self._ahead: deque[Any] = deque()
        self._ended = False

    def _open(self) -> None:
        connection = self._connection
        if self._name or self._ended:
            return
        if not connection.in_transaction:
            raise errors.NoActiveSqlTransaction("a cursor needs an open transaction: with connection.transaction()")
        # Looks up types that only the database knows; FETCH has no description to learn them from.
        parameters, _, binary = connection._describe(self._query, self._timeout)
        if len(parameters) != len(self._args):
            raise psycopg.ProgrammingError(f"the query has {len(parameters)} parameters, {len(self._args)} were given")
        name = f"barewire_cursor_{connection._cursor_number()}"
        declare = f"DECLARE {name} NO SCROLL CURSOR FOR {self._query}"
        if self._args:
            connection._execute_prepared(declare, *self._args, timeout=self._timeout)
        else:
            connection.execute(declare, timeout=self._timeout)
        self._name, self._text, self._scopes = name, not binary, tuple(connection._transactions)

    def fetch(self, count: int) -> list[Any]:
        """The next `count` rows; fewer at the end."""
        if count < 1:
            raise ValueError("count must be at least 1")
        taken = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
        if len(taken) < count and not self._ended:
            taken += self._more(count - len(taken))
        return taken

    def _more(self, count: int) -> list[Any]:
        self._open()
        if self._ended:
            return []
        found = self._connection._fetch_once(
            f"FETCH FORWARD {count} FROM {self._name}", rows=self._rows, text=self._text, timeout=self._timeout
        )
        if len(found) < count:
            self.close()
        return found

    def fetchrow(self) -> Any:
        """The next row, or None at the end."""
        found = self.fetch(1)
        return found[0] if found else None

    def forward(self, count: int) -> int:
        """Skips `count` rows; how many there were."""
        if count < 1:
            raise ValueError("count must be at least 1")
        skipped = min(count, len(self._ahead))
        for _ in range(skipped):
            self._ahead.popleft()
        if skipped < count and not self._ended:
            self._open()
            tag = self._connection.execute(
                f"MOVE FORWARD {count - skipped} FROM {self._name}", timeout=self._timeout
            )
            skipped += int(tag.rpartition(" ")[2])
        return skipped

    def close(self) -> None:
        """Frees it on the server. Safe to call twice, and after the end of the transaction."""
        ended, self._ended = self._ended, True
        connection = self._connection
        if not self._name or ended or connection.closed or not connection.in_transaction:
            return
        if any(scope.rolled_back for scope in self._scopes):
            return  # the rollback has closed it
        try:
            connection.execute(f"CLOSE {self._name}")
        except errors.InFailedSqlTransaction:
            pass  # the rollback will

    def __iter__(self) -> Cursor:
        return self

    def __next__(self) -> Any:
        if not self._ahead:
            if self._ended:
                raise StopIteration
            self._ahead.extend(self._more(self._prefetch))
            if not self._ahead:
                raise StopIteration
        return self._ahead.popleft()

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ahead.clear()
        if value is None or not isinstance(value, psycopg.Error):
            self.close()
