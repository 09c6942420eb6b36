"""The MongoDB server under the cases: the one the user names, or an embedded one. No case runs here."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pymongo

from .clocks import process_cpu_clock

_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}


def with_write_concern(uri: str) -> str:
    """``uri`` with ``w=1``: the implicit default of a replica set waits for the journal and makes all drivers equal.

    Raises ValueError when the URI asks for another write concern.
    """
    base, _, query = uri.partition("?")
    options = urllib.parse.parse_qsl(query, keep_blank_values=True)
    asked = [value for name, value in options if name.lower() == "w"]
    if asked and asked[-1] != "1":
        raise ValueError(f"cases are run with w=1, the URI asks for w={asked[-1]}")
    if asked:
        return uri
    if "/" not in base.removeprefix("mongodb://").removeprefix("mongodb+srv://"):
        base += "/"
    return f"{base}?{query}{'&' if query else ''}w=1"


@contextlib.contextmanager
def mongo_server(uri: str | None) -> Iterator[str]:
    """A URI with w=1: of the given server, or of an embedded replica set of one that lives as long as the block."""
    if uri is not None:
        yield with_write_concern(uri)
        return
    from barewire.embedded import MongoServer

    with MongoServer(cache_megabytes=1024) as server:
        yield with_write_concern(server.uri)


def describe_server(uri: str) -> dict[str, Any]:
    """Version, pid, settings and topology of the server, and the pid whose CPU clock can be read from here."""
    with pymongo.MongoClient(uri) as client:
        status = client.admin.command("serverStatus")
        hello = client.admin.command("hello")
        options = client.admin.command("getCmdLineOpts")
        host = client.address[0] if client.address else ""
    pid: int | None = int(status["pid"]) if host in _LOCAL_HOSTS or host.startswith("/") else None
    clock = False
    if pid is not None:
        with contextlib.suppress(OSError):
            process_cpu_clock(pid)
            clock = True
    settings = {name: value for name, value in options.get("parsed", {}).items() if name != "security"}
    return {
        "version": status["version"],
        "pid": pid if clock else None,
        "cpu_clock": clock,
        "storage_engine": status.get("storageEngine", {}).get("name"),
        "topology": f"replica set {hello['setName']} of {len(hello['hosts'])}" if "setName" in hello else hello.get("msg", "standalone"),
        "write_concern": "w=1",
        "settings": _plain(settings),
        "host": host,
    }


def _plain(value: Any) -> Any:
    """BSON values as JSON ones."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
