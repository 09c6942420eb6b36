# The code in docs/pg.md and README.md's for PostgreSQL run as they stand, against a real server.
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
BLOCKS = BLOCK.findall((ROOT / "docs" / "pg.md").read_text())
FIRST_PAGE = [block for block in BLOCK.findall((ROOT / "README.md").read_text()) if "barewire.pg" in block]

# What the page takes for granted before its code.
PRELUDE = """
import asyncio, sys
import barewire.pg
with barewire.pg.connect(sys.argv[1]) as first:
    first.execute("CREATE TABLE accounts (id int, balance int); INSERT INTO accounts VALUES (1, 100), (2, 0)")
"""
SAID = {0: "{'name': 'Ann', 'age': 31}", 2: "['UPDATE 1', 91]", 3: "50000\n[7]\n50005", 4: "100000", 6: "news hello"}


def test_there_is_code_to_run() -> None:
    assert len(BLOCKS) == 7 and len(FIRST_PAGE) == 1


def run(program: str, conninfo: str) -> str:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program, conninfo]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", program + done.stderr
    return done.stdout


def test_first_page(pg_schema: str) -> None:
    said = run("import sys\n" + FIRST_PAGE[0].replace('"postgresql://localhost/shop"', "sys.argv[1]"), pg_schema)
    assert said.splitlines()[0] == "10000" and "('Item 0', Decimal('0')), ('Item 1', Decimal('1'))" in said


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_code_runs(number: int, pg_schema: str) -> None:
    body = BLOCKS[number].replace('"postgresql://localhost/shop"', "sys.argv[1]")
    if body.startswith("async with"):
        body = "async def main():\n" + "".join(f"    {line}\n" for line in body.splitlines()) + "asyncio.run(main())\n"
    elif "connect(" not in body and "connect_async(" not in body:
        body = f"connection = barewire.pg.connect(sys.argv[1])\n{body}\nconnection.close()\n"
    assert SAID.get(number, "") in run(PRELUDE + body, pg_schema)
