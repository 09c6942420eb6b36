# Connection: statements go straight to the extension; what is made of several statements is here.
"""Blocking connection. Generated from their asyncio twin by tools/gen_sync.py: change that file."""

from __future__ import annotations

from collections.abc import Iterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

import psycopg
from psycopg import errors

from barewire import _core
from barewire.pg._batch import Batch
from barewire.pg._copy import copy_blocks, copy_out, copy_records
from barewire.pg._cursor import Cursor
from barewire.pg._parallel import insert_over_further
from barewire.pg._statement import PreparedStatement
from barewire.pg._transaction import Transaction
from barewire.pg._unsafe import insert_rows
from barewire.pg._settings import CONNECT_DOC, UNSAFE_DOC, check_connections, settings_of
from barewire.pg._statements import begin_text, identifier


def connect(
    dsn: str = "",
    *,
    rows: type = tuple,
    statement_cache_size: int = 256,
    json_loads: Callable[[Any], Any] | None = None,
    json_dumps: Callable[[Any], Any] | None = None,
    libpq: str | None = None,
    **options: Any,
) -> Connection:
    connection = Connection(settings_of(dsn, rows, statement_cache_size, json_loads, json_dumps, libpq, options))
    connection._connect()
    return connection


connect.__doc__ = CONNECT_DOC


class Connection(_core.PgConnection):
    """One session with a server; made by :func:`connect` or lent by a pool.

    Any number of threads may use it at the same time: their statements are queued in the order of the calls and flushed
    together, and each waits for its own result only. A transaction belongs to the connection: threads that must not share
    one take a connection each.
    """

    def transaction(
        self, isolation: Any = None, *, read_only: bool | None = None, deferrable: bool | None = None
    ) -> Transaction:
        """A block whose statements succeed or fail together; inside another one, a savepoint.

        BEGIN (or SAVEPOINT) travels with the first statement. The end of the block commits; an exception rolls back and
        goes on, except `psycopg.Rollback`, which only rolls back.

        :param isolation: "read_committed", "repeatable_read", "serializable", a psycopg.IsolationLevel; None: the
            server's default. The three modes are for the outermost block only.
        """
        return Transaction(self, isolation, read_only, deferrable)

    def batch(
        self,
        *,
        transaction: bool = True,
        isolation: Any = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        timeout: float | None = None,
    ) -> Batch:
        """Several statements that travel in one flush and one round trip; see :class:`Batch`.

        :param transaction: they succeed or fail together: one transaction that begins and ends within the flush (inside
            an open one they are part of it). False: each is on its own.
        :param isolation: as for :meth:`transaction`; the three modes need a transaction of the batch's own
        :param timeout: seconds for all of them
        """
        begin = begin_text(isolation, read_only, deferrable)
        if not transaction and begin != "BEGIN":
            raise psycopg.ProgrammingError("isolation, read_only and deferrable need transaction=True")
        # Without modes the server's own rule is enough: what comes before one Sync is one transaction.
        return Batch(self, None if not transaction else "" if begin == "BEGIN" else begin, timeout)

    def prepare(self, query: str, *, timeout: float | None = None) -> PreparedStatement:
        """Prepares `query` now and describes it. Every statement is prepared and cached on its first use anyway: this is
        for its description, and for errors at once."""
        parameters, columns, _ = self._describe(query, timeout)
        return PreparedStatement(self, query, parameters, columns)

    def cursor(
        self,
        query: str,
        *args: Any,
        prefetch: int = 100,
        rows: type | None = None,
        timeout: float | None = None,
    ) -> Cursor:
        """A cursor on the server, for results that should not be in memory at once: `for row in ...`, or
        `fetch(n)`. Needs an open transaction.

        :param prefetch: rows per round trip while iterating
        """
        return Cursor(self, query, args, prefetch, rows, timeout)

    # --- notifications and notices -----------------------------------------------------------------------------------
    def listen(self, channel: str) -> None:
        """Asks for notifications of `channel`; see :meth:`notifications`."""
        self.execute(f"LISTEN {identifier(channel)}")

    def unlisten(self, channel: str | None = None) -> None:
        """No more notifications of `channel`, or of any."""
        self.execute("UNLISTEN *" if channel is None else f"UNLISTEN {identifier(channel)}")

    def notifications(
        self, *, timeout: float | None = None, stop_after: int | None = None
    ) -> Iterator[psycopg.Notify]:
        """Yields psycopg.Notify objects as they arrive, those that came since the last look first.

        Other statements may be run meanwhile, by this thread between two notifications or by others at any time.

        :param timeout: ends when none has come for so many seconds. Default: never
        :param stop_after: ends when so many have been given
        """
        given = 0
        while stop_after is None or given < stop_after:
            received = self._take_notifications()
            if not received:
                if not self._wait_notification(timeout):
                    return
                continue
            place = 0
            try:
                while place < len(received) and (stop_after is None or given < stop_after):
                    channel, payload, pid = received[place]
                    place += 1
                    given += 1
                    yield psycopg.Notify(channel, payload, pid)
            finally:
                # Whoever has left the loop gets the rest next time.
                self._return_notifications(received[place:])

    def add_notice_handler(self, handler: Callable[[errors.Diagnostic], object]) -> None:
        """Calls `handler` with a psycopg.errors.Diagnostic for every notice and warning of the server, on the thread
        that drives the connection, after the statement's result has arrived."""
        self._notice_handlers.append(handler)

    def remove_notice_handler(self, handler: Callable[[errors.Diagnostic], object]) -> None:
        """ValueError when it was not added."""
        self._notice_handlers.remove(handler)

    # --- COPY --------------------------------------------------------------------------------------------------------
    def copy_records_to_table(
        self,
        table: str,
        *,
        records: Iterable[Any],
        columns: Iterable[str] | None = None,
        schema_name: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Writes rows into a table by COPY BINARY. All or nothing; memory stays flat however many there are.

        :param records: an iterable of tuples, lists or dicts, a generator of any length
            included. Values are converted by the columns' types, strictly, as parameters are.
        :param columns: names; default: all of the table's, in its order. Dicts are read by these names: a missing one is
            an error, further keys are ignored.
        :return: the server's tag, "COPY 1000"
        :raises psycopg.DataError: a value that does not fit; the text names the row (from 0) and the column. Nothing was
            written. An exception of the iterable comes out as it is.
        """
        return copy_records(self, table, schema_name, columns, records, timeout)

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
            return insert_over_further(self, connections, table, rows, columns, schema_name, returning, timeout)
        return insert_rows(self, table, rows, columns, schema_name, returning, timeout)

    insert_many_unsafe.__doc__ = UNSAFE_DOC

    def copy_to(
        self, statement: str, output: Any = None, *, rows: type | None = None, timeout: float | None = None
    ) -> Any:
        """COPY out of the server.

        - `copy_to("COPY t TO STDOUT (FORMAT csv)", output)` gives the server's bytes to `output`, block by block as they
          arrive: an object with `write`, or a callable. Returns the tag, "COPY 1000". Without `output`: the bytes.
        - `copy_to("SELECT ...")`, any query without parameters: the rows, decoded from COPY BINARY while they arrive, as a
          list of tuples (or of what `rows` says). With `output`: the raw blocks of `COPY (query) TO STDOUT (FORMAT binary)`.
        """
        return copy_out(self, statement, output, rows, timeout)

    def copy_from(self, statement: str, source: Any, *, timeout: float | None = None) -> str:
        """COPY into the server: `copy_from("COPY t FROM STDIN (FORMAT csv)", source)`.

        :param source: bytes-like, a file opened for reading bytes, or an iterable of bytes
        :return: the server's tag, "COPY 1000"
        """
        return copy_blocks(self, statement, source, timeout)

    # --- end ---------------------------------------------------------------------------------------------------------
    def close(self) -> None:
        """Ends the session. What is in flight fails with psycopg.OperationalError. Safe to call twice."""
        self._close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
