# What users import.
"""A PostgreSQL client at wire speed: binary both ways, statements pipelined, psycopg's value types and error classes.

`connect` and `Connection` are blocking, `connect_async` and `AsyncConnection` are for asyncio and uvloop.
"""

from __future__ import annotations

import atexit
import os

from barewire import _core
from barewire.pg._async_batch import AsyncBatch
from barewire.pg._async_connection import AsyncConnection, connect_async
from barewire.pg._async_cursor import AsyncCursor
from barewire.pg._async_pool import AsyncPool
from barewire.pg._async_statement import AsyncPreparedStatement
from barewire.pg._async_transaction import AsyncTransaction
from barewire.pg._batch import Batch
from barewire.pg._connection import Connection, connect
from barewire.pg._cursor import Cursor
from barewire.pg._errors import PoolClosed, PoolTimeout, StatementTimeout, UnsafeInsertError
from barewire.pg._pool import Pool
from barewire.pg._statement import PreparedStatement
from barewire.pg._transaction import Transaction

Record = _core.Record

__all__ = [
    "AsyncBatch",
    "AsyncConnection",
    "AsyncCursor",
    "AsyncPool",
    "AsyncPreparedStatement",
    "AsyncTransaction",
    "Batch",
    "Connection",
    "Cursor",
    "Pool",
    "PoolClosed",
    "PoolTimeout",
    "PreparedStatement",
    "Record",
    "StatementTimeout",
    "Transaction",
    "UnsafeInsertError",
    "connect",
    "connect_async",
]

# Waiting threads are stopped at the gate first, then the threads that connect and cancel are ended.
atexit.register(_core.pg_close_engines)
atexit.register(_core.pg_close_gate)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_core.pg_after_fork)
    os.register_at_fork(after_in_child=_core.pg_pools_after_fork)
