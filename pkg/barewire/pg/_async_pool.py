# AsyncPool: statements go straight to the extension; lending connections, bulk loads over several, and the end are here.
"""Asyncio pools. The blocking twin `_pool.py` is generated from this file by tools/gen_sync.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from barewire import _core
from barewire.pg._async_connection import AsyncConnection
from barewire.pg._async_parallel import insert_over_lent
from barewire.pg._async_upkeep import Upkeep
from barewire.pg._settings import POOL_DOC, UNSAFE_DOC, check_connections, pool_settings


class AsyncPool(_core.PgAsyncPool):
    __doc__ = POOL_DOC

    _upkeep: Upkeep | None = None

    def __new__(
        cls,
        dsn: str = "",
        *,
        min_size: int = 0,
        max_size: int = 10,
        timeout: float = 30.0,
        max_idle: float = 600.0,
        max_lifetime: float = 3600.0,
        setup: str = "",
        reset: str = "",
        pipelining: bool = True,
        shared_connections: int = 4,
        rows: type = tuple,
        statement_cache_size: int = 256,
        json_loads: Callable[[Any], Any] | None = None,
        json_dumps: Callable[[Any], Any] | None = None,
        libpq: str | None = None,
        **options: Any,
    ) -> AsyncPool:
        return super().__new__(
            cls,
            pool_settings(
                dsn, AsyncConnection, min_size, max_size, timeout, max_idle, max_lifetime, setup, reset, pipelining,
                shared_connections, rows, statement_cache_size, json_loads, json_dumps, libpq, options,
            ),
        )  # fmt: skip

    def connection(self, timeout: float | None = None) -> AsyncLease:
        """Lends a connection for a block: `async with pool.connection() as connection:`. At the end of the block it is given
        back; an open transaction is rolled back then.

        :param timeout: seconds to wait for one. Default: the pool's
        :raises barewire.pg.PoolTimeout: none became free in time
        """
        return AsyncLease(self, timeout, _caller())

    async def acquire(self, timeout: float | None = None) -> AsyncConnection:
        """Lends a connection until :meth:`release`. One that is forgotten is warned of, and replaced."""
        self._look_after()
        return await self._acquire(timeout, _caller())

    async def release(self, connection: AsyncConnection) -> None:
        """Takes a connection back that `acquire` lent; an open transaction is rolled back."""
        self._release(connection)

    async def executemany(self, query: str, args: Iterable[Any], *, timeout: float | None = None) -> None:
        """The connection's method, on one of the pool's."""
        async with self.connection() as connection:
            await connection.executemany(query, args, timeout=timeout)

    async def copy_records_to_table(
        self,
        table: str,
        *,
        records: Iterable[Any],
        columns: Iterable[str] | None = None,
        schema_name: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """The connection's method, on one of the pool's."""
        async with self.connection() as connection:
            return await connection.copy_records_to_table(
                table, records=records, columns=columns, schema_name=schema_name, timeout=timeout
            )

    async def insert_many_unsafe(
        self,
        table: str,
        rows: Iterable[Any],
        *,
        columns: Iterable[str] | None = None,
        schema_name: str | None = None,
        returning: str | Sequence[str] | None = None,
        connections: int = 1,
        timeout: float | None = None,
    ) -> Any:
        if check_connections(connections) > 1:
            return await insert_over_lent(self, connections, table, rows, columns, schema_name, returning, timeout)
        async with self.connection() as connection:
            return await connection.insert_many_unsafe(
                table, rows, columns=columns, schema_name=schema_name, returning=returning, timeout=timeout
            )

    insert_many_unsafe.__doc__ = UNSAFE_DOC

    async def open(self) -> AsyncPool:
        """Opens `min_size` connections in the background. A pool that is used without it opens them as they are needed."""
        self._look_after()
        self._maintain()
        return self

    async def close(self) -> None:
        """For ever. Callers that wait get PoolClosed; connections in use are closed when they come back."""
        if self._upkeep is not None:
            self._upkeep.stop()
        self._close()

    async def __aenter__(self) -> AsyncPool:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _look_after(self) -> None:
        if self._upkeep is None or not self._upkeep.alive():
            self._upkeep = Upkeep(self)


class AsyncLease:
    """What `pool.connection()` returns."""

    __slots__ = ("_pool", "_timeout", "_taken_at", "_connection")

    def __init__(self, pool: AsyncPool, timeout: float | None, taken_at: tuple[Any, int]) -> None:
        self._pool = pool
        self._timeout = timeout
        self._taken_at = taken_at
        self._connection: AsyncConnection | None = None

    async def __aenter__(self) -> AsyncConnection:
        self._pool._look_after()
        self._connection = await self._pool._acquire(self._timeout, self._taken_at)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection._lent:  # else closed, or given back, inside the block
            self._pool._release(connection)


def _caller() -> tuple[Any, int]:
    frame = sys._getframe(2)
    return frame.f_code, frame.f_lineno
