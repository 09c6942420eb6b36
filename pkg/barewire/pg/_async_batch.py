# Several statements collected and sent as one flush; what became of each.
"""Asyncio batches. The blocking twin `_batch.py` is generated from this file by tools/gen_sync.py."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg

from barewire import _core

if TYPE_CHECKING:
    from barewire.pg._async_connection import AsyncConnection


class AsyncBatch:
    """Statements that travel in one flush and come back in one round trip.

    Collect them with `execute`, `fetch`, `fetchrow` and `fetchval` (their arguments are those of the connection's methods;
    each returns the statement's position), then `results = await batch.run()`. As a block, `async with
    connection.batch() as batch:`, it runs at the end of the block and leaves `batch.results`.

    When a statement fails, its exception is raised: `batch_position` says which one it was (from 0), `batch_results` what
    became of all of them: values, and for those that failed or were not run exceptions (psycopg.errors.PipelineAborted:
    not run). In a transaction nothing was kept then; otherwise every other statement was run.
    """

    __slots__ = ("_connection", "_items", "_begin", "_timeout", "results")

    def __init__(self, connection: AsyncConnection, begin: str | None, timeout: float | None) -> None:
        self._connection = connection
        self._items: list[tuple[int, str, tuple[Any, ...], type | None]] = []
        self._begin = begin
        self._timeout = timeout
        self.results: list[Any] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def execute(self, query: str, *args: Any) -> int:
        """Its result is the server's tag."""
        return self._add(_core.PG_STATUS, query, args, None)

    def fetch(self, query: str, *args: Any, rows: type | None = None) -> int:
        """Its result is a list of rows."""
        return self._add(_core.PG_ROWS, query, args, rows)

    def fetchrow(self, query: str, *args: Any, rows: type | None = None) -> int:
        """Its result is the first row, or None."""
        return self._add(_core.PG_ROW, query, args, rows)

    def fetchval(self, query: str, *args: Any) -> int:
        """Its result is the first value of the first row, or None."""
        return self._add(_core.PG_VALUE, query, args, None)

    def _add(self, what: int, query: str, args: tuple[Any, ...], rows: type | None) -> int:
        if self._items is None:
            raise psycopg.ProgrammingError("the batch has been run")
        self._items.append((what, query, args, rows))
        return len(self._items) - 1

    async def run(self) -> list[Any]:
        """Sends them and returns their results in order. Once."""
        items = self._items
        if items is None:
            raise psycopg.ProgrammingError("the batch has been run")
        self._items = None  # type: ignore[assignment]
        if self._begin and self._connection.in_transaction:
            raise psycopg.ProgrammingError("isolation, read_only and deferrable need a transaction of the batch's own")
        self.results = await self._connection._batch(items, self._begin, self._timeout) if items else []
        return self.results

    async def __aenter__(self) -> AsyncBatch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None and self._items is not None:
            await self.run()
