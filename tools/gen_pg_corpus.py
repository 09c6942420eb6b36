#!/usr/bin/env python3
"""Writes the seed corpus of the PostgreSQL fuzz target: tests/fuzz/corpus/fuzz_pg_rows/*.

Deterministic: running it again gives the same files. The streams are made with the built extension.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from barewire._core import PgCodec

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "corpus" / "fuzz_pg_rows"
INT4, TEXT, NUMERIC, INT4_ARRAY, JSONB = 23, 25, 1700, 1007, 3802

STREAMS = {
    "empty": ([INT4], []),
    "ints": ([INT4], [(1,), (None,), (-1,)]),
    "mixed": ([INT4, TEXT, JSONB], [(1, "text", {"a": [1]}), (None, None, None), (2, "", [])]),
    "numerics": ([NUMERIC, NUMERIC], [(Decimal("-123.4500"), Decimal("NaN")), (Decimal("1E-20"), Decimal("12345678901234567890123"))]),
    "arrays": ([INT4_ARRAY], [([1, None, 3],), ([[1, 2], [3, 4]],), ([],)]),
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    codec = PgCodec()
    for name, (oids, rows) in STREAMS.items():
        (FOLDER / name).write_bytes(codec.encode_rows(oids, [f"c{i}" for i in range(len(oids))], rows))
    (FOLDER / "numeric").write_bytes(codec.encode(NUMERIC, Decimal("-98765432109876.54321")))


if __name__ == "__main__":
    main()
