"""Bars are decided by the better of the peers named, and only by peers that were correct."""

from __future__ import annotations

from benchmarks.harness.bars import Bar, faster_than_both, near_native
from benchmarks.harness.clocks import Sample
from benchmarks.harness.results import CaseResult, PeerResult
from benchmarks.harness.verdicts import best, judge, summary, verdicts


def case_of(bars: list[Bar], **times: tuple[int, int]) -> CaseResult:
    """Peers (underscores for hyphens) with constant (wall, cpu) per operation; two operations per run."""
    peers = {
        name.replace("_", "-"): PeerResult(
            samples=[Sample(count=2, wall_ns=2 * wall, cpu_ns=2 * cpu, peak_memory=wall) for _ in range(5)]
        )
        for name, (wall, cpu) in times.items()
    }
    return CaseResult("name", "question", "call", 2, peers, bars)


def test_figures_are_per_operation() -> None:
    found = summary(case_of([], motor=(100, 40)), "motor", "cpu")
    assert found is not None and found.median == 40


def test_each_quantity_is_held_against_the_better_peer_in_it() -> None:
    case = case_of(faster_than_both(wall=2, cpu=5), pymongo_async=(100, 90), motor=(120, 80), barewire_async=(50, 20))
    wall, cpu = verdicts(case)
    assert (wall.rival, wall.ratio.value, wall.met) == ("pymongo-async", 2.0, True)
    assert (cpu.rival, cpu.ratio.value, cpu.met) == ("motor", 4.0, False)


def test_at_most_turns_the_ratio_round() -> None:
    case = case_of(near_native("barewire-async"), native=(100, 1), barewire_async=(104, 1))
    assert [(found.ratio.value, found.met) for found in verdicts(case)] == [(1.04, True)]
    slower = case_of(near_native("barewire-async"), native=(100, 1), barewire_async=(106, 1))
    assert [found.met for found in verdicts(slower)] == [False]


def test_a_stated_ratio_is_neither_met_nor_missed() -> None:
    case = case_of(near_native("barewire", threshold=None), native=(100, 1), barewire=(300, 1))
    assert [(found.ratio.value, found.met) for found in verdicts(case)] == [(3.0, None)]


def test_peak_memory_is_the_largest_of_all_runs() -> None:
    case = case_of([], barewire=(100, 1))
    case.peers["barewire"].samples[3].peak_memory = 180
    bar = Bar("barewire", (), "peak_memory", 150)
    found = judge(case, bar)
    assert (found.figure, found.met) == (180, False)


def test_a_bar_against_two_is_not_decided_by_one() -> None:
    case = case_of(faster_than_both(wall=2), motor=(120, 80), barewire_async=(50, 20))
    (found,) = verdicts(case)
    assert found.met is None and "pymongo-async" in found.reason


def test_an_incorrect_peer_has_no_figure_anywhere() -> None:
    case = case_of(faster_than_both(wall=2), pymongo_async=(100, 90), motor=(120, 80), barewire_async=(1, 1))
    case.peers["barewire-async"].reject("incorrect", "stored is 3, expected 4")
    assert case.peers["barewire-async"].samples == []
    assert summary(case, "barewire-async", "wall") is None
    assert best(case, ("motor", "barewire-async"), "wall") == "motor"
    (found,) = verdicts(case)
    assert (found.met, found.ratio, found.reason) == (None, None, "barewire-async incorrect")
