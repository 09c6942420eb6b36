# The code in docs/pg.md runs as it stands, against a real server.
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "pg.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)

# What the page takes for granted before its code.
PRELUDE = """
import asyncio, sys
import barewire.pg
with barewire.pg.connect(sys.argv[1]) as first:
    first.execute("CREATE TABLE accounts (id int, balance int); INSERT INTO accounts VALUES (1, 100), (2, 0)")
"""
SAID = {0: "{'name': 'Ann', 'age': 31}", 2: "['UPDATE 1', 91]", 3: "50000\n[7]\n50005", 5: "news hello"}


def test_there_is_code_to_run() -> None:
    assert len(BLOCKS) == 6


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_code_runs(number: int, pg_schema: str) -> None:
    body = BLOCKS[number].replace('"postgresql://localhost/shop"', "sys.argv[1]")
    if body.startswith("async with"):
        body = "async def main():\n" + "".join(f"    {line}\n" for line in body.splitlines()) + "asyncio.run(main())\n"
    elif "connect(" not in body and "connect_async(" not in body:
        body = f"connection = barewire.pg.connect(sys.argv[1])\n{body}\nconnection.close()\n"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + body, pg_schema], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stderr == "", body + done.stderr
    assert SAID.get(number, "") in done.stdout
