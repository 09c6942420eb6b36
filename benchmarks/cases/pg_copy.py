"""Question: how fast do rows go in by COPY, from tuples and from dicts?"""

from __future__ import annotations

from typing import Any

from benchmarks.data.rows import seven, seven_dict
from benchmarks.harness.bars import at_most, near_native
from benchmarks.harness.case import Work

from .pg_insert import Rows

COLUMNS = tuple("abcdefg")
_COPY = "COPY {} FROM STDIN (FORMAT BINARY)"
_TYPES = ("int4", "int4", "int4", "text", "float8", "int4", "text")


class Copy(Rows):
    unit = "call"
    peers = ("psycopg", "asyncpg", "barewire-pg", "barewire-pg-async", "native-pg")

    def __init__(self, kind: str, size: int) -> None:
        self.size = size
        self.dicts = kind == "dicts"
        self.name = f"pg_copy/{kind}_{size}"
        self.question = f"How fast do {size:,} rows of seven columns go in by COPY, from a list of {kind}?"
        self.native = ("copy", size)
        self.repetitions = 15 if size <= 10_000 else 9
        cpu = 0.5 if self.dicts else 0.3
        self.bars = [
            *at_most("barewire-pg-async", "asyncpg", wall=1.0, cpu=cpu),
            *at_most("barewire-pg", "psycopg", cpu=0.2),
            *near_native("barewire-pg", "barewire-pg-async", native="native-pg"),
        ]

    def rows_of(self, work: Work) -> int:
        return self.size

    def load(self, peer: Any, work: Work) -> Any:
        return [(seven_dict if self.dicts else seven)(index) for index in range(self.size)]

    def psycopg(self, peer: Any, connection: Any, work: Work) -> None:
        with connection.cursor().copy(_COPY.format(self.collection)) as copy:
            copy.set_types(_TYPES)
            if self.dicts:
                for row in work.input:
                    copy.write_row(tuple(row.values()))
            else:
                for row in work.input:
                    copy.write_row(row)

    async def asyncpg(self, peer: Any, connection: Any, work: Work) -> None:
        records = (tuple(row.values()) for row in work.input) if self.dicts else work.input
        await connection.copy_records_to_table(self.collection, records=records, columns=COLUMNS)

    def barewire(self, peer: Any, connection: Any, work: Work) -> None:
        connection.copy_records_to_table(self.collection, records=work.input, columns=COLUMNS)

    async def barewire_async(self, peer: Any, connection: Any, work: Work) -> None:
        await connection.copy_records_to_table(self.collection, records=work.input, columns=COLUMNS)


CASES = [Copy(kind, size) for kind in ("tuples", "dicts") for size in (10_000, 100_000)]
