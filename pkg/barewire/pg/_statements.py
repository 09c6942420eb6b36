# Texts of statements that the faces send by themselves: BEGIN, COPY, cursors, catalogue look-ups. Nothing is sent here.
"""SQL with identifiers quoted the server's way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

_LEVELS = {
    "read_uncommitted": "READ UNCOMMITTED",
    "read_committed": "READ COMMITTED",
    "repeatable_read": "REPEATABLE READ",
    "serializable": "SERIALIZABLE",
}


def identifier(name: str) -> str:
    """A quoted identifier. Raises psycopg.ProgrammingError for what no identifier can hold."""
    if not isinstance(name, str):
        raise TypeError(f"a name must be a str, not {type(name).__name__}")
    if not name or "\0" in name:
        raise psycopg.ProgrammingError("a name must not be empty and must not hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def table_name(table: str, schema: str | None) -> str:
    return identifier(table) if schema is None else f"{identifier(schema)}.{identifier(table)}"


def column_list(columns: Iterable[str] | None) -> str:
    """`("a", "b")`, or nothing."""
    if columns is None:
        return ""
    if isinstance(columns, str):
        raise TypeError("columns must be a sequence of names, not a str")
    names = [identifier(name) for name in columns]
    if not names:
        raise psycopg.ProgrammingError("columns must not be empty")
    return f" ({', '.join(names)})"


def begin_text(isolation: Any, read_only: bool | None, deferrable: bool | None) -> str:
    """BEGIN with the given modes.

    :param isolation: None (the server's default), a psycopg.IsolationLevel, or its name in any spelling:
        "repeatable_read", "REPEATABLE READ"
    """
    modes = []
    if isolation is not None:
        name = isolation.name if isinstance(isolation, psycopg.IsolationLevel) else isolation
        level = _LEVELS.get(name.lower().replace(" ", "_").replace("-", "_")) if isinstance(name, str) else None
        if level is None:
            raise ValueError(f"isolation must be one of {', '.join(_LEVELS)} or a psycopg.IsolationLevel")
        modes.append(f"ISOLATION LEVEL {level}")
    if read_only is not None:
        modes.append("READ ONLY" if read_only else "READ WRITE")
    if deferrable is not None:
        modes.append("DEFERRABLE" if deferrable else "NOT DEFERRABLE")
    return f"BEGIN {', '.join(modes)}" if modes else "BEGIN"
