# The PostgreSQL demo: real flights into a real server and back, by Barewire and its peers, with equal results.
"""Loads and reads the flights with Barewire, asyncpg and psycopg."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import psycopg
from demo_compare import Comparer, Contestant
from demo_report import OURS, Comparison
from rich.console import Console
from rich.progress import Progress

from barewire.embedded import PostgresServer

_MANY = 50_000  # rows of the executemany comparison: one statement per row is slow whoever sends it
_BY_KEY = 500  # selects per repetition
_TASKS = 50
_CONNECTIONS = 10  # of each pool
_DIGEST = "SELECT count(*), coalesce(sum(hashtextextended(row::text, 0)::numeric), 0) FROM (SELECT {} FROM {}) AS row"


def _type_of(value: Any) -> str:
    return {int: "int", str: "text", datetime.datetime: "timestamp"}[type(value)]


class Shape:
    """The columns of the flights and the statements made of them."""

    def __init__(self, flights: list[dict[str, Any]]) -> None:
        self.names = list(flights[0])
        types = [_type_of(next(flight[name] for flight in flights if flight[name] is not None)) for name in self.names]
        self.definition = ", ".join(f"{name} {kind}" for name, kind in zip(self.names, types))
        self.types = types
        self.columns = ", ".join(self.names)
        self.numbers = ", ".join(f"${number}" for number in range(1, len(self.names) + 1))
        self.formats = ", ".join(["%s"] * len(self.names))


class Witness:
    """psycopg's blocking client: says what is really on the server. Never timed."""

    def __init__(self, conninfo: str, shape: Shape, flights: list[dict[str, Any]]) -> None:
        self.connection = psycopg.connect(conninfo, autocommit=True)
        self.shape = shape
        (self.version,) = self.connection.execute("SHOW server_version").fetchone()
        self.table("stored", "id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ")
        with self.connection.cursor().copy(f"COPY stored ({shape.columns}) FROM STDIN") as copy:
            for flight in flights:
                copy.write_row(tuple(flight.values()))
        self.connection.execute("VACUUM ANALYZE stored")

    def table(self, name: str, before: str = "") -> None:
        """An empty table of flights."""
        self.connection.execute(f"DROP TABLE IF EXISTS {name}")
        self.connection.execute(f"CREATE TABLE {name} ({before}{self.shape.definition})")

    def digest(self, name: str) -> tuple[Any, ...]:
        """Count of a table's rows and a digest of their contents, made by the server."""
        return self.connection.execute(_DIGEST.format(self.shape.columns, name)).fetchone()

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, parameters).fetchall()


class PostgresDemo(Comparer):
    """One run: the rows, the clients, and what was measured. All clients are asyncio ones."""

    def __init__(
        self, uri: str, conninfo: str, flights: list[dict[str, Any]], console: Console, progress: Progress
    ) -> None:
        super().__init__("PostgreSQL", console, progress)
        self.flights = flights
        self.uri = uri
        self.shape = Shape(flights)
        self.witness = Witness(conninfo, self.shape, flights)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """A connection and a pool of every client."""
        import asyncpg

        from barewire import pg

        async with contextlib.AsyncExitStack() as stack:
            self.barewire = await stack.enter_async_context(await pg.connect_async(self.uri))
            self.barewire_pool = await stack.enter_async_context(pg.AsyncPool(self.uri, max_size=_CONNECTIONS))
            self.asyncpg = await asyncpg.connect(self.uri)
            stack.push_async_callback(self.asyncpg.close)
            self.asyncpg_pool = await stack.enter_async_context(
                asyncpg.create_pool(self.uri, min_size=_CONNECTIONS, max_size=_CONNECTIONS)
            )
            self.psycopg = await psycopg.AsyncConnection.connect(self.uri, autocommit=True)
            stack.push_async_callback(self.psycopg.close)
            yield

    # -- loads -----------------------------------------------------------------------------------------------------
    async def loads(self, repetitions: int) -> None:
        """All flights into an empty table in bulk, and a part of them by executemany."""
        await self._load(
            f"load {len(self.flights):,} flights in bulk",
            repetitions,
            self.flights,
            [
                (OURS, "insert_many_unsafe", lambda: self.barewire.insert_many_unsafe("load", iter(self.flights))),
                (OURS, "copy_records_to_table", self._copy(lambda: self.barewire)),
                ("asyncpg", "copy_records_to_table", self._copy(lambda: self.asyncpg)),
                ("psycopg", "copy", self._copy_psycopg),
            ],
        )
        part = [tuple(flight.values()) for flight in self.flights[:_MANY]]
        insert = f"INSERT INTO load VALUES ({self.shape.numbers})"

        async def by_psycopg() -> None:
            async with self.psycopg.transaction(), self.psycopg.cursor() as cursor:
                await cursor.executemany(f"INSERT INTO load VALUES ({self.shape.formats})", part)

        await self._load(
            f"load {len(part):,} flights by executemany",
            repetitions,
            self.flights[:_MANY],
            [
                (OURS, "executemany", lambda: self.barewire.executemany(insert, part)),
                ("asyncpg", "executemany", lambda: self.asyncpg.executemany(insert, part)),
                ("psycopg", "executemany", by_psycopg),
            ],
        )

    def _copy(self, connection: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
        def run() -> Awaitable[Any]:
            records = (tuple(flight.values()) for flight in self.flights)
            return connection().copy_records_to_table("load", records=records, columns=self.shape.names)

        return run

    async def _copy_psycopg(self) -> None:
        async with self.psycopg.cursor().copy("COPY load FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types([{"int": "int4"}.get(kind, kind) for kind in self.shape.types])
            for flight in self.flights:
                await copy.write_row(tuple(flight.values()))

    async def _load(
        self, title: str, repetitions: int, flights: list[dict[str, Any]], contestants: list[Contestant]
    ) -> None:
        witness = self.witness
        witness.table("expected")
        witness.connection.execute(f"INSERT INTO expected SELECT {self.shape.columns} FROM stored WHERE id <= {len(flights)}")
        expected = witness.digest("expected")
        witness.table("load")

        def check(result: Any) -> str | None:
            stored = witness.digest("load")
            witness.connection.execute("TRUNCATE load")
            if stored[0] != expected[0]:
                return f"{stored[0]} rows on the server instead of {expected[0]}"
            return None if stored == expected else "the rows on the server differ from the input"

        await self.compare(title, repetitions, contestants, check, warm_up=False)

    # -- reads -----------------------------------------------------------------------------------------------------
    async def reads(self, repetitions: int, sizes: Sequence[int]) -> None:
        """The same questions to every client; each answer is compared with the witness's."""
        for size in sizes:
            await self._fetch(f"fetch {size:,} flights to a list", f"SELECT * FROM stored ORDER BY id LIMIT {size}", repetitions)
        everything = [number for (number,) in self.witness.rows("SELECT id FROM stored ORDER BY id")]
        wanted = random.Random(2013).sample(everything, min(_BY_KEY, len(everything)))
        await self._by_key(wanted, repetitions)
        await self._by_tasks(wanted, repetitions)
        routes = """SELECT carrier, dest, count(*), avg(arr_delay) FROM stored WHERE arr_delay IS NOT NULL
            GROUP BY carrier, dest ORDER BY count(*) DESC, carrier, dest"""
        await self._fetch("aggregate delays by route", routes, repetitions)

    def _checked(self, right: list[tuple[Any, ...]]) -> Callable[[Any], str | None]:
        def check(result: Any) -> str | None:
            return None if list(map(tuple, result)) == right else "the answer differs from that of psycopg's blocking client"

        return check

    async def _fetch(self, title: str, query: str, repetitions: int) -> None:
        async def by_psycopg() -> Any:
            return await (await self.psycopg.execute(query)).fetchall()

        contestants: list[Contestant] = [
            (OURS, "", lambda: self.barewire.fetch(query)),
            ("asyncpg", "", lambda: self.asyncpg.fetch(query)),
            ("psycopg", "", by_psycopg),
        ]
        await self.compare(title, repetitions, contestants, self._checked(self.witness.rows(query)))

    def _rows_of(self, wanted: list[int]) -> list[tuple[Any, ...]]:
        found = {row[0]: row for row in self.witness.rows("SELECT * FROM stored WHERE id = ANY(%s)", wanted)}
        return [found[number] for number in wanted]

    async def _by_key(self, wanted: list[int], repetitions: int) -> None:
        def one_by_one(fetchrow: Callable[[str, int], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
            async def run() -> Any:
                return [await fetchrow("SELECT * FROM stored WHERE id = $1", number) for number in wanted]

            return run

        async def by_psycopg() -> Any:
            execute = self.psycopg.execute
            return [await (await execute("SELECT * FROM stored WHERE id = %s", (number,))).fetchone() for number in wanted]

        contestants: list[Contestant] = [
            (OURS, "", one_by_one(self.barewire.fetchrow)),
            ("asyncpg", "", one_by_one(self.asyncpg.fetchrow)),
            ("psycopg", "", by_psycopg),
        ]
        await self.compare("select by key, 1 task", repetitions, contestants, self._checked(self._rows_of(wanted)), calls=len(wanted))

    async def _by_tasks(self, wanted: list[int], repetitions: int) -> None:
        def by_tasks(fetchrow: Callable[[str, int], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
            async def part(first: int) -> list[Any]:
                return [await fetchrow("SELECT * FROM stored WHERE id = $1", number) for number in wanted[first::_TASKS]]

            async def run() -> Any:
                parts = await asyncio.gather(*map(part, range(_TASKS)))
                return [parts[number % _TASKS][number // _TASKS] for number in range(len(wanted))]

            return run

        contestants: list[Contestant] = [
            (OURS, "pool", by_tasks(self.barewire_pool.fetchrow)),
            ("asyncpg", "pool", by_tasks(self.asyncpg_pool.fetchrow)),
        ]
        title = f"select by key, {_TASKS} tasks, pools of {_CONNECTIONS}"
        await self.compare(title, repetitions, contestants, self._checked(self._rows_of(wanted)), calls=len(wanted))


async def run_postgres(
    flights: list[dict[str, Any]], options: argparse.Namespace, console: Console, progress: Progress
) -> tuple[list[Comparison], dict[str, Any]]:
    """The whole of it on an embedded server: the comparisons, and what the figures depend on."""
    task = progress.add_task("starting PostgreSQL", total=1)
    settings = {"shared_buffers": "256MB", "max_wal_size": "4GB"}
    with PostgresServer(settings=settings) as server, server.create_database() as database:
        progress.update(task, completed=1)
        demo = PostgresDemo(database.uri, database.conninfo, flights, console, progress)
        version = demo.witness.version
        console.print(f"PostgreSQL {version}, {len(flights):,} flights with {len(flights[0])} columns")
        try:
            async with demo.connected():
                await demo.loads(options.load_repetitions)
                await demo.reads(options.repetitions, options.find)
        finally:
            demo.witness.connection.close()
    return demo.comparisons, {"postgresql": version}
