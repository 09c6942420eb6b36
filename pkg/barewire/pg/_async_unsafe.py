# insert_many_unsafe: COPY BINARY, or INSERT from arrays when something is to be given back.
"""Asyncio bulk loads. The blocking twin `_unsafe.py` is generated from this file by tools/gen_sync.py."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg

from barewire import _core
from barewire.pg._async_copy import Column, copy_statement, table_columns
# asyncio only
from barewire.pg._async_copy import rows_from

# end of asyncio only
from barewire.pg._statements import column_list

if TYPE_CHECKING:
    from barewire.pg._async_connection import AsyncConnection

# Rows of an asynchronous iterable, or of a table with arrays, that travel together.
CHUNK = 10000
_PARAMETER = re.compile(r"\$(\d+)(.*)", re.S)


async def insert_rows(
    connection: AsyncConnection,
    table: str,
    rows: Any,
    columns: Iterable[str] | None,
    schema: str | None,
    returning: str | Sequence[str] | None,
    timeout: float | None,
) -> Any:
    # asyncio only
    if isinstance(rows, AsyncIterable):
        return await _insert_awaited(connection, table, rows, columns, schema, returning, timeout)
    # end of asyncio only
    if columns is None:
        first, rows = first_row(rows)
        if isinstance(first, Mapping):
            columns = list(first)
    target, chosen = await table_columns(connection, table, schema, columns, timeout)
    statement = load_statement(target, chosen, returning)
    oids, names = [column.oid for column in chosen], [column.name for column in chosen]
    if returning is None:
        return int((await connection._copy_records(statement, oids, names, rows, timeout)).rpartition(" ")[2])
    shape = False if isinstance(returning, str) else None
    if any(map(cannot_be_unnested, chosen)):
        return await _insert_one_by_one(connection, statement, names, rows, shape, timeout)
    return await connection._insert_unnested(statement, oids, names, rows, shape, timeout)


def cannot_be_unnested(column: Column) -> bool:
    """Arrays of arrays would be taken apart by unnest."""
    return column.is_nested or not column.array_oid


def load_statement(target: str, columns: list[Column], returning: str | Sequence[str] | None) -> str:
    """COPY, INSERT from an array per column, or INSERT of one row."""
    if returning is None:
        return copy_statement(target, [column.name for column in columns])
    back = column_list([returning] if isinstance(returning, str) else [*returning]).strip(" ()")
    if any(map(cannot_be_unnested, columns)):
        values = f"VALUES ({', '.join(f'${place}' for place, _ in enumerate(columns, 1))})"
    else:
        arrays = ", ".join(f"${place}::{column.type_name}[]" for place, column in enumerate(columns, 1))
        values = f"SELECT * FROM unnest({arrays})"
    return f"INSERT INTO {target}{column_list(column.name for column in columns)} {values} RETURNING {back}"


def first_row(rows: Any) -> tuple[Any, Any]:
    """The first row, or None, and an iterable of all."""
    if isinstance(rows, (list, tuple)):
        return (rows[0] if rows else None), rows
    iterator = iter(rows)
    for first in iterator:
        return first, itertools.chain([first], iterator)
    return None, []


async def _insert_one_by_one(
    connection: AsyncConnection, text: str, names: list[str], rows: Any, shape: Any, timeout: float | None
) -> list[Any]:
    """A statement per row, many in one flush."""
    what = _core.PG_VALUE if shape is False else _core.PG_ROW
    found: list[Any] = []
    async with connection.transaction():
        iterator = iter(rows)
        while chunk := list(itertools.islice(iterator, CHUNK)):
            first = len(found)
            items = [(what, text, _values(row, names, number), None) for number, row in enumerate(chunk, first)]
            try:
                found += await connection._batch(items, "", timeout)
            except psycopg.DataError as error:
                _name_row(error, first, names)
                raise
    return found


def _values(row: Any, names: list[str], number: int) -> tuple[Any, ...]:
    if not isinstance(row, Mapping):
        if isinstance(row, (str, bytes)) or not isinstance(row, Iterable):
            raise psycopg.DataError(f"row {number}: expected a tuple, list or mapping as row, got {type(row).__name__}")
        values = tuple(row)
        if len(values) != len(names):
            raise psycopg.DataError(f"row {number}: the row has {len(values)} values for {len(names)} columns")
        return values
    for name in names:
        if name not in row:
            raise psycopg.DataError(f"row {number}, column {name}: the row lacks this column")
    return tuple(row[name] for name in names)


def _name_row(error: psycopg.Error, first: int, names: list[str]) -> None:
    """A value that does not fit: by the row and the column, as in the other ways."""
    place = getattr(error, "batch_position", None)
    found = _PARAMETER.match(str(error))
    if place is None or error.sqlstate is not None or found is None:
        return
    error.args = (f"row {first + place}, column {names[int(found[1]) - 1]}{found[2]}", *error.args[1:])
    del error.batch_position, error.batch_results  # type: ignore[attr-defined]
    if hasattr(error, "__notes__"):
        del error.__notes__


# asyncio only
async def _insert_awaited(
    connection: AsyncConnection,
    table: str,
    rows: AsyncIterable[Any],
    columns: Iterable[str] | None,
    schema: str | None,
    returning: str | Sequence[str] | None,
    timeout: float | None,
) -> Any:
    """Several statements in one transaction: rows are gathered between them, when nothing waits for the connection."""
    count, found = 0, []
    async with connection.transaction():
        chunk: list[Any] = []

        async def send() -> None:
            nonlocal count
            with rows_from(count):
                done = await insert_rows(connection, table, chunk, columns, schema, returning, timeout)
            if returning is None:
                count += done
            else:
                count += len(done)
                found.extend(done)
            chunk.clear()

        async for row in rows:
            if columns is None and isinstance(row, Mapping):
                columns = list(row)
            chunk.append(row)
            if len(chunk) == CHUNK:
                await send()
        if chunk:
            await send()
    return count if returning is None else found


# end of asyncio only
