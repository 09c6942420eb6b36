# Thousands of logical sessions share few connections: what a waiting one costs, and that each is served as often as the others.
from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

import barewire.pg

SESSIONS = 5_000
MOST = 4096  # bytes per waiting session: its task, its coroutine and everything of ours

# A process of its own: what others have freed before would hide growth.
PROGRAM = f"""
import asyncio, gc, os, sys
import barewire.pg

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def session(pool):
    async with pool.connection() as connection, connection.transaction():
        await connection.fetchval("SELECT 1")

async def main():
    async with barewire.pg.AsyncPool(sys.argv[1], min_size=1, max_size=1) as pool:
        await asyncio.gather(*(session(pool) for _ in range(20)))
        async with pool.connection():
            before = resident()
            tasks = [asyncio.ensure_future(session(pool)) for _ in range({SESSIONS})]
            while pool.stats()["waiting"] < {SESSIONS}:
                await asyncio.sleep(0.01)
            print((resident() - before) / {SESSIONS})
        await asyncio.gather(*tasks)

asyncio.run(main())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_a_waiting_session_takes_less_than_four_kibibytes(postgres_conninfo: str) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, postgres_conninfo]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert 200 < float(done.stdout) < MOST, done.stdout


async def test_each_session_is_served_as_often_as_the_others(postgres_conninfo: str) -> None:
    served = [0] * 500
    left = 20 * len(served)

    async with barewire.pg.AsyncPool(postgres_conninfo, min_size=8, max_size=8) as pool:

        async def session(number: int) -> None:
            nonlocal left
            while left > 0:
                left -= 1
                async with pool.connection() as connection, connection.transaction():
                    served[number] += await connection.fetchval("SELECT $1::int", 1)

        await asyncio.gather(*map(session, range(len(served))))
    assert sum(served) == 20 * len(served)
    assert max(served) < 1.5 * min(served)
