"""Writes figures for people: times with a fitting unit, memory, ratios. No figure is computed here."""

from __future__ import annotations

_TIMES = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0))


def time_unit(nanoseconds: float) -> tuple[str, float]:
    """The unit in which ``nanoseconds`` is at least one, and its size in nanoseconds."""
    for name, size in _TIMES:
        if nanoseconds >= size:
            return name, size
    return _TIMES[-1]


def number(value: float) -> str:
    """Three significant digits, without exponents."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def time(nanoseconds: float, unit: tuple[str, float] | None = None) -> str:
    name, size = unit or time_unit(nanoseconds)
    return f"{number(nanoseconds / size)} {name}"


def memory(amount: float) -> str:
    return f"{number(amount / 1e6)} MB"
