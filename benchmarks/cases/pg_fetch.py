"""Question: how fast does a whole result become a list of rows?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.rows import FETCH_SHAPES, plain
from benchmarks.harness.bars import Bar, at_most, near_native
from benchmarks.harness.case import Work
from benchmarks.harness.case_postgres import PostgresCase
from benchmarks.harness.digest_rows import rows_digest
from benchmarks.harness.stage_postgres import PostgresStage

_CHECKED = 500  # rows at both ends whose values are compared; of the others there must be as many


def _bars(shape: str, size: int) -> list[Bar]:
    # Values that Python peers build with Python code leave more room than ints and texts, whose objects cost all the same.
    mixed = shape == "mixed10"
    demands = [
        *at_most("barewire-pg-async", "asyncpg", cpu=0.5 if mixed else 0.7),
        *at_most("barewire-pg", "psycopg", cpu=0.4 if mixed else 0.7),
    ]
    # The floor walks the values without building objects, so its ratio is stated, not demanded.
    return (demands if size >= 100_000 else []) + near_native("barewire-pg", "barewire-pg-async", threshold=None, native="native-pg")


class Fetch(PostgresCase):
    unit = "row"
    peers = ("psycopg", "psycopg-binary", "psycopg-async", "asyncpg", "barewire-pg", "barewire-pg-async", "native-pg")

    def __init__(self, shape: str, size: int) -> None:
        self.size = size
        self.columns, self.expression = FETCH_SHAPES[shape]
        self.name = f"pg_fetch/{shape}_{size}"
        self.question = f"How fast do {size:,} rows become a list, {shape}? (mixed10: jsonb decoded)"
        self.collection = f"pg_fetch_{shape}_{size}"
        self.native = ("fetch", size)
        self.bars = _bars(shape, size)
        self.count = size if size >= 100_000 else None
        self.count_multiple = size
        self.count_limit = 100 * size
        self.repetitions = 21 if size < 100_000 else 9

    def prepare(self, stage: PostgresStage) -> None:
        stage.table(self.collection, self.columns)
        stage.execute(
            f"INSERT INTO {self.collection} SELECT {self.expression} FROM generate_series(1, {self.size}) AS i",
            f"VACUUM ANALYZE {self.collection}",
        )

    @property
    def query(self) -> str:
        return f"SELECT * FROM {self.collection}"

    def psycopg(self, peer: Any, connection: Any, work: Work) -> Any:
        binary = peer.name == "psycopg-binary"
        for _ in range(work.count // self.size):
            found = connection.execute(self.query, binary=binary).fetchall()
        return found

    async def psycopg_async(self, peer: Any, connection: Any, work: Work) -> Any:
        for _ in range(work.count // self.size):
            found = await (await connection.execute(self.query)).fetchall()
        return found

    async def asyncpg(self, peer: Any, connection: Any, work: Work) -> Any:
        for _ in range(work.count // self.size):
            found = await connection.fetch(self.query)
        return found

    def barewire(self, peer: Any, connection: Any, work: Work) -> Any:
        for _ in range(work.count // self.size):
            found = connection.fetch(self.query)
        return found

    async def barewire_async(self, peer: Any, connection: Any, work: Work) -> Any:
        for _ in range(work.count // self.size):
            found = await connection.fetch(self.query)
        return found

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        seen: dict[str, Any] = {"digest": str(len(result))}  # the native program says no more than that
        if work.thorough:
            seen["rows"] = rows_digest([*result[:_CHECKED], *result[-_CHECKED:]], plain)
        return seen


CASES = [Fetch(shape, size) for shape in FETCH_SHAPES for size in (1_000, 100_000)]
