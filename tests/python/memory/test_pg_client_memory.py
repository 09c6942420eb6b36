# Memory of the PostgreSQL client stays flat: results, errors, broken streams, batches, COPY, pools, connections, event loops.
from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest

import barewire.pg

MOST = 3072  # KiB that allocators may keep


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def stays_flat(work: Callable[[], object], rounds: int = 4) -> None:
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc")
    for _ in range(6):
        work()
    before, objects = resident(), len(gc.get_objects())
    for _ in range(rounds):
        work()
    grown = resident() - before
    assert len(gc.get_objects()) - objects < 100
    assert grown < MOST, f"{grown} KiB"


def refused(work: Callable[..., object], *args: object) -> None:
    with pytest.raises((psycopg.Error, LookupError)):
        work(*args)


def broken() -> Iterator[tuple[int]]:
    yield (1,)
    raise LookupError


def test_one_connection(postgres_conninfo: str) -> None:
    with barewire.pg.connect(postgres_conninfo) as connection:
        connection.execute("CREATE TEMP TABLE t (a int)")

        def work() -> None:
            for number in range(200):
                connection.fetchrow("SELECT $1::int, $2::text", number, "x")
                refused(connection.fetch, "SELECT 1 / 0")
                refused(connection.fetch, "SELECT $1::int", "x")
                connection.fetchval(f"SELECT {number} + {number % 3}")
            connection.fetch("SELECT g, g::text AS t FROM generate_series(1, 5000) g", rows=dict)
            connection.executemany("INSERT INTO t VALUES ($1)", [(n,) for n in range(500)])
            refused(connection.executemany, "INSERT INTO t VALUES ($1)", broken())
            connection.copy_records_to_table("t", records=[(n,) for n in range(5000)], schema_name="pg_temp")
            connection.insert_many_unsafe("t", [{"a": n} for n in range(5000)], returning="a")
            connection.execute("SELECT 1; TRUNCATE t")
            for _ in range(50):
                batch = connection.batch()
                batch.fetchval("SELECT $1::int", 5)
                batch.fetchval("SELECT 1 / 0")
                refused(batch.run)

        stays_flat(work)


def test_pools_and_connections(postgres_conninfo: str) -> None:
    with barewire.pg.Pool(postgres_conninfo, max_size=2) as pool:

        def work() -> None:
            for _ in range(100):
                pool.fetchval("SELECT 1")
                with pool.connection() as connection, connection.transaction():
                    connection.fetchval("SELECT 1")
            for _ in range(5):
                with barewire.pg.connect(postgres_conninfo) as connection:
                    connection.fetchval("SELECT 1")

        stays_flat(work)


def test_event_loops(postgres_conninfo: str) -> None:
    async def use() -> None:
        async with (
            barewire.pg.AsyncPool(postgres_conninfo, max_size=3) as pool,
            await barewire.pg.connect_async(postgres_conninfo) as connection,
        ):
            await asyncio.gather(*(pool.fetchval("SELECT $1::int", n) for n in range(300)))
            tasks = [asyncio.create_task(connection.fetchval("SELECT 1 FROM pg_sleep(0.001)")) for _ in range(50)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            async with pool.connection() as lent, lent.transaction():
                await lent.fetchval("SELECT 1")

    stays_flat(lambda: asyncio.run(use()), rounds=8)


def test_loads_over_several_connections(postgres_database: str) -> None:
    def broken() -> Iterator[tuple[int]]:
        yield from ((n,) for n in range(20_000))
        raise LookupError

    async def awaited(stop: int) -> AsyncIterator[tuple[int]]:
        for n in range(25_000):
            if n == stop:
                raise LookupError
            yield (n,)

    async def use() -> None:
        async with barewire.pg.AsyncPool(postgres_database, max_size=3) as pool:
            await pool.insert_many_unsafe("t", [(n,) for n in range(20_000)], connections=3)
            await pool.insert_many_unsafe("t", awaited(-1), connections=3, returning="n")
            for source in (broken(), awaited(20_000), [(1,), ("x",)]):
                with pytest.raises((psycopg.Error, LookupError)):
                    await pool.insert_many_unsafe("t", source, connections=3)

    def work() -> None:
        with barewire.pg.connect(postgres_database) as connection:
            connection.execute("TRUNCATE t")
            connection.insert_many_unsafe("t", ((n,) for n in range(20_000)), connections=2)
            connection.insert_many_unsafe("t", [(n,) for n in range(20_000)], connections=2, returning="n")
            for returning in (None, "n"):
                for source in (broken(), [(1,), ("x",)]):
                    refused(lambda: connection.insert_many_unsafe("t", source, connections=2, returning=returning))
        asyncio.run(use())

    with barewire.pg.connect(postgres_database) as first:
        first.execute("CREATE TABLE t (n int)")
    stays_flat(work)


def test_a_long_load_over_several_connections_is_never_in_memory(postgres_database: str) -> None:
    sizes: list[int] = []

    def rows() -> Iterator[tuple[int, str]]:
        for n in range(600_000):  # 60 MB
            if n % 100_000 == 50_000:
                sizes.append(resident())
            yield n, "x" * 80

    with barewire.pg.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE t (n int, s text)")
        assert connection.insert_many_unsafe("t", rows(), connections=3) == 600_000
    assert sizes[-1] - sizes[1] < MOST, sizes
