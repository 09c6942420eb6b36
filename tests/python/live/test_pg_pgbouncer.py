# Behind pgbouncer in transaction mode: statements of one session run on any backend, so nothing may be left on the server.
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pg_faces
import psycopg
import pytest
from pg_bouncer import bouncer
from psycopg import errors
from psycopg.conninfo import make_conninfo

import barewire.pg

SESSIONS = 8  # more than the three backends


@pytest.fixture(scope="module")
def through(pg_conninfo: str) -> Iterator[str]:
    with bouncer(pg_conninfo) as conninfo:
        with psycopg.connect(pg_conninfo, autocommit=True) as connection:
            connection.execute("CREATE TABLE bounced (n int UNIQUE DEFERRABLE INITIALLY IMMEDIATE, s text)")
            connection.execute("CREATE TYPE bounced_mood AS ENUM ('sad', 'ok')")
        yield conninfo


@pytest.fixture
async def sessions(face: str, libpq: str, through: str) -> AsyncIterator[list[Any]]:
    made = [await pg_faces.connect(face, through, libpq=libpq, statement_cache_size=0) for _ in range(SESSIONS)]
    await made[0].execute("TRUNCATE bounced")
    yield made
    for one in made:
        await one.close()


async def test_statements(sessions: list[Any]) -> None:
    for turn in range(5):
        for number, session in enumerate(sessions):
            n = turn * 100 + number
            assert await session.execute("INSERT INTO bounced VALUES ($1, $2)", n, f"s{n}") == "INSERT 0 1"
            assert await session.fetch("SELECT n, s FROM bounced WHERE n = $1", n) == [(n, f"s{n}")]
            assert await session.fetchval("SELECT $1::bounced_mood", "ok") == "ok"
            assert await session.fetchrow("SELECT $1::int[], 2.5::numeric", [n]) is not None
            assert (await session.execute("SELECT 1; SELECT 2")) == "SELECT 1"
    assert all(session.cached_statements == 0 for session in sessions)


async def test_sessions_at_the_same_time(face: str, libpq: str, through: str) -> None:
    """More sessions than backends, all busy: their statements meet backends that others have used."""
    if face == "blocking":

        def work(place: int) -> int:
            with barewire.pg.connect(through, libpq=libpq, statement_cache_size=0) as session:
                return sum(session.fetchval("SELECT $1::int + $2", place, n) for n in range(50))

        with ThreadPoolExecutor(SESSIONS) as threads:
            found = list(threads.map(work, range(SESSIONS)))
    else:

        async def task(place: int) -> int:
            async with await barewire.pg.connect_async(through, libpq=libpq, statement_cache_size=0) as session:
                return sum(await asyncio.gather(*(session.fetchval("SELECT $1::int + $2", place, n) for n in range(50))))

        found = list(await asyncio.gather(*(task(place) for place in range(SESSIONS))))
    assert found == [50 * place + sum(range(50)) for place in range(SESSIONS)]


async def test_transactions(sessions: list[Any]) -> None:
    for number, session in enumerate(sessions):
        async with session.transaction(isolation="repeatable_read"):
            backend = await session.fetchval("SELECT pg_backend_pid()")
            await session.execute("INSERT INTO bounced VALUES ($1)", number)
            with pytest.raises(errors.DivisionByZero):
                async with session.transaction():
                    await session.execute("INSERT INTO bounced VALUES ($1)", 1000 + number)
                    await session.fetchval("SELECT 1 / 0")
            assert await session.fetchval("SELECT pg_backend_pid()") == backend
    with pytest.raises(LookupError):
        async with sessions[0].transaction():
            await sessions[0].execute("INSERT INTO bounced VALUES (5000)")
            raise LookupError
    assert await sessions[1].fetch("SELECT n FROM bounced ORDER BY n") == [(n,) for n in range(SESSIONS)]


async def test_batches(sessions: list[Any]) -> None:
    for number, session in enumerate(sessions):
        batch = session.batch()
        batch.execute("INSERT INTO bounced VALUES ($1)", number)
        batch.fetchval("SELECT n FROM bounced WHERE n = $1", number)
        assert await batch.run() == ["INSERT 0 1", number]
        alone = session.batch(transaction=False)
        alone.fetchval("SELECT 1 / $1::int", 0)
        alone.fetchval("SELECT $1::int", 7)
        with pytest.raises(errors.DivisionByZero) as caught:
            await alone.run()
        assert caught.value.batch_results[1] == 7


async def test_executemany_and_copy(sessions: list[Any]) -> None:
    for session in sessions:
        await session.execute("TRUNCATE bounced")
        await session.executemany("INSERT INTO bounced VALUES ($1, $2)", ((n, "x") for n in range(3000)))
        with pytest.raises(errors.UniqueViolation):
            await session.executemany("INSERT INTO bounced VALUES ($1, $2)", ((n, "x") for n in range(3000, -1, -1)))
        assert await session.copy_records_to_table("bounced", records=[(n, "y") for n in range(3000, 6000)]) == "COPY 3000"
        assert await session.copy_from("COPY bounced FROM STDIN", b"6000\tz\n") == "COPY 1"
        assert len(await session.copy_to("SELECT n FROM bounced")) == 6001
        assert (await session.copy_to("COPY (SELECT 1) TO STDOUT")) == b"1\n"
        assert await session.insert_many_unsafe("bounced", [{"n": n} for n in range(7000, 8000)], returning="n") == list(range(7000, 8000))


async def test_loads_over_several_connections(sessions: list[Any]) -> None:
    session = sessions[0]
    rows = [{"n": n, "s": "x" * 50} for n in range(60_000)]
    assert await session.insert_many_unsafe("bounced", rows, connections=2) == 60_000
    await session.execute("TRUNCATE bounced")
    # Waiting for each other is noticed there too, although the pooler hides which backend is whose.
    with pytest.raises((errors.UniqueViolation, errors.DeadlockDetected)):
        await session.insert_many_unsafe("bounced", [*rows, rows[0]], connections=2)
    assert await session.fetchval("SELECT count(*) FROM bounced") == 0


async def test_cursors(sessions: list[Any]) -> None:
    for session in sessions[:3]:
        async with session.transaction():
            found = [row async for row in session.cursor("SELECT n FROM generate_series(1, $1) AS n", 2500, prefetch=1000)]
        assert found == [(n,) for n in range(1, 2501)]


async def test_timeouts_cancel_through_it(sessions: list[Any]) -> None:
    for session in sessions[:3]:
        with pytest.raises(barewire.pg.StatementTimeout):
            await session.fetchval("SELECT pg_sleep(30)", timeout=0.3)
        assert await session.fetchval("SELECT 1") == 1


async def test_a_pool_of_a_loop(libpq: str, through: str) -> None:
    async with barewire.pg.AsyncPool(through, libpq=libpq, statement_cache_size=0, max_size=6) as pool:
        found = await asyncio.gather(*(pool.fetchval("SELECT $1::int", n) for n in range(1000)))
        assert found == list(range(1000))
        mixed = await asyncio.gather(*(pool.fetchval("SELECT 10 / $1::int", n % 4) for n in range(200)), return_exceptions=True)
        assert [isinstance(one, errors.DivisionByZero) for one in mixed] == [n % 4 == 0 for n in range(200)]

        async def transfer(number: int) -> int:
            async with pool.connection() as connection, connection.transaction():
                await connection.execute("SELECT set_config('barewire.place', $1, true)", str(number))
                await asyncio.sleep(0)
                return int(await connection.fetchval("SELECT current_setting('barewire.place')"))

        assert await asyncio.gather(*(transfer(n) for n in range(100))) == list(range(100))


def test_a_pool_of_threads(libpq: str, through: str) -> None:
    with barewire.pg.Pool(through, libpq=libpq, statement_cache_size=0, max_size=6) as pool, ThreadPoolExecutor(12) as threads:
        assert list(threads.map(lambda n: pool.fetchval("SELECT $1::int", n), range(300))) == list(range(300))


async def test_with_a_statement_cache_nothing_wrong_is_run(face: str, libpq: str, through: str) -> None:
    """A backend that others have used does not know the statement: the server's error at worst, never another's result."""
    sessions = [await pg_faces.connect(face, through, libpq=libpq) for _ in range(3)]
    texts = [f"SELECT {1000 * place} + $1::int" for place in range(3)]
    seen: list[Any] = []
    for turn in range(20):
        for place, session in enumerate(sessions):
            holder = sessions[(place + turn) % 3]
            if turn % 2 and holder is not session:
                async with holder.transaction():  # keeps one of the backends for itself
                    await holder.execute("SELECT 1")
                    seen.append(await _try(session, texts[place], turn))
            else:
                seen.append(await _try(session, texts[place], turn))
            if not isinstance(seen[-1], psycopg.Error):
                assert seen[-1] == 1000 * place + turn
    failed = [one for one in seen if isinstance(one, psycopg.Error)]
    assert all(isinstance(one, errors.InvalidSqlStatementName) and "prepared statement" in str(one) for one in failed)
    for session in sessions:
        assert not session.closed
        await session.close()


async def _try(session: Any, text: str, value: int) -> Any:
    try:
        return await session.fetchval(text, value)
    except errors.InvalidSqlStatementName as error:
        return error


async def test_more_sessions_than_it_allows(face: str, libpq: str, pg_conninfo: str) -> None:
    with bouncer(pg_conninfo, max_client_conn=2) as through:
        made = [await pg_faces.connect(face, through, libpq=libpq, statement_cache_size=0) for _ in range(2)]
        with pytest.raises(psycopg.OperationalError, match="no more connections allowed"):
            await pg_faces.connect(face, through, libpq=libpq, statement_cache_size=0)
        for one in made:
            assert await one.fetchval("SELECT 1") == 1
            await one.close()


async def test_a_database_that_is_not_there(face: str, libpq: str, through: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        made = await pg_faces.connect(face, make_conninfo(through, dbname="none"), libpq=libpq, statement_cache_size=0)
        await made.fetchval("SELECT 1")
