# What PostgreSQL answers is cut, late, nonsense or huge: every error is psycopg's, nothing hangs, memory comes back.
from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pg_faces
import psycopg
import pytest
from proxy import Proxy, proxy_to
from psycopg.conninfo import make_conninfo

import barewire.pg
from barewire.embedded import PostgresServer


@pytest.fixture(scope="module")
def port_server() -> Iterator[PostgresServer]:
    """A server on a port, for the proxy."""
    with PostgresServer(unix_socket=False) as server:
        yield server


@pytest.fixture
def proxy(port_server: PostgresServer) -> Iterator[Proxy]:
    with proxy_to(port_server.port) as made:
        yield made


@pytest.fixture(params=["blocking", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["bundled", "system"])
def libpq(request: pytest.FixtureRequest) -> str:
    return request.param


def through(proxy: Proxy, server: PostgresServer) -> str:
    return make_conninfo(server.conninfo, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")


@pytest.mark.parametrize("after", [0, 1, 4, 5, 30, 1000, 60000])
async def test_cut_in_the_middle_of_a_reply(
    face: str, libpq: str, after: int, proxy: Proxy, port_server: PostgresServer
) -> None:
    connection = await pg_faces.connect(face, through(proxy, port_server), libpq=libpq)
    query = "SELECT n, repeat('x', 50) FROM generate_series(1, $1::int) n"
    assert len(await connection.fetch(query, 3)) == 3
    proxy.cut_replies_after, proxy.only_when = after, lambda request: True
    with pytest.raises(psycopg.OperationalError):
        await connection.fetch(query, 5000)
    assert proxy.cuts == 1 and connection.closed
    with pytest.raises(psycopg.OperationalError):
        await connection.fetch(query, 1)
    await connection.close()


@pytest.mark.parametrize("after", [0, 3, 20])
async def test_cut_in_everything_else(face: str, after: int, proxy: Proxy, port_server: PostgresServer) -> None:
    with psycopg.connect(port_server.conninfo, autocommit=True) as witness:
        witness.execute("DROP TABLE IF EXISTS cut")
        witness.execute("CREATE TABLE cut (n int, s text)")
    rows = [(i, "x" * 100) for i in range(50_000)]
    for call in (
        lambda c: c.execute("SELECT 1; SELECT 2"),
        lambda c: c.executemany("INSERT INTO cut VALUES ($1, $2)", rows),
        lambda c: c.copy_records_to_table("cut", records=rows),
        lambda c: c.insert_many_unsafe("cut", rows, returning="n"),
        lambda c: c.copy_to("SELECT n FROM generate_series(1, 100000) n"),
        lambda c: c.copy_to("COPY (SELECT n FROM generate_series(1, 100000) n) TO STDOUT"),
        lambda c: c.copy_from("COPY cut FROM STDIN", b"1\tx\n" * 100),
        lambda c: c.prepare("SELECT $1::int"),
    ):
        connection = await pg_faces.connect(face, through(proxy, port_server))
        proxy.cut_replies_after, proxy.only_when = after, lambda request: True
        with pytest.raises(psycopg.OperationalError):
            await call(connection)
        assert connection.closed
        await connection.close()
        proxy.cut_replies_after = None
    with psycopg.connect(port_server.conninfo) as witness:
        # executemany and COPY are one transaction; the answer to the last of them may have been lost after its commit.
        assert witness.execute("SELECT count(*) FROM cut").fetchone()[0] in (0, 50_000, 100, 50_100)


async def test_many_tasks_and_a_cut(proxy: Proxy, port_server: PostgresServer) -> None:
    connection = await barewire.pg.connect_async(through(proxy, port_server))
    assert await connection.fetchval("SELECT $1::int", 0) == 0
    proxy.cut_replies_after, proxy.only_when = 100, lambda request: True
    results = await asyncio.wait_for(
        asyncio.gather(*(connection.fetchval("SELECT $1::int", i) for i in range(100)), return_exceptions=True), 10
    )
    # Those that were answered before the cut have their own answer, all others an error.
    assert any(isinstance(r, psycopg.OperationalError) for r in results)
    for number, result in enumerate(results):
        assert result == number or isinstance(result, psycopg.OperationalError), (number, result)
    await connection.close()


async def test_late_replies(face: str, proxy: Proxy, port_server: PostgresServer) -> None:
    connection = await pg_faces.connect(face, through(proxy, port_server))
    assert await connection.fetchval("SELECT 1") == 1
    proxy.hold_replies, proxy.only_when = True, lambda request: b"late" in request
    timer = threading.Timer(0.5, lambda: setattr(proxy, "hold_replies", False))
    timer.start()
    # The statement was long done on the server when its time ran out: the cancellation finds nothing, and hits nothing.
    with pytest.raises(barewire.pg.StatementTimeout):
        await connection.execute("SELECT 'late'", timeout=0.2)
    for number in range(30):
        assert await connection.fetchval("SELECT $1::int", number) == number
    timer.join()
    await connection.close()


async def test_what_is_waited_for_together_travels_together(proxy: Proxy, port_server: PostgresServer) -> None:
    requests: list[bytes] = []
    connection = await barewire.pg.connect_async(through(proxy, port_server))
    await connection.fetchval("SELECT $1::int", 0)

    def seen(request: bytes) -> bool:
        requests.append(request)
        return False

    proxy.only_when = seen
    assert await asyncio.gather(*(connection.fetchval("SELECT $1::int", i) for i in range(100))) == list(range(100))
    assert len(requests) < 5, len(requests)
    await connection.close()


# --- nonsense ----------------------------------------------------------------------------------------------------------
def speaking(answers: list[bytes]) -> socket.socket:
    """A server that answers each request with the next of these bytes, then hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                try:
                    for answer in answers:
                        if client.recv(1 << 16) == b"":
                            break
                        client.sendall(answer)
                    time.sleep(0.05)
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    return listener


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


GREETING = (
    message(b"R", struct.pack("!i", 0))
    + message(b"S", b"server_version\x0015.0\0")
    + message(b"S", b"client_encoding\0UTF8\0")
    + message(b"K", struct.pack("!ii", 1, 2))
    + message(b"Z", b"I")
)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100, b"\xff" * 5000, b"E", message(b"R", b""), message(b"R", b"\0\0\0\x63"),
    message(b"E", b""), message(b"E", b"SFATAL\0C08P01\0Mgo away\0\0"), b"R\x7f\xff\xff\xff", os.urandom(300),
], ids=["http", "zeros", "ones", "E", "short", "unknown-method", "empty-error", "error", "endless", "random"])  # fmt: skip
async def test_nonsense_instead_of_a_greeting(face: str, libpq: str, answer: bytes) -> None:
    with speaking([answer]) as listener:
        dsn = f"host=127.0.0.1 port={listener.getsockname()[1]} sslmode=disable gssencmode=disable connect_timeout=3 user=u"
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            await pg_faces.connect(face, dsn, libpq=libpq)
        assert time.monotonic() - started < 6


@pytest.mark.parametrize("answer", [
    b"\0" * 50, b"\xff" * 5000, b"HTTP/1.1 200 OK\r\n", message(b"D", b"\0\1\0\0\0\4abcd"), message(b"Z", b"I") * 3,
    message(b"1", b"") * 2 + message(b"T", b"\0\1n\0"), message(b"C", b"SELECT 1\0"), message(b"t", b"\0\1"),
    message(b"1", b"") + message(b"t", b"\x7f\xff") + message(b"Z", b"I"), message(b"G", b"\0\0\0"), os.urandom(500),
    message(b"1", b"") + message(b"t", b"\0\0") + message(b"T", b"\0\1n\0" + b"\0" * 18) + message(b"Z", b"I")
    + message(b"2", b"") + message(b"D", b"\0\1\0\0\0\x03abc") + message(b"C", b"SELECT 1\0") + message(b"Z", b"I"),
], ids=["zeros", "ones", "http", "row", "syncs", "broken-description", "tag", "parameters", "many-parameters", "copy", "random",
        "wrong-size"])  # fmt: skip
async def test_nonsense_instead_of_a_result(face: str, libpq: str, answer: bytes) -> None:
    with speaking([GREETING, answer, b"", b""]) as listener:
        dsn = f"host=127.0.0.1 port={listener.getsockname()[1]} sslmode=disable gssencmode=disable connect_timeout=3 user=u"
        connection = await pg_faces.connect(face, dsn, libpq=libpq)
        with pytest.raises(psycopg.Error):
            await connection.fetch("SELECT 1", timeout=3)
        await connection.close()


# --- huge --------------------------------------------------------------------------------------------------------------
async def test_huge_rows_and_parameters(face: str, libpq: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database, libpq=libpq)
    size = 100_000_000
    got = await connection.fetchval("SELECT repeat('x', $1::int)", size)
    assert len(got) == size and got[-1] == "x"
    del got
    sent = bytes(1000) + b"y" * size
    assert await connection.fetchrow("SELECT length($1::bytea), right($2::text, 1)", sent, "z" * size) == (size + 1000, "z")
    back = await connection.fetchval("SELECT $1::bytea", sent)
    assert back == sent
    del back
    await connection.execute("CREATE TABLE t (b bytea)")
    assert await connection.copy_records_to_table("t", records=[(sent,)]) == "COPY 1"
    assert await connection.fetchval("SELECT length(b) FROM t") == size + 1000
    # More than a value may hold, or a message may carry.
    with pytest.raises(psycopg.Error):
        await connection.fetchval("SELECT repeat('x', 1100000000)")
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_parameter_beyond_what_a_message_may_carry(face: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database)
    with pytest.raises((psycopg.Error, MemoryError)):
        await connection.fetchval("SELECT length($1::bytea)", bytes(1_100_000_000))
    # Whether the session survives is the server's decision; ours is to say which.
    if not connection.closed:
        assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_many_columns_and_parameters(face: str, postgres_database: str) -> None:
    connection = await pg_faces.connect(face, postgres_database)
    columns = ", ".join(f"{i} AS c{i}" for i in range(1600))
    assert await connection.fetchrow(f"SELECT {columns}") == tuple(range(1600))
    with pytest.raises(psycopg.Error):
        await connection.fetchrow(f"SELECT {columns}, {', '.join('1' for _ in range(200))}")
    parameters = ", ".join(f"${i}::int" for i in range(1, 65536))
    values: list[Any] = list(range(65535))
    assert await connection.fetchval(f"SELECT array_length(ARRAY[{parameters}], 1)", *values) == 65535
    with pytest.raises(psycopg.Error):
        await connection.fetchval(f"SELECT array_length(ARRAY[{parameters}, $65536::int], 1)", *values, 1)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
