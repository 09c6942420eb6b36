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

UNSAFE_DOC = """Inserts trusted rows as fast as the server takes them. All or nothing; any number, a generator included.

:param rows: dicts, tuples or lists. Of an iterable only a few rows are in memory at a time, but for what `returning` gives
:param columns: names. Default: the keys of the first row if it is a dict, else all of the table's columns in its order.
    A dict that lacks one of them is an error; further keys are ignored
:param returning: a column's name, to get a list of its values, in the order of the rows; or several names, to get rows. They
    may be columns that the server fills, such as keys
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
======================================  =======================================================================

:raises psycopg.DataError: a value that does not fit; the text names the row (from 0) and the column. Nothing was inserted
:raises psycopg.Error: the server's error. Nothing was inserted
"""


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
