# The code in README.md and docs/ runs as it stands, against a real server.
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"```python\n(.*?)```", re.S)

# What a page takes for granted before its code.
PRELUDE = """
import asyncio, csv, pathlib, sys
import psycopg, pymongo
from barewire.embedded import PostgresServer
from barewire.mongo import AsyncMongoClient, MongoClient
URI = sys.argv[1]
pathlib.Path("measurements.csv").write_text("station,value\\nA,1.5\\nB,2\\n")
"""
FILL_PRELUDE = """
def fill(conninfo):
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT 1 AS number")
"""
UNSAFE_PRELUDE = """
def rows():
    yield from ({"n": i} for i in range(10))
"""


def blocks(name: str) -> list[str]:
    return BLOCK.findall((ROOT / name).read_text())


def program(name: str, block: str) -> str:
    text = PRELUDE + (UNSAFE_PRELUDE if "rows()" in block and "def rows" not in block else "")
    text += FILL_PRELUDE if "fill(" in block else ""
    body = re.sub(r'"mongodb://localhost[^"]*"', "URI", block)
    if name == "README.md" and "client.lab" in body:
        body = "client = MongoClient(URI)\n" + body + "\nassert result.inserted_count == 2\nclient.close()\n"
    if name == "docs/unsafe.md":
        body = f"collection = AsyncMongoClient(URI).doc.c\n{body}"
    if re.search(r"^(async with|    .*await |result = await)", body, re.M) and "asyncio.run" not in body:
        body = "async def main():\n" + "\n".join("    " + line for line in body.splitlines()) + "\nasyncio.run(main())\n"
    if "with MongoServer()" in body:
        body += "\n    client.close()\n"
    return text + body


# README.md's code for PostgreSQL runs in test_pg_documentation.py.
CASES = [
    (name, number)
    for name in ("README.md", "docs/mongo.md", "docs/bson.md", "docs/unsafe.md", "docs/embedded.md")
    for number, block in enumerate(blocks(name))
    if "barewire.pg" not in block
]


def test_there_is_code_to_run() -> None:
    assert len(CASES) >= 9


@pytest.mark.parametrize("name,number", CASES)
def test_code_runs(name: str, number: int, mongo_uri: str, tmp_path: Path) -> None:
    source = program(name, blocks(name)[number])
    done = subprocess.run([sys.executable, "-c", source, mongo_uri], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, source + done.stderr
