"""Question: what does each type cost when 100,000 values of it are fetched?"""

from __future__ import annotations

from benchmarks.data.rows import TYPE_EXPRESSIONS
from benchmarks.harness.bars import at_most, near_native

from .pg_fetch import Fetch

ROWS = 100_000
_BASE = {"text_12": "text", "text_200": "text", "bytea_100": "bytea", "int4_array_10": "int4[]", "text_array_5": "text[]"}
#: Types whose Python objects are dear enough to leave room.
_RICH = ("numeric", "jsonb", "timestamptz", "interval", "inet", "int4range", "int4_array_10", "text_array_5")


class FetchType(Fetch):
    peers = ("psycopg", "psycopg-binary", "asyncpg", "barewire-pg", "barewire-pg-async", "native-pg")
    repetitions = 9

    def __init__(self, kind: str) -> None:
        super().__init__("int1", ROWS)
        self.columns, self.expression = f"value {_BASE.get(kind, kind)}", TYPE_EXPRESSIONS[kind]
        self.name = f"pg_types/{kind}"
        self.question = f"How fast do {ROWS:,} values of {kind.replace('_', ' ')} become a list of rows?"
        self.collection = f"pg_types_{kind}"
        self.bars = [
            *at_most("barewire-pg", ("psycopg", "psycopg-binary", "asyncpg"), cpu=0.6 if kind in _RICH else 0.9),
            *near_native("barewire-pg", "barewire-pg-async", threshold=None, native="native-pg"),
        ]


CASES = [FetchType(kind) for kind in TYPE_EXPRESSIONS]
