# Databases of a running server: created as copies, dropped, addressed; uses psycopg, starts nothing.
"""Databases that live as long as a ``with`` block."""

from __future__ import annotations

import dataclasses
import re
import uuid
from types import TracebackType
from typing import Any
from urllib.parse import quote

_PLAIN = re.compile(r"[\w/.-]+")


def _quoted(value: Any) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def conninfo_text(**keywords: Any) -> str:
    """A connection string of libpq in keywords."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in keywords.items())


def uri_text(*, host: str, port: int, user: str, dbname: str) -> str:
    """The same as a URI; a Unix socket's folder stands among the options, where libpq and asyncpg look for it."""
    base = f"postgresql://{quote(user, safe='')}@"
    path = f"/{quote(dbname, safe='')}"
    if host.startswith("/"):
        return f"{base}{path}?host={quote(host, safe='')}&port={port}"
    return f"{base}{host}:{port}{path}"


def _execute(admin: str, statement: str, *names: str) -> None:
    import psycopg  # slow to import: only where it is used
    from psycopg import sql

    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@dataclasses.dataclass(frozen=True)
class PostgresDatabase:
    """A database of a server by its name; leaving its ``with`` block drops it, whoever is connected."""

    name: str
    #: The connection string in keywords: ``host=... port=... user=postgres dbname=...``.
    conninfo: str
    #: The same as a URI, which asyncpg wants.
    uri: str
    _admin: str = dataclasses.field(repr=False)

    @classmethod
    def at(cls, host: str, port: int, user: str, name: str) -> PostgresDatabase:
        """The database ``name`` of the server at this address, whether it exists or not."""
        admin = conninfo_text(host=host, port=port, user=user, dbname="postgres")
        conninfo = conninfo_text(host=host, port=port, user=user, dbname=name)
        return cls(name, conninfo, uri_text(host=host, port=port, user=user, dbname=name), admin)

    def create(self, template: str) -> PostgresDatabase:
        """Create it as a copy of ``template``, to which nobody may be connected; returns itself."""
        _execute(self._admin, "CREATE DATABASE {} TEMPLATE {}", self.name, template)
        return self

    def drop(self) -> None:
        """Drop it, ending the connections to it; harmless when it is gone already."""
        _execute(self._admin, "DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)

    def __enter__(self) -> PostgresDatabase:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drop()


def new_name() -> str:
    """A name that no other database has."""
    return f"barewire_{uuid.uuid4().hex}"
