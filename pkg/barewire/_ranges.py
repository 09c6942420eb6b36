# Ranges of positions, as the errors of bulk loads tell them; no database may appear here.
"""(first, behind the last) pairs: joined where they touch, and as text."""

from __future__ import annotations

from collections.abc import Iterable

Ranges = list[tuple[int, int]]


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    out: Ranges = []
    for first, end in sorted(ranges):
        if first == end:
            continue
        if out and out[-1][1] >= first:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((first, end))
    return out


def text(ranges: Ranges) -> str:
    """"positions 0-9, 12", at most twenty ranges of them."""
    shown = ", ".join(str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in ranges[:20])
    return f"positions {shown}{', ...' if len(ranges) > 20 else ''}" if ranges else "none"
