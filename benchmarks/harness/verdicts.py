"""Turns a case's samples into summaries and decides its bars. Correctness has been settled before: only peers that
are "measured" have samples. No printing here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from .bars import Bar
from .clocks import Sample
from .results import CaseResult
from .statistics import Ratio, Summary, ratio_of_medians, summarise

QUANTITIES: dict[str, Callable[[Sample], float | None]] = {
    "wall": lambda sample: sample.wall_ns / sample.count,
    "cpu": lambda sample: sample.cpu_ns / sample.count,
    "server": lambda sample: None if sample.server_ns is None else sample.server_ns / sample.count,
    "p50": lambda sample: sample.p50_ns,
    "p99": lambda sample: sample.p99_ns,
    "peak_memory": lambda sample: sample.peak_memory,
}


def values(case: CaseResult, peer: str, quantity: str) -> list[float]:
    """One value per repetition: nanoseconds per operation, or bytes for peak_memory. Empty where there are none."""
    result = case.peers.get(peer)
    if result is None or result.status != "measured":
        return []
    read = QUANTITIES[quantity]
    return [value for value in map(read, result.samples) if value is not None]


def summary(case: CaseResult, peer: str, quantity: str) -> Summary | None:
    found = values(case, peer, quantity)
    return summarise(found) if found else None


def best(case: CaseResult, peers: tuple[str, ...], quantity: str) -> str | None:
    """The peer with the smallest median; None when none of them was measured."""
    medians = {peer: found.median for peer in peers if (found := summary(case, peer, quantity)) is not None}
    return min(medians, key=medians.__getitem__) if medians else None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A bar and what was seen: ``met`` is None when nothing was demanded or it could not be decided."""

    bar: Bar
    rival: str | None = None
    ratio: Ratio | None = None
    #: the same ratio of 10th percentiles: what is left of it when other work on the machine is least in the way
    quiet: float | None = None
    figure: float | None = None
    met: bool | None = None
    reason: str = ""


def judge(case: CaseResult, bar: Bar) -> Verdict:
    """Decide one bar by the ratio of medians (or the largest peak memory of all runs)."""
    own = values(case, bar.peer, bar.quantity)
    if not own:
        state = case.peers.get(bar.peer)
        return Verdict(bar, reason=f"{bar.peer} {state.status if state and state.status != 'measured' else 'not run'}")
    if bar.quantity == "peak_memory":
        figure = max(own)
        return Verdict(bar, figure=figure, met=None if bar.threshold is None else figure <= bar.threshold)
    rival = best(case, bar.against, bar.quantity)
    if rival is None:
        return Verdict(bar, reason=f"no figure of {' or '.join(bar.against)}")
    # A bar against several peers is only decided when all of them took part: the absent one may be the faster.
    absent = [peer for peer in bar.against if not values(case, peer, bar.quantity)]
    theirs = values(case, rival, bar.quantity)
    ratio = ratio_of_medians(theirs, own) if bar.sense == "faster" else ratio_of_medians(own, theirs)
    quiet = summarise(theirs).p10 / summarise(own).p10
    quiet = quiet if bar.sense == "faster" else 1 / quiet
    if bar.threshold is None or absent:
        return Verdict(bar, rival, ratio, quiet, reason=f"{', '.join(absent)} has no figure" if absent else "")
    met = ratio.value >= bar.threshold if bar.sense == "faster" else ratio.value <= bar.threshold
    return Verdict(bar, rival, ratio, quiet, met=met)


def verdicts(case: CaseResult) -> list[Verdict]:
    return [judge(case, bar) for bar in case.bars]
