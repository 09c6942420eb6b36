"""The controller's view of a PostgreSQL server: its own connection and the benchmark database. No peer runs here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from barewire.embedded._postgres_database import uri_text

DATABASE = "barewire_benchmarks"
_NAME = re.compile(r"[a-z_0-9]+")


def address(conninfo: str) -> dict[str, Any]:
    """Host, port and user of a connection string, with libpq's defaults."""
    with psycopg.connect(conninfo) as connection:
        info = connection.info
        return {"host": info.host, "port": info.port, "user": info.user, "password": info.password}


class PostgresStage:
    """Brings tables into a known state and reads them back, always through psycopg, digests made by the server."""

    def __init__(self, conninfo: str, server_pid: int | None = None, database: str = DATABASE) -> None:
        assert _NAME.fullmatch(database)
        self.name = database
        self.server_pid = server_pid
        self._admin = conninfo
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {self.name} TEMPLATE template0")
        given = conninfo_to_dict(conninfo)
        found = address(conninfo)
        self.uri = uri_text(host=found["host"], port=found["port"], user=found["user"], dbname=self.name)
        if given.get("password"):
            raise ValueError("a server that wants a password is not supported: peers take the URI without one")
        self.connection = psycopg.connect(self.uri, autocommit=True)

    def close(self) -> None:
        self.connection.close()
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.connection.execute(statement)

    def value(self, query: str, *parameters: Any) -> Any:
        """The first value of the first row."""
        row = self.connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def table(self, name: str, columns: str) -> None:
        """An empty table of this shape, made anew, so that no peer meets another's dead rows."""
        assert _NAME.fullmatch(name)
        self.execute(f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({columns})")

    def empty(self, name: str) -> None:
        """The table keeps its shape and gets a new file."""
        self.execute(f"TRUNCATE {name} RESTART IDENTITY")

    def copy(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Fill a table, then tell the planner and the visibility map about it."""
        with self.connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        self.execute(f"VACUUM ANALYZE {name}")

    def count(self, name: str, condition: str = "true") -> int:
        return self.value(f"SELECT count(*) FROM {name} WHERE {condition}")

    def digest(self, name: str, columns: str = "*") -> str:
        """Of a table's contents whatever the order of its rows: count and a sum of hashes of their text."""
        text = f"SELECT x::text AS row FROM (SELECT {columns} FROM {name}) AS x"
        query = f"SELECT count(*) || ':' || coalesce(sum(hashtextextended(row, 0)::numeric), 0) FROM ({text}) AS texts"
        return self.value(query)
