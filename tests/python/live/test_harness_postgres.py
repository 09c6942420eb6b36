# The harness on a real PostgreSQL: every peer is correct, native floors and pgbench included, and server CPU is read.
from __future__ import annotations

import uuid

import pytest

import barewire.pg
from benchmarks.harness import native_build
from benchmarks.harness.case import Case, Work
from benchmarks.harness.catalogue import find_case, select
from benchmarks.harness.peers import PEERS, Missing
from benchmarks.harness.runner import Options, run_case
from benchmarks.harness.server_postgres import describe_postgres
from benchmarks.harness.stage_postgres import PostgresStage

CASES = (
    "pg_select/one", "pg_select/batch_100", "pg_pool/50", "pg_insert", "pg_executemany/1000", "pg_copy/dicts_10000",
    "pg_insert_many_unsafe/50000", "pg_insert_many_unsafe/50000_ids", "pg_fetch/mixed10_1000", "pg_types/int4range",
    "pg_types/timestamptz", "pg_tpcb",
)


class Quiet:
    def begin(self, case: Case, steps: int) -> None:
        pass

    def step(self, text: str) -> None:
        pass


@pytest.fixture(scope="module")
def stage(postgres_conninfo: str):
    database = f"test_harness_{uuid.uuid4().hex}"
    stage = PostgresStage(postgres_conninfo, describe_postgres(postgres_conninfo)["pid"], database)
    yield stage
    stage.close()


def _absent(case: Case) -> set[str]:
    """Peers that this machine cannot have."""
    absent = set() if hasattr(barewire.pg, "AsyncPool") else {"barewire-pg-pool"}
    try:
        native_build.native_program("postgres")
    except Missing:
        absent.add("native-pg")
    try:
        if hasattr(case, "program"):
            case.program(PEERS["pgbench"], "", Work(1, 0, False))
    except Missing:
        absent |= {"pgbench", "pgbench-pipeline"}
    return absent & set(case.peers)


@pytest.mark.parametrize("name", CASES)
def test_every_peer_gives_the_same_and_the_servers_time_is_read(stage: PostgresStage, name: str) -> None:
    case = find_case(name)
    result = run_case(case, stage, Options(quick=True, repetitions=1), Quiet())
    states = {peer: (found.status, found.reason) for peer, found in result.peers.items()}
    assert {peer for peer, (status, _) in states.items() if status != "measured"} == _absent(case), states
    for peer, found in result.peers.items():
        assert all(sample.wall_ns > 0 and sample.cpu_ns > 0 for sample in found.samples), peer
        if stage.server_pid is not None:
            assert all(sample.server_ns for sample in found.samples), peer
        if name.startswith("pg_pool"):
            assert all(0 < sample.p50_ns <= sample.p99_ns for sample in found.samples)


def test_rows_that_differ_on_the_server_take_the_figures_away(stage: PostgresStage) -> None:
    class Meddled(type(find_case("pg_executemany/1000"))):  # type: ignore[misc]
        def after(self, stage: PostgresStage, peer, work):
            if peer.name == "asyncpg" and work.thorough:
                stage.execute(f"UPDATE {self.collection} SET f = 0 WHERE a = 7")
            return super().after(stage, peer, work)

    result = run_case(Meddled(1_000), stage, Options(repetitions=1, peers=("psycopg", "asyncpg")), Quiet())
    assert result.peers["psycopg"].status == "measured"
    assert (result.peers["asyncpg"].status, result.peers["asyncpg"].samples) == ("incorrect", [])
    assert result.peers["asyncpg"].reason.startswith("contents is ")


def test_transactions_that_lose_money_take_the_figures_away(stage: PostgresStage) -> None:
    class Robbed(type(find_case("pg_tpcb"))):  # type: ignore[misc]
        def after(self, stage: PostgresStage, peer, work):
            stage.execute("UPDATE pgbench_tellers SET tbalance = tbalance - 1 WHERE tid = 3")
            return super().after(stage, peer, work)

    result = run_case(Robbed(), stage, Options(repetitions=1, peers=("asyncpg",)), Quiet())
    assert result.peers["asyncpg"].reason == "balances agree is False, expected True"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_both_event_loops(stage: PostgresStage, loop: str) -> None:
    options = Options(quick=True, repetitions=1, loop=loop, peers=("psycopg-async", "asyncpg"))
    result = run_case(find_case("pg_select/one"), stage, options, Quiet())
    assert [found.status for found in result.peers.values()] == ["measured", "measured"]


def test_cases_are_selected_by_their_server() -> None:
    assert {case.server for case in select(["postgres"])} == {"postgres"}
    assert {case.server for case in select(["mongo"])} == {"mongo"}
    assert {case.name for case in select(["pg_pool", "pg_insert"])} == {"pg_pool/50", "pg_pool/500", "pg_insert"}
