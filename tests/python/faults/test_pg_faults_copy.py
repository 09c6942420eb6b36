# COPY and executemany broken off in the middle, by the server or by the caller's own code: nothing is kept, work goes on.
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pg_faces
import psycopg
import pytest
from psycopg import errors

import barewire.pg


class Own(Exception):
    """An error of the caller's."""


@pytest.fixture(params=["blocking", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["bundled", "system"])
def libpq(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def session(face: str, libpq: str, postgres_database: str) -> AsyncIterator[Any]:
    made = await pg_faces.connect(face, postgres_database, libpq=libpq)
    await made.execute("CREATE TABLE t (n int CHECK (n < 1000000), s text)")
    yield made
    await made.close()


async def check_usable(session: Any) -> None:
    assert not session.closed and not session.in_transaction
    assert await session.fetchval("SELECT count(*) FROM t") == 0
    assert await session.fetchval("SELECT $1::text", "usable") == "usable"


def raising(after: int) -> Iterator[tuple[int, str]]:
    for number in range(after):
        yield number, "x" * 50
    raise Own("enough")


@pytest.mark.parametrize("after", [0, 1, 1000, 50_000])
async def test_the_callers_generator_raises(session: Any, after: int) -> None:
    for call in (
        lambda: session.copy_records_to_table("t", records=raising(after)),
        lambda: session.insert_many_unsafe("t", raising(after)),
        lambda: session.insert_many_unsafe("t", raising(after), returning="n"),
        lambda: session.executemany("INSERT INTO t VALUES ($1, $2)", raising(after)),
        lambda: session.copy_from("COPY t FROM STDIN", (f"{n}\t{s}\n".encode() for n, s in raising(after))),
    ):
        with pytest.raises(Own, match="enough"):
            await call()
        await check_usable(session)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit, MemoryError])
async def test_what_is_no_ordinary_error_comes_out_too(session: Any, raised: type[BaseException]) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield 1, "x"
        raise raised()

    if raised in (KeyboardInterrupt, SystemExit):
        pytest.skip("they would end the loop of the test itself") if not isinstance(session, pg_faces.Awaited) else None
    with pytest.raises(raised):
        await session.copy_records_to_table("t", records=rows())
    with pytest.raises(raised):
        await session.executemany("INSERT INTO t VALUES ($1, $2)", rows())
    await check_usable(session)


@pytest.mark.parametrize("at", [0, 10, 60_000])
async def test_the_server_refuses_a_row(session: Any, at: int) -> None:
    rows = [(i, "x" * 50) for i in range(100_000)]
    rows[at] = (5_000_000, "too large")
    for call in (
        lambda: session.copy_records_to_table("t", records=rows),
        lambda: session.copy_records_to_table("t", records=iter(rows)),
        lambda: session.insert_many_unsafe("t", rows),
        lambda: session.insert_many_unsafe("t", rows, returning="n"),
        lambda: session.executemany("INSERT INTO t VALUES ($1, $2)", rows),
        lambda: session.copy_from("COPY t FROM STDIN", (f"{n}\t{s}\n".encode() for n, s in rows)),
    ):
        with pytest.raises(errors.CheckViolation):
            await call()
        await check_usable(session)


async def test_the_server_refuses_while_an_endless_source_goes_on(session: Any) -> None:
    def endless() -> Iterator[tuple[int, str]]:
        number = 0
        while True:
            yield number, "x" * 100
            number += 1

    for call in (
        lambda: session.copy_records_to_table("t", records=endless()),
        lambda: session.insert_many_unsafe("t", endless()),
        lambda: session.copy_from("COPY t FROM STDIN", (f"{n}\t{s}\n".encode() for n, s in endless())),
    ):
        with pytest.raises(errors.CheckViolation):
            await call()
        await check_usable(session)


@pytest.mark.parametrize("at", [0, 10, 60_000])
async def test_a_value_that_does_not_fit(session: Any, at: int) -> None:
    rows: list[Any] = [(i, "x" * 50) for i in range(100_000)]
    rows[at] = (1, 5)
    for call in (
        lambda: session.copy_records_to_table("t", records=rows),
        lambda: session.insert_many_unsafe("t", rows),
        lambda: session.insert_many_unsafe("t", rows, returning="n"),
        lambda: session.executemany("INSERT INTO t VALUES ($1, $2)", rows),
    ):
        with pytest.raises(psycopg.DataError, match=f"{at}"):
            await call()
        await check_usable(session)


async def test_the_callers_sink_raises(session: Any) -> None:
    taken: list[bytes] = []

    def sink(block: bytes) -> None:
        taken.append(block)
        if len(taken) == 3:
            raise Own("full")

    for statement in ("COPY (SELECT n, repeat('x', 100) FROM generate_series(1, 200000) n) TO STDOUT",
                      "SELECT n, repeat('x', 100) FROM generate_series(1, 200000) n"):  # fmt: skip
        taken.clear()
        with pytest.raises(Own, match="full"):
            await session.copy_to(statement, sink)
        assert len(taken) == 3
        await check_usable(session)


async def test_copy_out_that_fails_in_the_middle(session: Any) -> None:
    taken: list[bytes] = []
    for statement in ("COPY (SELECT 1000 / (100000 - n) FROM generate_series(1, 200000) n) TO STDOUT",
                      "SELECT 1000 / (100000 - n) FROM generate_series(1, 200000) n"):  # fmt: skip
        with pytest.raises(errors.DivisionByZero):
            await session.copy_to(statement, taken.append)
        with pytest.raises(errors.DivisionByZero):
            await session.copy_to(statement)
        await check_usable(session)
    with pytest.raises(errors.DivisionByZero):
        await session.fetch("SELECT 1000 / (100000 - n) FROM generate_series(1, 200000) n")
    await check_usable(session)


async def test_copy_statements_in_the_wrong_place(session: Any) -> None:
    for call in (
        lambda: session.fetch("COPY t FROM STDIN"),
        lambda: session.execute("COPY t FROM STDIN"),
        lambda: session.execute("SELECT 1; COPY t FROM STDIN"),
        lambda: session.copy_from("COPY t TO STDOUT", b""),
        lambda: session.copy_to("COPY t FROM STDIN"),
    ):
        with pytest.raises(psycopg.Error):
            await call()
        if session.closed:
            pytest.fail("the connection is lost")
        await check_usable(session)


async def test_broken_bytes(session: Any) -> None:
    with pytest.raises(errors.InvalidTextRepresentation):
        await session.copy_from("COPY t FROM STDIN", b"one\tx\n")
    with pytest.raises(errors.BadCopyFileFormat):
        await session.copy_from("COPY t FROM STDIN (FORMAT binary)", b"no COPY at all")
    with pytest.raises(errors.BadCopyFileFormat):
        await session.copy_from("COPY t FROM STDIN", b"1\tx\ty\n")
    for wrong in (["text"], [5], [None]):
        with pytest.raises(TypeError):
            await session.copy_from("COPY t FROM STDIN", wrong)
    await check_usable(session)


async def test_asynchronous_sources_that_raise(postgres_database: str) -> None:
    async def rows(count: int) -> AsyncIterator[tuple[int, str]]:
        for number in range(count):
            yield number, "x"
        raise Own("enough")

    async with await barewire.pg.connect_async(postgres_database) as connection:
        await connection.execute("CREATE TABLE t (n int, s text)")
        for count in (0, 1, 25_000):
            with pytest.raises(Own):
                await connection.copy_records_to_table("t", records=rows(count))
            await check_usable(connection)
