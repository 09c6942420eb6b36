"""Opens the PostgreSQL connection or pool of one peer inside its own process. Nothing is timed here."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .case import Case
from .clients import attribute
from .peers import Peer


def check_c_extensions() -> None:
    """Raises RuntimeError when psycopg is installed without its C code: that is not the incumbent."""
    with contextlib.suppress(ImportError):
        import psycopg

        if psycopg.pq.__impl__ == "python":
            raise RuntimeError("psycopg runs without its C code; such a peer must not be measured")


@contextlib.contextmanager
def open_blocking(peer: Peer, case: Case, uri: str, database: str) -> Iterator[Any]:
    """A connection in autocommit mode with the peer's own API; raises Missing where it is not installed."""
    if peer.ours:
        connection = attribute("barewire.pg", "connect")(uri)
    else:
        connection = attribute("psycopg", "Connection").connect(uri, autocommit=True)
    try:
        yield connection
    finally:
        connection.close()


@contextlib.asynccontextmanager
async def open_asyncio(peer: Peer, case: Case, uri: str, database: str) -> AsyncIterator[Any]:
    """A connection with the peer's own API (a list of them if the case wants several), a pool or an engine; raises Missing
    where the peer is not installed."""
    open_one = {
        "psycopg_async": _psycopg,
        "asyncpg": _asyncpg,
        "connections": _asyncpg,
        "barewire_async": _barewire,
        "pool": _pool,
        "sqlalchemy": _sqlalchemy,
    }[peer.api]
    wanted = case.pool_size if peer.api == "connections" else case.connection_count
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(open_one(peer, case, uri)) for _ in range(wanted or 1)]
        yield opened[0] if wanted is None else opened


@contextlib.asynccontextmanager
async def _psycopg(peer: Peer, case: Case, uri: str) -> AsyncIterator[Any]:
    connection = await attribute("psycopg", "AsyncConnection").connect(uri, autocommit=True)
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _barewire(peer: Peer, case: Case, uri: str) -> AsyncIterator[Any]:
    connection = await attribute("barewire.pg", "connect_async")(uri)
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _sqlalchemy(peer: Peer, case: Case, uri: str) -> AsyncIterator[Any]:
    connect = attribute("asyncpg", "connect")
    engine = attribute("sqlalchemy.ext.asyncio", "create_async_engine")(
        "postgresql+asyncpg://", async_creator=lambda: connect(uri)
    )
    try:
        yield engine
    finally:
        await engine.dispose()


@contextlib.asynccontextmanager
async def _asyncpg(peer: Peer, case: Case, uri: str) -> AsyncIterator[Any]:
    connection = await attribute("asyncpg", "connect")(uri)
    try:
        # As text it would not be what the others give back.
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _pool(peer: Peer, case: Case, uri: str) -> AsyncIterator[Any]:
    if peer.ours:
        async with attribute("barewire.pg", "AsyncPool")(uri, min_size=case.pool_size, max_size=case.pool_size) as pool:
            yield pool
        return

    class Unreset(attribute("asyncpg", "Connection")):  # type: ignore[misc]
        def get_reset_query(self) -> str:
            return ""

    options = {"connection_class": Unreset} if peer.name == "asyncpg-pool-unreset" else {}
    async with attribute("asyncpg", "create_pool")(uri, min_size=case.pool_size, max_size=case.pool_size, **options) as pool:
        yield pool
