#!/usr/bin/env python3
"""Writes csrc/wire/pg/oids.h: the types that every PostgreSQL server has, from the catalogue of one.

Usage: tools/gen_pg_oids.py CONNINFO     (needs psycopg; use the oldest supported release, so that every oid is on all)
"""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg

OUT = Path(__file__).resolve().parent.parent / "csrc" / "wire" / "pg" / "oids.h"

# Layouts by the name of the type. What is not here and has no class of types with a common layout is opaque: its values
# travel as text. That is so for the reg* types, whose names only the server knows.
KINDS = {
    "bool": "boolean", "int2": "int2", "int4": "int4", "int8": "int8", "oid": "uint4", "xid": "uint4", "cid": "uint4",
    "xid8": "uint8", "float4": "float4", "float8": "float8", "numeric": "numeric", "money": "money", "text": "text",
    "varchar": "text", "bpchar": "text", "name": "text", "xml": "text", "unknown": "text", "cstring": "text",
    "refcursor": "text", "void": "text", "char": "byte_char", "bytea": "bytea", "json": "json", "jsonb": "jsonb",
    "jsonpath": "versioned", "uuid": "uuid", "date": "date", "time": "time", "timetz": "timetz", "timestamp": "timestamp",
    "timestamptz": "timestamptz", "interval": "interval", "inet": "inet", "cidr": "cidr", "macaddr": "macaddr",
    "macaddr8": "macaddr8", "bit": "bits", "varbit": "bits", "point": "point", "lseg": "lseg", "path": "path",
    "box": "box", "polygon": "polygon", "line": "line", "circle": "circle", "tid": "tid", "pg_lsn": "lsn",
    "int2vector": "vector", "oidvector": "vector", "record": "record",
}

QUERY = """
SELECT t.oid, t.typname, t.typtype::text, coalesce(nullif(t.typelem, 0), r.rngsubtype, m.rngtypid, 0)::int8,
       t.typarray::int8, t.typsubscript = 'array_subscript_handler'::regproc
FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
WHERE t.oid < 10000 AND t.typtype IN ('b', 'p', 'r', 'm')
  AND (t.typtype <> 'p' OR t.typname IN ('record', '_record', 'unknown', 'cstring', '_cstring', 'void'))
ORDER BY t.oid
"""


def main() -> None:
    with psycopg.connect(sys.argv[1]) as connection:
        rows = connection.execute(QUERY).fetchall()
        release = connection.info.server_version // 10000
    known = {row[0] for row in rows}
    entries = []
    for oid, name, variety, element, array_oid, is_array in rows:
        if is_array and element not in known:
            continue  # of rows of the catalogue's tables, which are looked up like any table's
        if is_array and name not in KINDS:
            kind = "array"
        else:
            kind = {"r": "range", "m": "multirange"}.get(variety) or KINDS.get(name, "opaque")
        if kind not in ("array", "vector", "range", "multirange"):
            element = 0  # the subscripts of point and name are no concern of the layout
        entries.append(f'    {{{oid}, {element}, {array_oid}, Kind::{kind}, "{name}"}},')
    OUT.write_text(
        f"// Types that every server has, with their layouts; written by tools/gen_pg_oids.py from PostgreSQL {release}.\n"
        "#pragma once\n\n#include <cstdint>\n\n#include \"wire/pg/kind.h\"\n\nnamespace barewire::wire::pg {\n\n"
        "struct BuiltinType {\n    std::uint32_t oid;\n"
        "    std::uint32_t element;  // of an array, the bounds of a range, the ranges of a multirange\n"
        "    std::uint32_t array;    // the type of arrays of this type, or 0\n    Kind kind;\n    const char* name;\n};\n\n"
        "// In the order of their oids.\ninline constexpr BuiltinType builtin_types[] = {\n" + "\n".join(entries) + "\n};\n\n"
        "}  // namespace barewire::wire::pg\n"
    )


if __name__ == "__main__":
    main()
