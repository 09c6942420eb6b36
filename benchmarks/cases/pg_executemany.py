"""Question: how fast is executemany of an insert with seven parameters?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.rows import seven
from benchmarks.harness.bars import at_most, near_native
from benchmarks.harness.case import Work

from .pg_insert import BY_FORMAT, BY_NUMBER, Rows


class ExecuteMany(Rows):
    unit = "call"

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"pg_executemany/{size}"
        self.question = f"How fast is executemany of {size:,} rows of seven columns, in one transaction?"
        self.native = ("executemany", size)
        self.repetitions = 21 if size <= 1_000 else 11
        self.bars = [
            *at_most("barewire-pg-async", "asyncpg", wall=0.95, cpu=0.4),
            *at_most("barewire-pg", "psycopg", wall=0.45, cpu=0.1),
            *near_native("barewire-pg", "barewire-pg-async", native="native-pg"),
        ]

    def rows_of(self, work: Work) -> int:
        return self.size

    def load(self, peer: Any, work: Work) -> Any:
        return [seven(index) for index in range(self.size)]

    def psycopg(self, peer: Any, connection: Any, work: Work) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(BY_FORMAT.format(self.collection), work.input)

    async def psycopg_async(self, peer: Any, connection: Any, work: Work) -> None:
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.executemany(BY_FORMAT.format(self.collection), work.input)

    async def asyncpg(self, peer: Any, connection: Any, work: Work) -> None:
        await connection.executemany(BY_NUMBER.format(self.collection), work.input)

    def barewire(self, peer: Any, connection: Any, work: Work) -> None:
        connection.executemany(BY_NUMBER.format(self.collection), work.input)

    async def barewire_async(self, peer: Any, connection: Any, work: Work) -> None:
        await connection.executemany(BY_NUMBER.format(self.collection), work.input)


CASES = [ExecuteMany(1_000), ExecuteMany(10_000)]
