# A statement prepared on purpose: its description, and the connection's methods without the text.
"""Asyncio prepared statements. The blocking twin `_statement.py` is generated from this file by tools/gen_sync.py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barewire.pg._async_connection import AsyncConnection
    from barewire.pg._async_cursor import AsyncCursor


class AsyncPreparedStatement:
    """What `connection.prepare()` returns. It stays valid when the cache has dropped it: it is then prepared again."""

    __slots__ = ("_connection", "query", "parameters", "columns")

    def __init__(
        self, connection: AsyncConnection, query: str, parameters: tuple[int, ...], columns: tuple[tuple[str, int], ...]
    ) -> None:
        self._connection = connection
        #: The statement's text.
        self.query = query
        #: Type oid of each parameter, in the order of their numbers.
        self.parameters = parameters
        #: (name, type oid) of each column of the result; empty when there is none.
        self.columns = columns

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.query!r}>"

    async def execute(self, *args: Any, timeout: float | None = None) -> str:
        """The server's tag: "UPDATE 3"."""
        return await self._connection._execute_prepared(self.query, *args, timeout=timeout)

    async def fetch(self, *args: Any, rows: type | None = None, timeout: float | None = None) -> list[Any]:
        """All rows."""
        return await self._connection.fetch(self.query, *args, rows=rows, timeout=timeout)

    async def fetchrow(self, *args: Any, rows: type | None = None, timeout: float | None = None) -> Any:
        """The first row, or None."""
        return await self._connection.fetchrow(self.query, *args, rows=rows, timeout=timeout)

    async def fetchval(self, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        """One value of the first row; None without rows."""
        return await self._connection.fetchval(self.query, *args, column=column, timeout=timeout)

    async def executemany(self, args: Iterable[Any], *, timeout: float | None = None) -> None:
        """Once per element of `args`, all or nothing."""
        await self._connection.executemany(self.query, args, timeout=timeout)

    def cursor(self, *args: Any, prefetch: int = 100, rows: type | None = None, timeout: float | None = None) -> AsyncCursor:
        """A cursor on the server; see the connection's."""
        return self._connection.cursor(self.query, *args, prefetch=prefetch, rows=rows, timeout=timeout)
