"""Bars: what a case must reach, as data. Whether it was reached is decided in verdicts.py."""

from __future__ import annotations

import dataclasses
from typing import Literal

from .peers import ASYNC_INCUMBENTS

Quantity = Literal["wall", "cpu", "p99", "peak_memory"]
Sense = Literal["faster", "at_most"]


@dataclasses.dataclass(frozen=True)
class Bar:
    """One demand on ``peer``.

    sense "faster": time of the best of ``against`` divided by the time of ``peer`` must be at least ``threshold``.
    sense "at_most": time of ``peer`` divided by that of the best of ``against`` must be at most ``threshold``;
    for peak_memory the figure itself, in bytes, must be at most ``threshold``.
    A ``threshold`` of None states the ratio without demanding anything.
    """

    peer: str
    against: tuple[str, ...]
    quantity: Quantity
    threshold: float | None
    sense: Sense = "faster"


def faster(peer: str, against: tuple[str, ...] | str, wall: float | None = None, cpu: float | None = None) -> list[Bar]:
    """Bars on wall and/or client CPU against the best of ``against``."""
    others = (against,) if isinstance(against, str) else against
    demands: list[tuple[Quantity, float | None]] = [("wall", wall), ("cpu", cpu)]
    return [Bar(peer, others, quantity, value) for quantity, value in demands if value is not None]


def faster_than_both(wall: float, cpu: float | None = None, peer: str = "barewire-async") -> list[Bar]:
    """Bars against the faster of PyMongo Async and Motor, each quantity against the better one in that quantity."""
    return faster(peer, ASYNC_INCUMBENTS, wall, cpu)


def at_most(peer: str, against: tuple[str, ...] | str, **demands: float) -> list[Bar]:
    """Bars the other way round, by quantity: ``at_most("ours", "theirs", wall=0.5, cpu=0.3)``."""
    others = (against,) if isinstance(against, str) else against
    return [Bar(peer, others, quantity, value, "at_most") for quantity, value in demands.items()]  # type: ignore[arg-type]


def near_native(*peers: str, threshold: float | None = 1.05, native: str = "native") -> list[Bar]:
    """Wall of ``peers`` at most ``threshold`` times that of the native floor; None only states the ratio."""
    return [Bar(peer, (native,), "wall", threshold, "at_most") for peer in peers]
