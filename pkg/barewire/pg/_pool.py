# Pool: statements go straight to the extension; lending connections, bulk loads over several, and the end are here.
"""Blocking pools. Generated from their asyncio twin by tools/gen_sync.py: change that file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from barewire import _core
from barewire.pg._connection import Connection
from barewire.pg._parallel import insert_over_lent
from barewire.pg._upkeep import Upkeep
from barewire.pg._settings import POOL_DOC, UNSAFE_DOC, check_connections, pool_settings


class Pool(_core.PgPool):
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
    ) -> Pool:
        return super().__new__(
            cls,
            pool_settings(
                dsn, Connection, min_size, max_size, timeout, max_idle, max_lifetime, setup, reset, pipelining,
                shared_connections, rows, statement_cache_size, json_loads, json_dumps, libpq, options,
            ),
        )  # fmt: skip

    def connection(self, timeout: float | None = None) -> Lease:
        """Lends a connection for a block: `with pool.connection() as connection:`. At the end of the block it is given
        back; an open transaction is rolled back then.

        :param timeout: seconds to wait for one. Default: the pool's
        :raises barewire.pg.PoolTimeout: none became free in time
        """
        return Lease(self, timeout, _caller())

    def acquire(self, timeout: float | None = None) -> Connection:
        """Lends a connection until :meth:`release`. One that is forgotten is warned of, and replaced."""
        self._look_after()
        return self._acquire(timeout, _caller())

    def release(self, connection: Connection) -> None:
        """Takes a connection back that `acquire` lent; an open transaction is rolled back."""
        self._release(connection)

    def executemany(self, query: str, args: Iterable[Any], *, timeout: float | None = None) -> None:
        """The connection's method, on one of the pool's."""
        with self.connection() as connection:
            connection.executemany(query, args, timeout=timeout)

    def copy_records_to_table(
        self,
        table: str,
        *,
        records: Iterable[Any],
        columns: Iterable[str] | None = None,
        schema_name: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """The connection's method, on one of the pool's."""
        with self.connection() as connection:
            return connection.copy_records_to_table(
                table, records=records, columns=columns, schema_name=schema_name, timeout=timeout
            )

    def insert_many_unsafe(
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
            return insert_over_lent(self, connections, table, rows, columns, schema_name, returning, timeout)
        with self.connection() as connection:
            return connection.insert_many_unsafe(
                table, rows, columns=columns, schema_name=schema_name, returning=returning, timeout=timeout
            )

    insert_many_unsafe.__doc__ = UNSAFE_DOC

    def open(self) -> Pool:
        """Opens `min_size` connections in the background. A pool that is used without it opens them as they are needed."""
        self._look_after()
        self._maintain()
        return self

    def close(self) -> None:
        """For ever. Callers that wait get PoolClosed; connections in use are closed when they come back."""
        if self._upkeep is not None:
            self._upkeep.stop()
        self._close()

    def __enter__(self) -> Pool:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _look_after(self) -> None:
        if self._upkeep is None or not self._upkeep.alive():
            self._upkeep = Upkeep(self)


class Lease:
    """What `pool.connection()` returns."""

    __slots__ = ("_pool", "_timeout", "_taken_at", "_connection")

    def __init__(self, pool: Pool, timeout: float | None, taken_at: tuple[Any, int]) -> None:
        self._pool = pool
        self._timeout = timeout
        self._taken_at = taken_at
        self._connection: Connection | None = None

    def __enter__(self) -> Connection:
        self._pool._look_after()
        self._connection = self._pool._acquire(self._timeout, self._taken_at)
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection._lent:  # else closed, or given back, inside the block
            self._pool._release(connection)


def _caller() -> tuple[Any, int]:
    frame = sys._getframe(2)
    return frame.f_code, frame.f_lineno
