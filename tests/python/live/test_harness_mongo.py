# The harness on a real server: every peer is correct, native floors included, and server CPU is read.
from __future__ import annotations

import pytest

from benchmarks.harness import native_build
from benchmarks.harness.case import Case
from benchmarks.harness.catalogue import find_case
from benchmarks.harness.peers import Missing
from benchmarks.harness.runner import Options, run_case
from benchmarks.harness.server import describe_server, with_write_concern
from benchmarks.harness.stage import Stage

CASES = ("ping", "insert_one", "find_one/1", "find_one/50", "update_one", "insert_many/1000", "insert_many_unsafe/1000",
         "find/1000")


class Quiet:
    def begin(self, case: Case, steps: int) -> None:
        pass

    def step(self, text: str) -> None:
        pass


def test_every_peer_gives_the_same_and_the_servers_time_is_read(mongo_uri: str) -> None:
    try:
        native_build.native_program()
        absent = set()
    except Missing:
        absent = {"native"}  # a machine without libmongoc's headers measures without the floor
    uri = with_write_concern(mongo_uri)
    server = describe_server(uri)
    stage = Stage(uri, server["pid"])
    try:
        for name in CASES:
            case = find_case(name)
            result = run_case(case, stage, Options(quick=True, repetitions=1), Quiet())
            states = {peer: (found.status, found.reason) for peer, found in result.peers.items()}
            assert {peer for peer, (status, _) in states.items() if status != "measured"} == absent, (name, states)
            for found in result.peers.values():
                assert all(sample.wall_ns > 0 and sample.cpu_ns > 0 for sample in found.samples)
                if server["pid"] is not None:
                    assert all(sample.server_ns for sample in found.samples)
    finally:
        stage.close()


def test_documents_that_differ_on_the_server_take_the_figures_away(mongo_uri: str) -> None:
    class Meddled(type(find_case("insert_many/1000"))):  # type: ignore[misc]
        def after(self, stage: Stage, peer, work):
            if peer.name == "motor" and work.thorough:
                stage.collection(self.collection).update_one({"name": "User7"}, {"$set": {"score": 0.25}})
            return super().after(stage, peer, work)

    stage = Stage(with_write_concern(mongo_uri))
    try:
        result = run_case(Meddled(1_000), stage, Options(repetitions=1, peers=("pymongo", "motor")), Quiet())
    finally:
        stage.close()
    assert result.peers["pymongo"].status == "measured"
    assert (result.peers["motor"].status, result.peers["motor"].samples) == ("incorrect", [])
    assert result.peers["motor"].reason.startswith("contents is ")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_both_event_loops(mongo_uri: str, loop: str) -> None:
    stage = Stage(with_write_concern(mongo_uri))
    try:
        result = run_case(
            find_case("ping"), stage, Options(quick=True, repetitions=1, loop=loop, peers=("pymongo-async", "barewire-async")), Quiet()
        )
    finally:
        stage.close()
    assert [found.status for found in result.peers.values()] == ["measured", "measured"]
