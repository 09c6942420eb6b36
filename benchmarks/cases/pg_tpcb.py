"""Question: how many TPC-B-like transactions per second do 10 sessions get?"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.harness.bars import Bar, faster
from benchmarks.harness.case import Work
from benchmarks.harness.case_postgres import PostgresCase
from benchmarks.harness.peers import Missing
from benchmarks.harness.stage_postgres import PostgresStage

SESSIONS = 10
ACCOUNTS, TELLERS = 100_000, 10
_UPDATE_ACCOUNT = "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2"
_SELECT = "SELECT abalance FROM pgbench_accounts WHERE aid = $1"
_UPDATE_TELLER = "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2"
_UPDATE_BRANCH = "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2"
_INSERT = "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)"
_SUMS = """SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
    (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"""

_PIPELINE_SCRIPT = Path(__file__).resolve().parent.parent / "data" / "tpcb_pipeline.sql"
_TPS = re.compile(r"^tps = ([\d.]+) \(without initial connection time\)", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([\d.]+) ms", re.MULTILINE)


def _pgbench() -> str:
    found = shutil.which("pgbench")
    if found is None:
        from barewire.embedded import EmbeddedServerError
        from barewire.embedded._postgres_programs import find_programs

        try:
            found = shutil.which("pgbench", path=str(find_programs()))
        except EmbeddedServerError as error:
            raise Missing(str(error)) from error
    if found is None:
        raise Missing("there is no pgbench (Debian: postgresql-contrib)")
    return found


class Transactions(PostgresCase):
    name = "pg_tpcb"
    question = (
        f"TPC-B-like transactions, {SESSIONS} sessions, scale 1? (drivers: a connection per session; barewire.pg: each transaction "
        "is one batch; others: seven round trips)"
    )
    unit = "transaction"
    peers = ("pgbench", "pgbench-pipeline", "asyncpg", "psycopg-async", "barewire-pg-async")
    connection_count = SESSIONS
    count = None
    count_multiple = SESSIONS * 10
    count_limit = 20_000
    target_seconds = 1.0
    repetitions = 9
    bars = [
        *faster("barewire-pg-async", "pgbench", wall=2.2),
        *faster("barewire-pg-async", "asyncpg", wall=3.8),
        Bar("barewire-pg-async", ("pgbench-pipeline",), "wall", None),
    ]

    # -- controller ------------------------------------------------------------------------------------------------
    def prepare(self, stage: PostgresStage) -> None:
        stage.table("pgbench_branches", "bid int PRIMARY KEY, bbalance int, filler char(88)")
        stage.table("pgbench_tellers", "tid int PRIMARY KEY, bid int, tbalance int, filler char(84)")
        stage.table("pgbench_accounts", "aid int PRIMARY KEY, bid int, abalance int, filler char(84)")
        stage.table("pgbench_history", "tid int, bid int, aid int, delta int, mtime timestamp, filler char(22)")
        stage.execute(
            "INSERT INTO pgbench_branches VALUES (1, 0)",
            f"INSERT INTO pgbench_tellers SELECT i, 1, 0 FROM generate_series(1, {TELLERS}) AS i",
            f"INSERT INTO pgbench_accounts SELECT i, 1, 0, '' FROM generate_series(1, {ACCOUNTS}) AS i",
            "VACUUM ANALYZE",
        )

    def before(self, stage: PostgresStage, work: Work) -> None:
        stage.empty("pgbench_history")
        stage.execute("VACUUM pgbench_branches", "VACUUM pgbench_tellers", "VACUUM pgbench_accounts")
        self._sums = stage.connection.execute(_SUMS).fetchone()

    def after(self, stage: PostgresStage, peer: Any, work: Work) -> dict[str, Any]:
        sums = stage.connection.execute(_SUMS).fetchone()
        moved = {now - before for now, before in zip(sums, self._sums)}
        return {"history": stage.count("pgbench_history"), "balances agree": len(moved) == 1}

    def expected(self, work: Work) -> dict[str, Any]:
        return {"history": work.count, "balances agree": True}

    def program(self, peer: Any, uri: str, work: Work) -> list[str]:
        """The command line of a peer that is a program."""
        each = max(work.count // SESSIONS, 1)
        command = [_pgbench(), "--no-vacuum", "--protocol=prepared", f"--client={SESSIONS}", f"--transactions={each}"]
        if peer.name == "pgbench-pipeline":
            command.append(f"--file={_PIPELINE_SCRIPT}")
        return [*command, uri]

    def program_report(self, text: str, work: Work) -> tuple[int, dict[str, Any]]:
        """Its wall time in nanoseconds without connecting, and the mean latency as the median."""
        return int(work.count / float(_TPS.search(text)[1]) * 1e9), {"p50_ns": float(_LATENCY.search(text)[1]) * 1e6}

    # -- peers -----------------------------------------------------------------------------------------------------
    def load(self, peer: Any, work: Work) -> Any:
        chance = random.Random(work.token)
        draws = [(chance.randint(1, ACCOUNTS), chance.randint(1, TELLERS), chance.randint(-5000, 5000)) for _ in range(work.count)]
        return [draws[number::SESSIONS] for number in range(SESSIONS)]

    async def _sessions(self, work: Work, session: Any, connections: list[Any]) -> list[int]:
        latencies: list[int] = []

        async def run(connection: Any, draws: list[tuple[int, int, int]]) -> None:
            clock = time.perf_counter_ns
            for aid, tid, delta in draws:
                started = clock()
                await session(connection, aid, tid, delta)
                latencies.append(clock() - started)

        await asyncio.gather(*map(run, connections, work.input))
        return latencies

    async def asyncpg(self, peer: Any, connections: list[Any], work: Work) -> list[int]:
        async def session(connection: Any, aid: int, tid: int, delta: int) -> None:
            async with connection.transaction():
                await connection.execute(_UPDATE_ACCOUNT, delta, aid)
                await connection.fetchval(_SELECT, aid)
                await connection.execute(_UPDATE_TELLER, delta, tid)
                await connection.execute(_UPDATE_BRANCH, delta, 1)
                await connection.execute(_INSERT, tid, 1, aid, delta)

        return await self._sessions(work, session, connections)

    async def psycopg_async(self, peer: Any, connections: list[Any], work: Work) -> list[int]:
        statements = [re.sub(r"\$\d", "%s", one) for one in (_UPDATE_ACCOUNT, _SELECT, _UPDATE_TELLER, _UPDATE_BRANCH, _INSERT)]

        async def session(connection: Any, aid: int, tid: int, delta: int) -> None:
            async with connection.transaction():
                await connection.execute(statements[0], (delta, aid))
                await (await connection.execute(statements[1], (aid,))).fetchone()
                await connection.execute(statements[2], (delta, tid))
                await connection.execute(statements[3], (delta, 1))
                await connection.execute(statements[4], (tid, 1, aid, delta))

        return await self._sessions(work, session, connections)

    async def barewire_async(self, peer: Any, connections: list[Any], work: Work) -> list[int]:
        async def session(connection: Any, aid: int, tid: int, delta: int) -> None:
            batch = connection.batch()
            batch.execute(_UPDATE_ACCOUNT, delta, aid)
            batch.fetchval(_SELECT, aid)
            batch.execute(_UPDATE_TELLER, delta, tid)
            batch.execute(_UPDATE_BRANCH, delta, 1)
            batch.execute(_INSERT, tid, 1, aid, delta)
            await batch.run()

        return await self._sessions(work, session, connections)

    def latencies(self, result: Any) -> list[int]:
        return result


CASES = [Transactions()]
