# TLS: which certificates are taken, and that everything that crosses in pieces crosses encrypted too, on both libraries.
from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pg_faces
import psycopg
import pytest
from pg_tls import tls_server
from psycopg import errors
from psycopg.conninfo import make_conninfo

import barewire.pg
from barewire.embedded import PostgresServer

SIZE = 5_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[PostgresServer]:
    with tls_server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def verified(server: PostgresServer, folder: Path) -> str:
    """Everything is checked: authority and host name."""
    return make_conninfo(
        server.conninfo, host="localhost", hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=str(folder / "authority.crt")
    )


@pytest.fixture
async def encrypted(face: str, libpq: str, verified: str) -> AsyncIterator[Any]:
    made = await pg_faces.connect(face, verified, libpq=libpq)
    await made.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (n int CHECK (n < 1000000), s text)")
    yield made
    await made.close()


async def is_encrypted(session: Any) -> bool:
    return await session.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


# --- certificates ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["prefer", "require", "verify-ca", "verify-full"])
async def test_modes(face: str, libpq: str, verified: str, mode: str) -> None:
    made = await pg_faces.connect(face, make_conninfo(verified, sslmode=mode), libpq=libpq)
    assert await is_encrypted(made)
    await made.close()


async def test_without(face: str, libpq: str, verified: str) -> None:
    made = await pg_faces.connect(face, make_conninfo(verified, sslmode="disable"), libpq=libpq)
    assert not await is_encrypted(made)
    await made.close()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_an_unknown_authority(face: str, libpq: str, verified: str, folder: Path, mode: str) -> None:
    conninfo = make_conninfo(verified, sslmode=mode, sslrootcert=str(folder / "stranger.crt"))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        await pg_faces.connect(face, conninfo, libpq=libpq)


async def test_another_host_name(face: str, libpq: str, verified: str) -> None:
    made = await pg_faces.connect(face, make_conninfo(verified, host="elsewhere", sslmode="verify-ca"), libpq=libpq)
    await made.close()
    with pytest.raises(psycopg.OperationalError, match='"localhost".* does not match host name "elsewhere"'):
        await pg_faces.connect(face, make_conninfo(verified, host="elsewhere"), libpq=libpq)


async def test_no_authority_file(face: str, libpq: str, verified: str, folder: Path) -> None:
    with pytest.raises(psycopg.OperationalError, match="nowhere.crt"):
        await pg_faces.connect(face, make_conninfo(verified, sslrootcert=str(folder / "nowhere.crt")), libpq=libpq)


async def test_a_server_without(face: str, libpq: str) -> None:
    with PostgresServer(unix_socket=False) as plain:
        for mode in ("require", "verify-ca"):
            with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
                conninfo = make_conninfo(plain.conninfo, sslmode=mode, sslrootcert="")
                await pg_faces.connect(face, conninfo, libpq=libpq)
        made = await pg_faces.connect(face, make_conninfo(plain.conninfo, sslmode="prefer"), libpq=libpq)
        assert not await is_encrypted(made)
        await made.close()


async def test_the_client_has_a_certificate(face: str, libpq: str, verified: str, folder: Path) -> None:
    files = {"sslcert": str(folder / "client.crt"), "sslkey": str(folder / "client.key")}
    made = await pg_faces.connect(face, make_conninfo(verified, user="robot", **files), libpq=libpq)
    assert await made.fetchval("SELECT current_user") == "robot" and await is_encrypted(made)
    await made.close()
    with pytest.raises(psycopg.OperationalError, match="certificate"):
        await pg_faces.connect(face, make_conninfo(verified, user="robot", sslcert="", sslkey=""), libpq=libpq)


# --- what crosses ------------------------------------------------------------------------------------------------------
async def test_large_results(encrypted: Any) -> None:
    assert await encrypted.fetchval("SELECT repeat('x', $1)", SIZE) == "x" * SIZE
    found = await encrypted.fetch("SELECT n, repeat('y', 100) FROM generate_series(1, $1) AS n", SIZE // 100)
    assert len(found) == SIZE // 100 and found[-1] == (SIZE // 100, "y" * 100)
    assert await encrypted.fetchval("SELECT length($1::text)", "z" * SIZE) == SIZE
    # Sizes around those of TLS records, of libpq's buffers, and of both together.
    for size in (*range(16_300, 16_420, 7), *range(8_100, 8_200, 9), *range(32_700, 32_800, 11)):
        assert await encrypted.fetchval("SELECT repeat('x', $1)", size) == "x" * size


async def test_statements_that_travel_together(encrypted: Any) -> None:
    batch = encrypted.batch()
    for number in range(200):
        batch.fetchval("SELECT repeat($1, $2)", str(number % 10), 30_000)
    results = await batch.run()
    assert [len(result) for result in results] == [30_000] * 200 and results[7][0] == "7"
    await encrypted.executemany("INSERT INTO t VALUES ($1, $2)", ((n, "x" * 100) for n in range(SIZE // 100)))
    assert await encrypted.fetchrow("SELECT count(*), sum(length(s)) FROM t") == (SIZE // 100, SIZE)


async def test_copy_in(encrypted: Any) -> None:
    rows = [(n, "x" * 100) for n in range(SIZE // 100)]
    assert await encrypted.copy_records_to_table("t", records=rows) == f"COPY {len(rows)}"
    assert await encrypted.copy_from("COPY t FROM STDIN", b"".join(b"%d\t%s\n" % (n, s.encode()) for n, s in rows))
    assert await encrypted.insert_many_unsafe("t", rows) == len(rows)
    assert await encrypted.insert_many_unsafe("t", rows, returning="n") == [n for n, _ in rows]
    assert await encrypted.insert_many_unsafe("t", rows, connections=2) == len(rows)
    assert await encrypted.fetchrow("SELECT count(*), sum(length(s)) FROM t") == (5 * len(rows), 5 * SIZE)


async def test_copy_out(encrypted: Any) -> None:
    await encrypted.insert_many_unsafe("t", ((n, "x" * 100) for n in range(SIZE // 100)))
    assert len(await encrypted.copy_to("COPY t TO STDOUT")) > SIZE
    assert len(await encrypted.copy_to("SELECT * FROM t")) == SIZE // 100
    async with encrypted.transaction():
        count = 0
        async for _ in encrypted.cursor("SELECT * FROM t", prefetch=5000):
            count += 1
    assert count == SIZE // 100


async def test_copy_in_that_the_server_refuses(encrypted: Any) -> None:
    def endless() -> Iterator[tuple[int, str]]:
        number = 0
        while True:
            yield number, "x" * 100
            number += 1

    for call in (
        lambda: encrypted.copy_records_to_table("t", records=[(n, "x") for n in range(1_000_001)]),
        lambda: encrypted.copy_records_to_table("t", records=endless()),
        lambda: encrypted.copy_from("COPY t FROM STDIN", (f"{n}\t{s}\n".encode() for n, s in endless())),
    ):
        with pytest.raises(errors.CheckViolation):
            await call()
        assert await encrypted.fetchval("SELECT count(*) FROM t") == 0


async def test_notices_while_data_is_copied_in(encrypted: Any) -> None:
    seen: list[str] = []
    encrypted.add_notice_handler(lambda diag: seen.append(diag.message_primary))
    await encrypted.execute(
        "CREATE OR REPLACE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN IF NEW.n % 1000 = 0 THEN RAISE NOTICE ''row %'', NEW.n; END IF; RETURN NEW; END';"
        "CREATE TRIGGER tell BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell()"
    )
    seen.clear()
    assert await encrypted.insert_many_unsafe("t", ((n, "x" * 100) for n in range(50_000))) == 50_000
    assert seen == [f"row {n}" for n in range(0, 50_000, 1000)]


async def test_timeouts_and_cancel(encrypted: Any) -> None:
    before = time.monotonic()
    with pytest.raises(barewire.pg.StatementTimeout):
        await encrypted.fetchval("SELECT pg_sleep(30)", timeout=0.2)
    assert await encrypted.fetchval("SELECT 1") == 1
    with pytest.raises(barewire.pg.StatementTimeout):
        await encrypted.fetch("SELECT repeat('x', 1000), pg_sleep(0.01) FROM generate_series(1, 100000)", timeout=0.3)
    assert await encrypted.fetchval("SELECT 2") == 2 and time.monotonic() - before < 15
    if isinstance(encrypted, pg_faces.Awaited):
        waiting = asyncio.get_running_loop().run_in_executor(None, encrypted.inner.fetchval, "SELECT pg_sleep(30)")
    else:
        waiting = asyncio.ensure_future(encrypted.fetchval("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.3)
    encrypted.cancel()
    with pytest.raises(errors.QueryCanceled):
        await waiting
    assert await encrypted.fetchval("SELECT 3") == 3


async def test_a_backend_that_is_killed(encrypted: Any, verified: str) -> None:
    with psycopg.connect(verified, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (encrypted.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        await encrypted.fetchval("SELECT 1")
    assert encrypted.closed


async def test_notifications(encrypted: Any, verified: str) -> None:
    await encrypted.listen("news")
    with psycopg.connect(verified, autocommit=True) as other:
        for number in range(100):
            other.execute("SELECT pg_notify('news', %s)", (f"{number} " + "x" * 500,))
    found = []
    async for notification in encrypted.notifications(timeout=10, stop_after=100):
        found.append(int(notification.payload.split()[0]))
    assert found == list(range(100))


# --- pools -------------------------------------------------------------------------------------------------------------
async def test_pool_of_a_loop(libpq: str, verified: str) -> None:
    async with barewire.pg.AsyncPool(verified, libpq=libpq, max_size=4) as pool:
        sizes = [1, 100, 16_384, 100_000] * 100
        found = await asyncio.gather(*(pool.fetchval("SELECT repeat('x', $1)", size) for size in sizes))
        assert [len(text) for text in found] == sizes
        results = await asyncio.gather(*(pool.fetchval("SELECT 100 / $1::int", n % 5) for n in range(200)), return_exceptions=True)
        assert [isinstance(result, errors.DivisionByZero) for result in results] == [n % 5 == 0 for n in range(200)]
        slow = asyncio.create_task(pool.fetchval("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.2)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert await pool.fetchval("SELECT 1") == 1
        async with pool.connection() as connection:
            assert await is_encrypted(connection)


def test_pool_of_threads(libpq: str, verified: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with barewire.pg.Pool(verified, libpq=libpq, max_size=4) as pool, ThreadPoolExecutor(8) as threads:
        sizes = [1, 100, 16_384, 100_000] * 50
        found = threads.map(lambda size: pool.fetchval("SELECT repeat('x', $1)", size), sizes)
        assert [len(text) for text in found] == sizes


def test_pool_meets_an_unknown_authority(libpq: str, verified: str, folder: Path) -> None:
    wrong = make_conninfo(verified, sslrootcert=str(folder / "stranger.crt"))
    with barewire.pg.Pool(wrong, libpq=libpq, timeout=10) as pool:
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            pool.fetchval("SELECT 1")
