"""Question: how do thousands of sessions share few connections, and is each served as often as the others?"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.harness.bars import faster
from benchmarks.harness.case import Work
from benchmarks.harness.case_postgres import PostgresCase
from benchmarks.harness.stage_postgres import PostgresStage

SESSIONS = 5_000
CONNECTIONS = 32
EACH = 10
FAIR = 1.5  # the most often served session may be served so many times as often as the least


class Sessions(PostgresCase):
    name = f"pg_sessions/{SESSIONS}"
    question = (
        f"{SESSIONS:,} tasks that each loop begin, select, update, commit through a pool of {CONNECTIONS}? "
        f"(ours: none may be served {FAIR} times as often as another; single ones with waiting for a connection)"
    )
    unit = "transaction"
    peers = ("asyncpg-pool", "asyncpg-pool-unreset", "barewire-pg-pool")
    pool_size = CONNECTIONS
    collection = "pg_sessions"
    count = SESSIONS * EACH
    repetitions = 5
    quick_repetitions = 1
    bars = faster("barewire-pg-pool", "asyncpg-pool-unreset", wall=1)

    def prepare(self, stage: PostgresStage) -> None:
        stage.table(self.collection, "id int PRIMARY KEY, served int")

    def before(self, stage: PostgresStage, work: Work) -> None:
        stage.empty(self.collection)
        stage.execute(
            f"INSERT INTO {self.collection} SELECT i, 0 FROM generate_series(0, {SESSIONS - 1}) AS i",
            f"VACUUM ANALYZE {self.collection}",
        )

    async def pool(self, peer: Any, pool: Any, work: Work) -> list[int]:
        lend = pool.connection if peer.ours else pool.acquire
        select = f"SELECT served FROM {self.collection} WHERE id = $1"
        update = f"UPDATE {self.collection} SET served = $2 WHERE id = $1"
        left, latencies = work.count, []

        async def session(number: int) -> None:
            nonlocal left
            while left > 0:
                left -= 1
                started = time.perf_counter_ns()
                async with lend() as connection, connection.transaction():
                    served = await connection.fetchval(select, number)
                    await connection.execute(update, number, served + 1)
                latencies.append(time.perf_counter_ns() - started)

        await asyncio.gather(*map(session, range(SESSIONS)))
        return latencies

    def latencies(self, result: list[int]) -> list[int]:
        return result

    def after(self, stage: PostgresStage, peer: Any, work: Work) -> dict[str, Any]:
        query = f"SELECT sum(served), max(served), min(served) FROM {self.collection}"
        served, most, least = stage.connection.execute(query).fetchone()
        seen = {"served": served}
        return {**seen, "fair": most < least * FAIR} if peer.ours else seen  # asyncpg's pool is not, and has a figure still

    def expected(self, work: Work) -> dict[str, Any]:
        return {"served": work.count, "fair": True}


CASES = [Sessions()]
