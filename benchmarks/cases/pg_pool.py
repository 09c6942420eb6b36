"""Question: how many one-row selects per second do many tasks get through a pool, and how long does each wait?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.bars import Bar, faster
from benchmarks.harness.case import Work

from .pg_select import BY_NUMBER, SelectOne


class SelectPool(SelectOne):
    unit = "select"
    peers = ("asyncpg-pool", "asyncpg-pool-unreset", "asyncpg-connections", "barewire-pg-pool")
    native = None
    count_limit = 50_000
    target_seconds = 0.5
    collection = "pg_users"

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks
        self.name = f"pg_pool/{tasks}"
        self.question = (
            f"One-row autocommit selects by {tasks} tasks at once through a pool of {self.pool_size} "
            f"({self.pool_size} bare connections: {self.pool_size} tasks)?"
        )
        self.count_multiple = tasks

    def bars_on(self, loop: str) -> list[Bar]:
        return [
            *faster("barewire-pg-pool", "asyncpg-pool", wall=5),
            *faster("barewire-pg-pool", "asyncpg-pool-unreset", wall=3),
            *faster("barewire-pg-pool", "asyncpg-connections", wall=1.6 if loop == "uvloop" else 2),
            Bar("barewire-pg-pool", ("asyncpg-pool",), "p99", 1.0, "at_most"),
        ]

    async def pool(self, peer: Any, pool: Any, work: Work) -> Any:
        return await self._share(work, [pool.fetchrow] * self.tasks)

    async def connections(self, peer: Any, connections: Any, work: Work) -> Any:
        return await self._share(work, [connection.fetchrow for connection in connections])

    async def _share(self, work: Work, ways: list[Callable[..., Awaitable[Any]]]) -> tuple[list[Any], list[int]]:
        latencies: list[int] = []

        async def selects(fetchrow: Callable[..., Awaitable[Any]], wanted: list[int]) -> list[Any]:
            clock, found = time.perf_counter_ns, []
            for key in wanted:
                started = clock()
                found.append(await fetchrow(BY_NUMBER, key))
                latencies.append(clock() - started)
            return found

        shares = len(ways)
        parts = await asyncio.gather(*(selects(way, work.input[number::shares]) for number, way in enumerate(ways)))
        return [parts[step % shares][step // shares] for step in range(work.count)], latencies

    def latencies(self, result: Any) -> list[int]:
        return result[1]

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return super().outcome(peer, work, result[0])


CASES = [SelectPool(50), SelectPool(500)]
