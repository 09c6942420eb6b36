"""Draws a saved run as a chart: wall per operation of each peer, with the ratio written beside it."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)
from matplotlib.axes import Axes  # noqa: E402

from . import units  # noqa: E402
from .peers import PEERS  # noqa: E402
from .results import CaseResult, Run  # noqa: E402
from .verdicts import best, summary  # noqa: E402

_OURS, _NATIVE, _OTHERS = "#1b7f5c", "#8a8f98", "#c3cad6"
_CPU = "#00000038"


def _colour(peer: str) -> str:
    if PEERS[peer].ours:
        return _OURS
    return _NATIVE if PEERS[peer].kind in ("native", "program") or peer == "source" else _OTHERS


def _draw(axes: Axes, case: CaseResult) -> None:
    found = [(name, wall) for name in case.peers if (wall := summary(case, name, "wall")) is not None]
    unit, size = units.time_unit(min(wall.median for _, wall in found))
    rival = best(case, tuple(n for n, _ in found if _colour(n) == _OTHERS), "wall")
    base = next((wall.median for name, wall in found if name == rival), None)
    widest = max(wall.median for _, wall in found) / size
    for row, (name, wall) in enumerate(reversed(found)):
        median = wall.median / size
        axes.barh(row, median, height=0.66, color=_colour(name))
        cpu = summary(case, name, "cpu")
        if cpu is not None:
            axes.barh(row, cpu.median / size, height=0.18, color=_CPU)
        ratio = f"   {base / wall.median:.2f}x" if base and name != rival else ""
        axes.text(median + widest * 0.012, row, f"{units.number(median)}{ratio}", va="center", fontsize=8.5)
    axes.set_yticks(range(len(found)), [name for name, _ in reversed(found)], fontsize=9)
    axes.set_xlim(0, widest * 1.22)
    axes.set_title(f"{case.name}   {unit} per {case.unit}", loc="left", fontsize=10, fontweight="bold")
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def draw(run: Run, file: Path) -> None:
    """Write ``run`` as a PNG; raises ValueError when no case has a figure."""
    cases = [case for case in run.cases if any(peer.samples for peer in case.peers.values())]
    if not cases:
        raise ValueError("no figure to draw")
    columns = 1 if len(cases) == 1 else 2
    rows = -(-len(cases) // columns)
    bars = max(sum(bool(peer.samples) for peer in case.peers.values()) for case in cases)
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(6.6 * columns, rows * (0.85 + 0.32 * bars) + 0.7), squeeze=False, layout="constrained"
    )
    for axes, case in zip(grid.flat, cases):
        _draw(axes, case)
    for axes in list(grid.flat)[len(cases):]:
        axes.set_visible(False)
    python = run.environment.get("python", {})
    named = (("mongod", run.environment.get("server")), ("PostgreSQL", run.environment.get("postgres")))
    servers = ", ".join(f"{name} {server['version']}" for name, server in named if server)
    figure.suptitle(
        f"Median wall time, lower is better (thin bar: CPU of the client process; factor: against the fastest "
        f"driver in the run)\nCPython {python.get('version')}, "
        f"{servers or 'no server'}",
        fontsize=9, x=0.01, ha="left",
    )
    figure.savefig(file, dpi=130)
    pyplot.close(figure)
