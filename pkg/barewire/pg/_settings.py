# What `connect` and the pools are told, checked once and handed to the extension. No connection is made here.
"""Connection settings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from barewire import _core
from barewire.pg import _errors, _types
from barewire.pg._library import libpq_path

ROW_SHAPES = (tuple, dict, _core.Record)

CONNECT_DOC = """Opens a session with a PostgreSQL server.

:param dsn: a connection string of libpq, as a URI or as `key=value` words; also service files, password files, environment
    variables, several hosts, TLS and Kerberos are libpq's. `options` are further words: `host="db", dbname="shop"`.
    `connect_timeout` is in seconds (default 130)
:param rows: what rows are: `tuple`, `dict` or `barewire.pg.Record`; each call may say otherwise
:param statement_cache_size: prepared statements kept per connection, least recently used first out. 0: nothing is left on
    the server between two statements, for connection poolers
:param json_loads: called with the text of a json or jsonb value as bytes. Default: json.loads
:param json_dumps: called with a value for a json or jsonb parameter; gives str or bytes. Default: json.dumps
:param libpq: "bundled" (psycopg[binary]'s), "system", or the path of a library. Default: the environment variable
    BAREWIRE_LIBPQ, else bundled where it is installed, else the system's
:raises psycopg.OperationalError: no server could be reached, or it refused the session
:raises psycopg.ProgrammingError: the connection string is wrong
"""

POOL_DOC = """Connections to one database, made as they are needed and shared.

`fetch`, `fetchrow`, `fetchval` and `execute` are those of a connection, one statement at a time, in autocommit.
`connection()` lends a connection for a block, for transactions, LISTEN, cursors, COPY and all that lasts.

:param dsn: and `rows`, `statement_cache_size`, `json_loads`, `json_dumps`, `libpq`, `options`: as for `connect`
:param min_size: connections that are kept open
:param max_size: most connections; at least 1
:param timeout: seconds that a caller waits for a connection
:param max_idle: seconds after which an idle connection above `min_size` is closed; 0: never
:param max_lifetime: seconds after which a connection is replaced, between two uses; 0: never
:param setup: SQL that each new connection runs before its first use
:param reset: SQL that a connection runs when it comes back, after the rollback of an open transaction. Default: nothing but
    what the pool undoes by itself (LISTEN)
:param pipelining: whether single statements of tasks share connections: what is asked for in one turn of the event loop
    travels in one flush, each with an end of its own, so that an error touches no other. Only statements that can leave
    nothing behind (SELECT, INSERT, UPDATE, DELETE, ...) do so. Blocking pools take no notice of it
:param shared_connections: most connections that are shared so, per event loop
:raises barewire.pg.PoolTimeout: no connection became free in time
:raises barewire.pg.PoolClosed: the pool is closed
"""

UNSAFE_DOC = """Inserts trusted rows as fast as the server takes them. All or nothing; any number, a generator included.

:param rows: dicts, tuples or lists. Of an iterable only a few rows are in memory at a time, but for what `returning` gives
:param columns: names. Default: the keys of the first row if it is a dict, else all of the table's columns in its order.
    A dict that lacks one of them is an error; further keys are ignored
:param returning: a column's name, to get a list of its values, in the order of the rows; or several names, to get rows. They
    may be columns that the server fills, such as keys
:param connections: how many load at the same time, each its share, in a transaction of its own; one COMMIT follows the other
    when all rows are on the server, so it is all or nothing still. A connection opens as many further ones for the call, with
    the settings that SET has made in this session; a pool lends up to so many, as are to be had without waiting for other
    users, at least one. Worth it where the server has cores to spare and the table is more work for it than the rows are for
    Python: indexes, constraints, triggers, many columns. Which row gets which value of a sequence is open then
:return: how many rows were inserted, or what `returning` says

Without `returning` this is COPY BINARY, else `INSERT ... SELECT unnest($1, ...)` with an array per column. Compared with
`executemany`:

======================================  =======================================================================
executemany                             insert_many_unsafe
======================================  =======================================================================
the statement says what is inserted     the table's columns say it: no casts, no expressions
rules of the table are applied          COPY ignores rules (`CREATE RULE`); triggers and constraints are kept
values are checked before they travel   a row that does not fit is found when its turn comes; nothing is kept then
retried once after a stale plan         never run a second time
part of an open transaction             with several connections not: refused inside a transaction block
equal keys are found by the server      of two connections: within some seconds, as psycopg.errors.DeadlockDetected
rows become visible in one moment       of several connections one COMMIT after the other
arrays with `returning`                 one connection, whatever `connections` says
======================================  =======================================================================

:raises psycopg.DataError: a value that does not fit; the text names the row (from 0) and the column. Nothing was inserted
:raises psycopg.Error: the server's error. Nothing was inserted. With several connections the text ends with the row
:raises barewire.pg.UnsafeInsertError: with several connections only, when a connection was lost between the first COMMIT and
    the last: which positions were written, which were not, and of which nobody knows
"""


def check_connections(count: int) -> int:
    if not isinstance(count, int) or count < 1:
        raise ValueError("connections must be an int of at least 1")
    return count


def settings_of(
    dsn: str,
    rows: type,
    statement_cache_size: int,
    json_loads: Callable[[Any], Any] | None,
    json_dumps: Callable[[Any], Any] | None,
    libpq: str | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """The dict that `_core`'s connections and pools read."""
    if rows not in ROW_SHAPES:
        raise TypeError("rows must be tuple, dict or barewire.pg.Record")
    if not isinstance(statement_cache_size, int) or statement_cache_size < 0:
        raise ValueError("statement_cache_size must be an int of at least 0")
    # The codec writes and reads UTF-8; whatever PGCLIENTENCODING says is not for it.
    conninfo = make_conninfo(dsn, **{**options, "client_encoding": "UTF8"})
    if not conninfo_to_dict(conninfo).get("connect_timeout") and not os.environ.get("PGCONNECT_TIMEOUT"):
        conninfo = make_conninfo(conninfo, connect_timeout=130)
    return {
        "conninfo": conninfo,
        "library": libpq_path(libpq),
        "rows": rows,
        "statement_cache_size": statement_cache_size,
        "json_loads": json_loads or json.loads,
        "json_dumps": json_dumps or json.dumps,
        "server_error": _errors.server_error,
        "failure": _errors.failure,
        "batch_error": _errors.batch_error,
        "notice": _errors.notice,
        "timezone": _types.timezone,
        "lookup_query": _types.lookup_query,
    }


def pool_settings(
    dsn: str,
    connection_type: type,
    min_size: int,
    max_size: int,
    timeout: float,
    max_idle: float,
    max_lifetime: float,
    setup: str,
    reset: str,
    pipelining: bool,
    shared_connections: int,
    rows: type,
    statement_cache_size: int,
    json_loads: Callable[[Any], Any] | None,
    json_dumps: Callable[[Any], Any] | None,
    libpq: str | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """The dict that `_core`'s pools read."""
    settings = settings_of(dsn, rows, statement_cache_size, json_loads, json_dumps, libpq, options)
    if not 0 <= min_size <= max_size or not 1 <= max_size <= 10000:
        raise ValueError("sizes must be 0 <= min_size <= max_size, and max_size from 1 to 10000")
    if not timeout > 0:
        raise ValueError("timeout must be a positive number of seconds")
    if max_idle < 0 or max_lifetime < 0:
        raise ValueError("max_idle and max_lifetime must be numbers of seconds, 0 for no limit")
    if shared_connections < 1:
        raise ValueError("shared_connections must be at least 1")
    for name, text in (("setup", setup), ("reset", reset)):
        if not isinstance(text, str) or "\0" in text:
            raise TypeError(f"{name} must be SQL text")
    settings.update(
        connection_type=connection_type,
        min_size=min_size,
        max_size=max_size,
        timeout=min(timeout, 1e8),
        max_idle=min(max_idle, 1e8),
        max_lifetime=min(max_lifetime, 1e8),
        setup=setup,
        reset=reset,
        pipelining=bool(pipelining),
        shared_connections=shared_connections,
    )
    return settings
