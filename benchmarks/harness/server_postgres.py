"""The PostgreSQL server under the cases: the one the user names, or an embedded one. No case runs here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from .clocks import ServerClock

#: What moves figures, read from the server into the saved run.
_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "wal_level", "max_connections", "jit", "autovacuum")


@contextlib.contextmanager
def postgres_server(conninfo: str | None) -> Iterator[str]:
    """A connection string: the given one, or that of an embedded server that lives as long as the block.

    The embedded one does not wait for the disk, which would make all drivers equal; its buffers hold every case's data.
    """
    if conninfo is not None:
        yield conninfo
        return
    from barewire.embedded import PostgresServer

    settings = {"shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "1h", "autovacuum": False}
    with PostgresServer(settings=settings) as server:
        yield server.conninfo


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return None


def describe_postgres(conninfo: str) -> dict[str, Any]:
    """Version and settings of the server, and the pid of its first process if its CPU can be read from here."""
    with psycopg.connect(conninfo) as connection:
        local = connection.info.host.startswith("/") or connection.info.host in ("localhost", "127.0.0.1", "::1")
        settings = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in _SETTINGS}
        (version,) = connection.execute("SHOW server_version").fetchone()
        pid = _parent(connection.info.backend_pid) if local else None
        socket = connection.info.host.startswith("/")
    if pid is not None:
        try:
            ServerClock(pid)
        except OSError:
            pid = None
    return {
        "version": version,
        "pid": pid,
        "cpu_clock": pid is not None,
        "settings": settings,
        "connection": "Unix socket" if socket else "TCP",
    }
