"""Question: how fast is a transaction of one insert?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.rows import SEVEN_COLUMNS, seven
from benchmarks.harness.bars import at_most, near_native
from benchmarks.harness.case import Work
from benchmarks.harness.case_postgres import PostgresCase
from benchmarks.harness.stage_postgres import PostgresStage

BY_NUMBER = "INSERT INTO {} VALUES ($1, $2, $3, $4, $5, $6, $7)"
BY_FORMAT = "INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s)"


class Rows(PostgresCase):
    """The table of seven columns is filled and compared; subclasses say how it is filled."""

    collection = "pg_rows"

    def rows_of(self, work: Work) -> int:
        return work.count

    def prepare(self, stage: PostgresStage) -> None:
        stage.table(self.collection, SEVEN_COLUMNS)
        stage.table("pg_rows_right", SEVEN_COLUMNS)
        self._right: tuple[int, str] = (-1, "")

    def before(self, stage: PostgresStage, work: Work) -> None:
        stage.empty(self.collection)
        if work.thorough and self._right[0] != self.rows_of(work):
            stage.empty("pg_rows_right")
            stage.copy("pg_rows_right", map(seven, range(self.rows_of(work))))
            self._right = (self.rows_of(work), stage.digest("pg_rows_right"))

    def after(self, stage: PostgresStage, peer: Any, work: Work) -> dict[str, Any]:
        seen = {"stored": stage.count(self.collection)}
        return {**seen, "contents": stage.digest(self.collection)} if work.thorough else seen

    def expected(self, work: Work) -> dict[str, Any]:
        return {"stored": self.rows_of(work), **({"contents": self._right[1]} if work.thorough else {})}


class InsertCommit(Rows):
    name = "pg_insert"
    question = "How fast is a transaction of one insert: begin, insert, commit?"
    unit = "transaction"
    count = None
    native = ("insert_commit", 0)
    bars = [
        *at_most("barewire-pg-async", "asyncpg", wall=0.55),
        *at_most("barewire-pg", "psycopg", wall=0.6),
        *near_native("barewire-pg", "barewire-pg-async", threshold=None, native="native-pg"),
    ]

    def load(self, peer: Any, work: Work) -> Any:
        return [seven(index) for index in range(work.count)]

    def psycopg(self, peer: Any, connection: Any, work: Work) -> None:
        statement = BY_FORMAT.format(self.collection)
        for row in work.input:
            with connection.transaction():
                connection.execute(statement, row)

    async def psycopg_async(self, peer: Any, connection: Any, work: Work) -> None:
        statement = BY_FORMAT.format(self.collection)
        for row in work.input:
            async with connection.transaction():
                await connection.execute(statement, row)

    async def asyncpg(self, peer: Any, connection: Any, work: Work) -> None:
        statement = BY_NUMBER.format(self.collection)
        for row in work.input:
            async with connection.transaction():
                await connection.execute(statement, *row)

    def barewire(self, peer: Any, connection: Any, work: Work) -> None:
        statement = BY_NUMBER.format(self.collection)
        for row in work.input:
            with connection.transaction():
                connection.execute(statement, *row)

    async def barewire_async(self, peer: Any, connection: Any, work: Work) -> None:
        statement = BY_NUMBER.format(self.collection)
        for row in work.input:
            async with connection.transaction():
                await connection.execute(statement, *row)


CASES = [InsertCommit()]
