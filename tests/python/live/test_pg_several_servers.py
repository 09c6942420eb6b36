# Several hosts that all answer: which one is taken, what a pool does when one ends, and loads that would reach two.
from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import barewire.pg
from barewire.embedded import PostgresServer


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """The first only reads."""
    with PostgresServer(settings={"default_transaction_read_only": True}) as first, PostgresServer() as second:
        yield first, second


def both(*servers: PostgresServer, **words: Any) -> str:
    each = [conninfo_to_dict(server.conninfo) for server in servers]
    hosts, ports = (",".join(str(one[name]) for one in each) for name in ("host", "port"))
    return make_conninfo(servers[0].conninfo, host=hosts, port=ports, **words)


async def reached(session: Any) -> str:
    return await session.fetchval("SHOW data_directory")


@pytest.mark.parametrize("wanted,place", [
    ("any", 0), ("read-only", 0), ("read-write", 1), ("primary", 0), ("prefer-standby", 0),
])  # fmt: skip
async def test_attributes_that_are_wanted(
    face: str, libpq: str, servers: tuple[PostgresServer, PostgresServer], wanted: str, place: int
) -> None:
    made = await pg_faces.connect(face, both(*servers), libpq=libpq, target_session_attrs=wanted)
    assert await reached(made) == str(servers[place].path)
    # A request to cancel goes to the same one.
    with pytest.raises(barewire.pg.StatementTimeout):
        await made.fetchval("SELECT pg_sleep(30)", timeout=0.2)
    assert await made.fetchval("SELECT 1") == 1
    await made.close()


async def test_none_has_them(face: str, libpq: str, servers: tuple[PostgresServer, PostgresServer]) -> None:
    with pytest.raises(psycopg.OperationalError, match="not in hot standby"):
        await pg_faces.connect(face, both(*servers), libpq=libpq, target_session_attrs="standby")


async def test_a_service_with_several_hosts_in_pools(
    libpq: str, servers: tuple[PostgresServer, PostgresServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = conninfo_to_dict(both(*servers, target_session_attrs="read-write"))
    (tmp_path / "services").write_text("[ours]\n" + "".join(f"{name}={value}\n" for name, value in words.items()))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with barewire.pg.Pool("service=ours", libpq=libpq) as pool:
        assert pool.fetchval("SHOW data_directory") == str(servers[1].path)
    async with barewire.pg.AsyncPool("service=ours", libpq=libpq) as later:
        assert await later.fetchval("SHOW data_directory") == str(servers[1].path)


async def test_a_pool_goes_on_with_the_other_server(face: str, libpq: str) -> None:
    with PostgresServer() as first, PostgresServer() as second:
        kind: Any = barewire.pg.AsyncPool if face == "async" else barewire.pg.Pool
        made = kind(both(first, second), libpq=libpq)
        pool = made if face == "async" else pg_faces.Awaited(made)
        assert await reached(pool) == str(first.path)
        first.stop()
        deadline = time.monotonic() + 20
        while True:  # what was on its way is lost, and said to be
            assert time.monotonic() < deadline
            try:
                assert await reached(pool) == str(second.path)
                break
            except psycopg.OperationalError:
                await asyncio.sleep(0.05)
        await pool.close()


async def test_a_load_does_not_go_to_two_servers(face: str, libpq: str, tmp_path: Path) -> None:
    with PostgresServer() as early, PostgresServer() as late:
        for server in (early, late):
            with psycopg.connect(server.conninfo, autocommit=True) as connection:
                connection.execute("CREATE TABLE t (n int)")
                connection.execute("CHECKPOINT")  # it will be killed
        conninfo = both(late, early)
        late.kill()
        made = await pg_faces.connect(face, conninfo, libpq=libpq)
        assert await reached(made) == str(early.path)
        assert await made.insert_many_unsafe("t", [(1,)], connections=2) == 1
        late.restart()  # the further connections reach it first
        with pytest.raises(psycopg.OperationalError, match="different servers"):
            await made.insert_many_unsafe("t", [(2,)], connections=2)
        assert await made.fetch("SELECT n FROM t") == [(1,)]
        with psycopg.connect(late.conninfo) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        await made.close()
