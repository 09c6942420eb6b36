# insert_many_unsafe over several connections: who loads which rows, and how all of them commit or none does.
"""Blocking loads over several connections. Generated from their asyncio twin by tools/gen_sync.py: change that file.

Every connection loads its share in a transaction of its own. All stay open until all rows are on the server and its deferred
constraints are checked; then one COMMIT follows the other. What fails before the first leaves nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator, Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors

from barewire import _core
from barewire.pg._copy import Column, table_columns
from barewire.pg._together import Together
from barewire.pg._unsafe import CHUNK, cannot_be_unnested, first_row, insert_rows, load_statement
from barewire.pg._errors import PoolTimeout, partial_insert
from barewire.pg._statements import table_name

if TYPE_CHECKING:
    from barewire.pg._connection import Connection
    from barewire.pg._pool import Pool

# Seconds between two looks at whether connections of the load wait for each other.
_LOOK = 1.0
# Seconds that connections have for their rollback, and a pool for a further connection.
_ROLLBACK = 5.0
_FURTHER = 1.0
# What a session was told by SET, to be said to further ones within their transactions: a pooler may be in between.
_TOLD = """
SELECT session_user::text, pg_catalog.current_setting('role'),
    ARRAY(SELECT name FROM pg_catalog.pg_settings WHERE source = 'session' ORDER BY name),
    ARRAY(SELECT setting FROM pg_catalog.pg_settings WHERE source = 'session' ORDER BY name)"""
_TELL = (
    "SELECT pg_catalog.set_config('session_authorization', $1, true) WHERE session_user <> $1::text",
    "SELECT pg_catalog.set_config('role', $1, true) WHERE pg_catalog.current_setting('role') <> $1",
    "SELECT pg_catalog.set_config(name, setting, true) FROM ROWS FROM (pg_catalog.unnest($1::text[]), "
    "pg_catalog.unnest($2::text[])) AS told (name, setting)",
)
_TABLE = """
SELECT n.nspname::text, c.relname::text, c.relpersistence = 't'
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::text::regclass"""
# Which process serves a connection, on which server.
_SERVED = "SELECT pg_catalog.pg_backend_pid(), EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time())::float8"
_KNOTTED = """
SELECT pid FROM pg_catalog.unnest($1::int[]) AS pid WHERE pg_catalog.pg_blocking_pids(pid) && $2::int[]"""
_LINE = re.compile(r"^COPY .+?, \w+ (\d+)(?:,|$)", re.M)


def insert_over_further(
    connection: Connection, count: int, table: str, rows: Any, columns: Any, schema: Any, returning: Any, timeout: Any
) -> Any:
    """Over connections that are opened for it. `connection` stays free for other threads."""
    if connection.in_transaction or connection._transactions:
        raise psycopg.ProgrammingError(
            "insert_many_unsafe with several connections is not for a transaction block: they would not be part of it"
        )
    user, role, names, settings = connection.fetchrow(_TOLD, rows=tuple, timeout=timeout)
    _, server = connection.fetchrow(_SERVED, rows=tuple, timeout=timeout)
    place = _find_table(connection, table, schema, timeout)
    with contextlib.ExitStack() as stack:
        further = []
        for _ in range(count):
            another = stack.enter_context(connection._another())
            another._connect()
            if (another.fetchrow(_SERVED, rows=tuple, timeout=timeout))[1] != server:
                raise _other_servers()
            further.append(another)
        told = list(zip(_TELL, ((user,), (role,), (names, settings))))
        return insert_over(connection, further, place, rows, columns, returning, timeout, told)


def insert_over_lent(
    pool: Pool, count: int, table: str, rows: Any, columns: Any, schema: Any, returning: Any, timeout: Any
) -> Any:
    """Over connections of a pool: one, and as many further ones as are to be had without waiting for other users."""
    with contextlib.ExitStack() as stack:
        lent = [stack.enter_context(pool.connection())]
        while len(lent) < count:
            stats = pool.stats()
            if stats["waiting"] or stats["in_use"] >= stats["max_size"]:
                break
            try:
                lent.append(stack.enter_context(pool.connection(_FURTHER)))
            except PoolTimeout:
                break
        if len(lent) == 1:
            return insert_rows(lent[0], table, rows, columns, schema, returning, timeout)
        place = _find_table(lent[0], table, schema, timeout)
        return insert_over(lent[0], lent, place, rows, columns, returning, timeout, [])


def _other_servers() -> psycopg.OperationalError:
    return psycopg.OperationalError("the connections of the load have reached different servers: name one host")


def _find_table(connection: Connection, table: str, schema: Any, timeout: Any) -> tuple[str, str]:
    """(schema, table), so that all connections mean the same one."""
    target = table_name(table, schema)
    name, table, temporary = connection.fetchrow(_TABLE, target, rows=tuple, timeout=timeout)
    if temporary:
        raise psycopg.ProgrammingError(f"{target} is a temporary table: other connections do not see it")
    return name, table


def _insert_over_one(
    connection: Connection,
    table: str,
    rows: Any,
    columns: Any,
    schema: str,
    returning: Any,
    timeout: Any,
    told: list[Any],
) -> Any:
    with connection.transaction():
        for statement, arguments in told:
            connection.fetch(statement, *arguments, timeout=timeout)
        return insert_rows(connection, table, rows, columns, schema, returning, timeout)


def insert_over(
    asked: Connection,
    connections: Sequence[Connection],
    place: tuple[str, str],
    rows: Any,
    columns: Any,
    returning: Any,
    timeout: Any,
    told: list[Any],
) -> Any:
    """`asked`: knows names and types as the session does that the rows are given to. `told`: settings of that session."""
    schema, table = place
    if columns is None:
        first, rows = first_row(rows)
        columns = list(first) if isinstance(first, Mapping) else None
    target, chosen = table_columns(asked, table, schema, columns, timeout)
    if returning is not None and any(map(cannot_be_unnested, chosen)):
        return _insert_over_one(connections[0], table, rows, columns, schema, returning, timeout, told)
    with Together(connections) as together:
        load = Load(connections, together, target, chosen, returning, timeout)
        try:
            load.begin(told)
            return load.run(rows)
        except BaseException:
            load.abandon()
            raise


class _Share:
    """What one connection does for a load."""

    __slots__ = ("connection", "served", "call", "take", "source", "chunks", "chunk", "found")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.served = (0, 0.0)  # see _SERVED
        self.call: Any = None  # what is under way
        self.take: Any = None  # is given its result
        # What was handed to it: a PgRowSource knows, or (first row, behind the last, how many came back) of each chunk.
        self.source: Any = None
        self.chunks: list[tuple[int, int, int]] = []
        self.chunk: tuple[int, int] | None = None  # under way
        self.found: list[Any] = []  # what RETURNING gave

    @property
    def takes(self) -> list[tuple[int, int, int]]:
        return self.chunks if self.source is None else self.source.takes

    def position(self, line: int) -> int | None:
        """The row that is so many lines, from 0, behind the beginning of the COPY that is under way, or was."""
        if self.chunk is not None:
            return self.chunk[0] + line
        for first, end, _ in self.takes:
            if line < end - first:
                return first + line
            line -= end - first
        return None


class Load:
    def __init__(
        self,
        connections: Sequence[Connection],
        together: Together,
        target: str,
        columns: list[Column],
        returning: Any,
        timeout: Any,
    ) -> None:
        self._together = together
        self._shares = [_Share(connection) for connection in connections]
        self._statement = load_statement(target, columns, returning)
        self._oids = [column.oid for column in columns]
        self._names = [column.name for column in columns]
        self._returning = returning
        self._timeout = timeout
        self._count = 0
        self._knotted: _Share | None = None

    # --- the steps ---------------------------------------------------------------------------------------------------
    def begin(self, told: list[Any]) -> None:
        for share in self._shares:
            share.connection._prepend("BEGIN")
            call = share.connection.fetchrow(_SERVED, rows=tuple, timeout=self._timeout)
            self._start(share, call, lambda served, share=share: setattr(share, "served", served))
        self._all_ended()
        if len({share.served[1] for share in self._shares}) != 1:
            raise _other_servers()
        for statement, arguments in told:
            for share in self._shares:
                self._start(share, share.connection.fetch(statement, *arguments, timeout=self._timeout), None)
            self._all_ended()

    def run(self, rows: Any) -> Any:
        source = _core.PgRowSource(rows)
        for share in self._shares:
            share.source = source if share is self._shares[0] else source.share()
            self._send(share, share.source)
        return self._end()

    def _end(self) -> Any:
        self._all_ended()
        for share in self._shares:
            # What would be checked by COMMIT only, when others may have been committed.
            self._start(share, share.connection.execute("SET CONSTRAINTS ALL IMMEDIATE", timeout=self._timeout), None)
        self._all_ended()
        self._commit()
        if self._returning is None:
            return self._count
        pieces = []
        for share in self._shares:
            at = 0
            for first, _, returned in share.takes:
                pieces.append((first, share.found[at : at + returned]))
                at += returned
        return list(itertools.chain.from_iterable(rows for _, rows in sorted(pieces, key=itemgetter(0))))

    def _commit(self) -> None:
        for number, share in enumerate(self._shares):
            try:
                self._together.insist(self._together.start(share.connection.execute("COMMIT")))
            except BaseException as error:
                known = isinstance(error, psycopg.Error) and error.sqlstate is not None and not share.connection.closed
                if number == 0 and known:
                    raise  # nothing was committed
                groups = self._shares[:number], [] if known else [share], self._shares[number if known else number + 1 :]
                told = partial_insert(*([take[:2] for one in group for take in one.takes] for group in groups), error)
                if isinstance(error, Exception):
                    raise told from error
                raise error from told  # interrupted twice

    def abandon(self) -> None:
        """Rolls everything back, as far as connections answer. Errors were told, or follow from one that was."""
        if self._shares[0].source is not None:
            self._shares[0].source.stop()
        calls = [share.call for share in self._shares if share.call is not None]
        self._together.all(calls, 0.2)
        for call in calls:
            call.cancel()
        for share in self._shares:
            if not share.connection.closed and not share.connection._take_back():
                calls.append(self._together.start(share.connection.execute("ROLLBACK", timeout=_ROLLBACK)))
        self._together.all(calls, _ROLLBACK + 1)
        for call in calls:
            if call.done() and not call.cancelled():
                call.exception()  # seen

    # --- what is under way -------------------------------------------------------------------------------------------
    def _start(self, share: _Share, call: Any, take: Callable[[Any], Any] | None) -> None:
        share.take = take
        share.call = self._together.start(call)

    def _send(self, share: _Share, rows: Any) -> None:
        connection = share.connection
        if self._returning is None:
            call = connection._copy_records(self._statement, self._oids, self._names, rows, self._timeout)
        else:
            shape = False if isinstance(self._returning, str) else None
            call = connection._insert_unnested(self._statement, self._oids, self._names, rows, shape, self._timeout)
        self._start(share, call, lambda result: self._sent(share, result))

    def _sent(self, share: _Share, result: Any) -> None:
        if self._returning is None:
            self._count += int(result.rpartition(" ")[2])
        else:
            share.found += result
        if share.chunk is not None:
            share.chunks.append((*share.chunk, 0 if self._returning is None else len(result)))
            share.chunk = None

    def _all_ended(self) -> None:
        self._collect()
        while any(share.call is not None for share in self._shares):
            self._step()

    def _step(self) -> None:
        busy = [share for share in self._shares if share.call is not None]
        self._together.some([share.call for share in busy], _LOOK)
        if not self._collect():
            self._look_for_knots(busy)

    def _collect(self) -> bool:
        """Takes the results that are there; whether there were any. Raises the error of a connection that failed."""
        ended = [share for share in self._shares if share.call is not None and share.call.done()]
        for share in ended:
            call, share.call = share.call, None
            try:
                result = call.result()
            except psycopg.Error as error:
                if error.args == (_core.PG_LOAD_STOPPED,):
                    continue  # another one has failed, and says why
                raise self._named(error, share)
            if share.take is not None:
                share.take(result)
        return bool(ended)

    def _named(self, error: psycopg.Error, share: _Share) -> psycopg.Error:
        """With the position of the row among all: the server counts those of its connection."""
        text = str(error)
        if error.sqlstate is None:
            return error
        line = _LINE.search(error.diag.context or "") if self._returning is None else None
        position = None if line is None else share.position(int(line[1]) - 1)
        if position is not None:
            text = f"{text}\nROW:  {position}"
        if share is self._knotted and isinstance(error, errors.QueryCanceled):
            place = text.partition("\n")[2]
            made = errors.DeadlockDetected(f"rows on two connections exclude each other, as equal keys do\n{place}".strip())
            made.__cause__ = error
            return made
        error.args = (text, *error.args[1:])
        return error

    def _look_for_knots(self, busy: list[_Share]) -> None:
        """A row that waits for the end of another connection's transaction, which waits for this one's: no server sees that."""
        idle = [share for share in self._shares if share.call is None]
        if not idle or self._knotted is not None:
            return
        pids = [share.served[0] for share in busy], [share.served[0] for share in idle]
        call = self._together.start(idle[0].connection.fetchrow(_KNOTTED, *pids, rows=tuple, timeout=_ROLLBACK))
        self._together.all([call], _ROLLBACK + 1)
        found = call.result()
        if found is not None:
            self._knotted = next(share for share in busy if share.served[0] == found[0])
            self._knotted.connection.cancel()
