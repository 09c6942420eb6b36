"""The order of runs, the correctness flag, failures and Ctrl-C, with stand-ins for the peers' processes."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.harness import process
from benchmarks.harness.case import Case, Work
from benchmarks.harness.clocks import Sample
from benchmarks.harness.correctness import difference
from benchmarks.harness.peers import Missing
from benchmarks.harness.process import PeerFailed
from benchmarks.harness.runner import Options, order_of, run_case


class Quiet:
    def __init__(self, stop_after: int | None = None) -> None:
        self.steps: list[str] = []
        self.stop_after = stop_after

    def begin(self, case: Case, steps: int) -> None:
        self.announced = steps

    def step(self, text: str) -> None:
        self.steps.append(text)
        if self.stop_after is not None and len(self.steps) > self.stop_after:
            raise KeyboardInterrupt


class Counting(Case):
    name, question = "counting", "Does it count?"
    peers = ("pymongo", "motor", "barewire-async")
    server = None
    repetitions = 4


class StandIn:
    """A peer that takes 100 ns per operation and answers as its table says."""

    open_now = 0

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.runs = 0
        StandIn.open_now += 1

    def run(self, work: Work) -> tuple[Sample, dict[str, Any]]:
        answer = self.answers[min(self.runs, len(self.answers) - 1)]
        self.runs += 1
        if isinstance(answer, Exception):
            raise answer
        return Sample(work.count, 100 * work.count, 50 * work.count), {"stored": answer}

    def close(self) -> None:
        StandIn.open_now -= 1


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Peer name to what it answers, run by run; an exception is raised, a class of exceptions at the start."""
    table: dict[str, Any] = {"pymongo": [7], "motor": [7], "barewire-async": [7]}

    def start(peer: Any, case: Case, assignment: Any) -> StandIn:
        if isinstance(table[peer.name], Exception):
            raise table[peer.name]
        return StandIn(table[peer.name])

    monkeypatch.setattr(process, "start", start)
    StandIn.open_now = 0
    return table


def test_every_peer_takes_every_place_and_neighbours_change() -> None:
    peers = ["a", "b", "c"]
    orders = [order_of(peers, repetition) for repetition in range(6)]
    assert orders[:3] == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]
    assert orders[3:] == [["c", "b", "a"], ["a", "c", "b"], ["b", "a", "c"]]
    assert order_of([], 5) == []


def test_warm_up_is_dropped_and_peers_alternate(answers: dict[str, Any]) -> None:
    watcher = Quiet()
    result = run_case(Counting(), None, Options(), watcher)
    assert {name: len(peer.samples) for name, peer in result.peers.items()} == dict.fromkeys(Counting.peers, 4)
    assert len(watcher.steps) == watcher.announced == 15
    assert all(set(watcher.steps[start : start + 3]) == set(Counting.peers) for start in range(0, 15, 3))
    assert StandIn.open_now == 0


def test_a_peer_that_answers_differently_has_no_figure(answers: dict[str, Any]) -> None:
    answers["barewire-async"] = [6]
    result = run_case(Counting(), None, Options(), Quiet())
    wrong = result.peers["barewire-async"]
    assert (wrong.status, wrong.samples) == ("incorrect", [])
    assert wrong.reason == "stored is 6, expected 7"
    assert result.peers["motor"].status == "measured"


def test_one_wrong_answer_at_the_end_takes_all_figures(answers: dict[str, Any]) -> None:
    answers["barewire-async"] = [7, 7, 7, 7, 6]
    result = run_case(Counting(), None, Options(), Quiet())
    assert (result.peers["barewire-async"].status, result.peers["barewire-async"].samples) == ("incorrect", [])


def test_an_incumbent_sets_the_reference_not_one_of_ours(answers: dict[str, Any]) -> None:
    answers.update({"barewire-async": [7], "pymongo": [8], "motor": [8]})
    result = run_case(Counting(), None, Options(), Quiet())
    assert [result.peers[name].status for name in Counting.peers] == ["measured", "measured", "incorrect"]


def test_an_expectation_stands_above_the_incumbents(answers: dict[str, Any]) -> None:
    class Known(Counting):
        def expected(self, work: Work) -> dict[str, Any]:
            return {"stored": 9}

    answers["motor"] = [9]
    result = run_case(Known(), None, Options(), Quiet())
    assert [result.peers[name].status for name in Counting.peers] == ["incorrect", "measured", "incorrect"]


def test_missing_and_failing_peers_leave_the_others_in_the_run(answers: dict[str, Any]) -> None:
    answers.update({"barewire-async": Missing("not installed"), "motor": [7, 7, PeerFailed("it fell over")]})
    result = run_case(Counting(), None, Options(), Quiet())
    assert (result.peers["barewire-async"].status, result.peers["barewire-async"].reason) == ("missing", "not installed")
    assert (result.peers["motor"].status, result.peers["motor"].samples) == ("failed", [])
    assert len(result.peers["pymongo"].samples) == 4
    assert StandIn.open_now == 0


def test_ctrl_c_keeps_what_is_done(answers: dict[str, Any]) -> None:
    result = run_case(Counting(), None, Options(), Quiet(stop_after=8))
    assert result.interrupted
    assert sum(len(peer.samples) for peer in result.peers.values()) == 5
    assert StandIn.open_now == 0


def test_count_is_calibrated_to_the_target_time(answers: dict[str, Any]) -> None:
    class Calibrated(Counting):
        count = None
        count_multiple = 50
        count_limit = 10_000_000
        target_seconds = 0.005  # at 50 ns of CPU per operation: 100,000 operations

    result = run_case(Calibrated(), None, Options(), Quiet())
    assert result.count % 50 == 0 and abs(result.count - 100_000) <= 50
    assert all(sample.count == result.count for peer in result.peers.values() for sample in peer.samples)


def test_a_fresh_process_per_run(answers: dict[str, Any]) -> None:
    class Fresh(Counting):
        fresh_process = True

    answers["motor"] = [7, 8]  # a process that ran twice would answer wrongly
    result = run_case(Fresh(), None, Options(repetitions=2), Quiet())
    assert [len(peer.samples) for peer in result.peers.values()] == [2, 2, 2]
    assert StandIn.open_now == 0


@pytest.mark.parametrize(
    ("outcome", "reference", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, ""),
        ({"a": 1, "b": 3}, {"a": 1, "b": 2}, "b is 3, expected 2"),
        ({"c": 1}, {"a": 1}, "nothing of what it produced could be compared"),
        ({}, {}, "nothing of what it produced could be compared"),
    ],
)
def test_difference(outcome: dict[str, Any], reference: dict[str, Any], expected: str) -> None:
    assert difference(outcome, reference) == expected
