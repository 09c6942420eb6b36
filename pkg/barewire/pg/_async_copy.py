# COPY both ways: which statement is sent, and how Python's sources and sinks are read and written.
"""Asyncio COPY. The blocking twin `_copy.py` is generated from this file by tools/gen_sync.py."""

from __future__ import annotations

# asyncio only
import contextlib
# end of asyncio only
import re
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import errors

from barewire.pg._statements import column_list, table_name

if TYPE_CHECKING:
    from barewire.pg._async_connection import AsyncConnection

_COPY = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*COPY\b", re.I | re.S)
_BLOCK = 128 * 1024
# asyncio only
_ROW = re.compile(r"^row (\d+)")
# end of asyncio only
# Rows of an asynchronous iterable that travel in one COPY.
_CHUNK = 10000
_COLUMNS = """
SELECT a.attname::text, a.atttypid, t.typarray, pg_catalog.format_type(a.atttypid, NULL), t.typcategory IN ('A', 'C'),
    a.attgenerated <> ''
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


class Column(NamedTuple):
    """A table's column, as the catalogue has it."""

    name: str
    oid: int
    array_oid: int  # 0: there are no arrays of its type
    type_name: str
    is_nested: bool  # an array or a composite, or a domain over one


async def table_columns(
    connection: AsyncConnection, table: str, schema: str | None, columns: Iterable[str] | None, timeout: float | None
) -> tuple[str, list[Column]]:
    """(`"schema"."table"`, columns). Generated columns are left out unless they are named.

    The catalogue is asked each time: a table may have changed, and COPY BINARY trusts what it is told.
    """
    target = table_name(table, schema)
    wanted = None if columns is None else columns if isinstance(columns, str) else [*columns]
    column_list(wanted)  # checks them
    found = await connection.fetch(_COLUMNS, target, rows=tuple, timeout=timeout)
    known = {row[0]: Column(*row[:5]) for row in found}
    if wanted is None:
        wanted = [row[0] for row in found if not row[5]]
    for name in wanted:
        if name not in known:
            raise errors.UndefinedColumn(f'column "{name}" of {target} does not exist')
    chosen = [known[name] for name in wanted]
    unknown = connection._unknown_types([column.oid for column in chosen])
    if unknown:
        await connection._learn_types(unknown, timeout)
    return target, chosen


def copy_statement(target: str, names: list[str]) -> str:
    return f"COPY {target}{column_list(names)} FROM STDIN (FORMAT binary)"


async def copy_records(
    connection: AsyncConnection,
    table: str,
    schema: str | None,
    columns: Iterable[str] | None,
    records: Any,
    timeout: float | None,
) -> str:
    target, chosen = await table_columns(connection, table, schema, columns, timeout)
    names = [column.name for column in chosen]
    oids = [column.oid for column in chosen]
    statement = copy_statement(target, names)
    # asyncio only
    if isinstance(records, AsyncIterable):
        # Several COPYs in one transaction: rows are gathered between them, when nothing waits for the connection.
        count = 0
        async with connection.transaction():
            chunk: list[Any] = []
            async for record in records:
                chunk.append(record)
                if len(chunk) == _CHUNK:
                    with rows_from(count):
                        count += _rows(await connection._copy_records(statement, oids, names, chunk, timeout))
                    chunk = []
            if chunk:
                with rows_from(count):
                    count += _rows(await connection._copy_records(statement, oids, names, chunk, timeout))
        return f"COPY {count}"
    # end of asyncio only
    return await connection._copy_records(statement, oids, names, records, timeout)


# asyncio only
@contextlib.contextmanager
def rows_from(first: int) -> Iterator[None]:
    """Errors of a part of the rows name them as if they had been counted from the beginning of all."""
    try:
        yield
    except psycopg.Error as error:
        move_row(error, first)
        raise


def move_row(error: psycopg.Error, first: int) -> None:
    """An error of a part of the rows, so many of which came before it."""
    if first and error.sqlstate is None and error.args and isinstance(error.args[0], str):
        text = _ROW.sub(lambda found: f"row {int(found[1]) + first}", error.args[0], count=1)
        error.args = (text, *error.args[1:])


# end of asyncio only
def _rows(tag: str) -> int:
    return int(tag.rpartition(" ")[2])


async def copy_blocks(connection: AsyncConnection, statement: str, source: Any, timeout: float | None) -> str:
    if not isinstance(statement, str) or not _COPY.match(statement):
        raise psycopg.ProgrammingError('copy_from needs a statement of the form "COPY ... FROM STDIN ..."')
    # asyncio only
    if isinstance(source, AsyncIterable) and not hasattr(source, "read"):
        source = [block async for block in source]
    # end of asyncio only
    return await connection._copy_in(statement, _blocks(source), timeout)


def _blocks(source: Any) -> Iterator[Any]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        view = memoryview(source).cast("B")
        return (view[at : at + _BLOCK] for at in range(0, len(view), _BLOCK))
    if hasattr(source, "read"):
        return iter(lambda: source.read(_BLOCK), b"")
    if isinstance(source, str):
        raise TypeError("source must give bytes, not str")
    return iter(source)


async def copy_out(
    connection: AsyncConnection, statement: str, output: Any, rows: type | None, timeout: float | None
) -> Any:
    if not isinstance(statement, str):
        raise TypeError(f"a statement must be a str, not {type(statement).__name__}")
    write = _writer(output)
    if _COPY.match(statement):
        if rows is not None:
            raise psycopg.ProgrammingError("rows are decoded only from a query, not from a COPY statement")
        return await connection._copy_out(statement, write, None, None, timeout)
    query = statement.rstrip().rstrip(";")
    _, columns, _ = await connection._describe(query, timeout)
    return await connection._copy_out(f"COPY ({query}) TO STDOUT (FORMAT binary)", write, columns, rows, timeout)


def _writer(output: Any) -> Callable[[bytes], Any] | None:
    if output is None or not hasattr(output, "write"):
        if output is not None and not callable(output):
            raise TypeError("output must have a write method, or be callable")
        return output
    return output.write
