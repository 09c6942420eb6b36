"""The whole method on real processes: two equal peers must come out equal."""

from __future__ import annotations

from benchmarks.harness.case import Case
from benchmarks.harness.catalogue import find_case
from benchmarks.harness.runner import Options, run_case
from benchmarks.harness.verdicts import verdicts


class Quiet:
    def begin(self, case: Case, steps: int) -> None:
        pass

    def step(self, text: str) -> None:
        pass


def test_two_equal_peers_come_out_equal() -> None:
    # A 95 % interval misses the truth once in twenty; a method that is right does not miss three times running.
    for _ in range(3):
        case = run_case(find_case("equal_peers"), None, Options(quick=True, repetitions=11), Quiet())
        assert [peer.status for peer in case.peers.values()] == ["measured", "measured"]
        cpu = next(found for found in verdicts(case) if found.bar.quantity == "cpu")
        assert 0.75 < cpu.ratio.value < 1.33
        if cpu.ratio.low <= 1 <= cpu.ratio.high:
            return
    raise AssertionError(f"three intervals in a row exclude 1, the last {cpu.ratio}")


def test_samples_of_real_processes_are_sane() -> None:
    case = run_case(find_case("equal_peers"), None, Options(quick=True, repetitions=2), Quiet())
    for sample in (sample for peer in case.peers.values() for sample in peer.samples):
        assert sample.count == case.count > 0
        assert 0 < sample.cpu_ns <= sample.wall_ns * 1.2
        assert sample.server_ns is None and sample.gc_enabled is True
        assert sample.peak_memory is None or sample.peak_memory > 5e6
