# The demo's results: what is kept of a measurement, the table, the chart and the file; measures nothing.
"""Table, chart and JSON of a run of the demo."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import barewire

OURS = "Barewire"
_COLOURS = {OURS: "#1b9e77", "PyMongo Async": "#7570b3", "Motor": "#d95f02", "asyncpg": "#7570b3", "psycopg": "#d95f02"}


@dataclass
class Series:
    """The times of one client in one operation; seconds per call or per load."""

    client: str
    method: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # of this process, all threads
    correct: bool = True
    failure: str | None = None

    @property
    def label(self) -> str:
        return f"{self.client} {self.method}".strip()

    @property
    def median(self) -> float:
        return statistics.median(self.wall)

    def fail(self, failure: str) -> None:
        self.correct, self.failure = False, failure


@dataclass
class Comparison:
    """One operation, done by every client in turn within each repetition."""

    title: str
    series: list[Series] = field(default_factory=list)
    database: str = ""

    def fastest_peer(self, measure: str) -> float | None:
        """The median of the fastest client that is not ours, in ``wall`` or ``cpu``; None if all failed."""
        peers = (one for one in self.series if one.client != OURS and one.correct)
        return min((statistics.median(getattr(one, measure)) for one in peers), default=None)


def human(seconds: float) -> str:
    """A time with a unit that suits it."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.2f} s"


def _ratio(peer: float | None, value: float) -> str:
    return "" if peer is None or not value else f"{peer / value:.2f}x"


def table(comparisons: Sequence[Comparison], width: int) -> Table:
    """Median, ratio to the fastest peer in wall time and in the client's CPU, correctness; more if it fits."""
    wide = width >= 100
    result = Table(title="Barewire and its peers", title_justify="left")
    result.add_column("operation and client", no_wrap=True)
    names = ("median", "min – max", "ratio", "CPU", "CPU ratio") if wide else ("median", "ratio", "CPU ratio")
    for name in names:
        result.add_column(name, justify="right", no_wrap=True)
    result.add_column("correct", justify="center", no_wrap=True)
    database = ""
    for comparison in comparisons:
        if comparison.database != database:
            database = comparison.database
            result.add_row(database, style="bold underline")
        result.add_row(comparison.title, style="italic")
        wall, cpu = comparison.fastest_peer("wall"), comparison.fastest_peer("cpu")
        for one in comparison.series:
            cells = [f"  {one.label}"]
            if one.wall:
                median_cpu = statistics.median(one.cpu)
                spread = f"{human(min(one.wall))} – {human(max(one.wall))}"
                cells += [human(one.median), spread] if wide else [human(one.median)]
                cells.append(_ratio(wall, one.median))
                cells += [human(median_cpu)] if wide else []
                cells.append(_ratio(cpu, median_cpu))
            else:
                cells += [""] * (5 if wide else 3)
            cells.append("[green]yes[/]" if one.correct else "[red]no[/]")
            result.add_row(*cells, style="bold" if one.client == OURS else "")
        result.add_section()
    return result


def chart(comparisons: Sequence[Comparison], path: Path) -> None:
    """One panel of bars per operation, each on its own scale, starting at zero; a line marks min and max."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = 2
    rows = -(-len(comparisons) // columns)
    figure, panels = pyplot.subplots(rows, columns, figsize=(13, 2.3 * rows), squeeze=False)
    for panel in panels.flat[len(comparisons) :]:
        panel.set_visible(False)
    for panel, comparison in zip(panels.flat, comparisons):
        shown = [one for one in comparison.series if one.wall]
        peer = comparison.fastest_peer("wall")
        medians = [one.median for one in shown]
        below = [one.median - min(one.wall) for one in shown]
        above = [max(one.wall) - one.median for one in shown]
        colours = [_COLOURS.get(one.client, "#666666") for one in shown]
        line = {"ecolor": "#333333", "lw": 1}
        panel.barh(range(len(shown)), medians, xerr=[below, above], color=colours, error_kw=line)
        longest = max((max(one.wall) for one in shown), default=1.0)
        for position, one in enumerate(shown):
            text = human(one.median)
            if one.client == OURS and peer:
                text += f"  ({_ratio(peer, one.median)})"
            if not one.correct:
                text += "  WRONG"
            panel.text(max(one.wall) + longest * 0.02, position, text, va="center", fontsize=9)
        panel.set_yticks(range(len(shown)), [one.label for one in shown], fontsize=9)
        panel.invert_yaxis()
        panel.set_xlim(0, longest * 1.4)
        panel.set_xticks([])
        panel.set_title(f"{comparison.database}: {comparison.title}", fontsize=10, loc="left")
        panel.spines[["top", "right", "bottom"]].set_visible(False)
    figure.suptitle("Median time; in brackets the ratio to the fastest peer", fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def environment() -> dict[str, Any]:
    """What the figures depend on."""
    versions = {"barewire": barewire.__version__}
    versions |= {name: metadata.version(name) for name in ("pymongo", "motor", "asyncpg", "psycopg")}
    return {
        "versions": versions,
        "python": platform.python_version(),
        "python_optimised_build": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "load_average": os.getloadavg(),
    }


def save(comparisons: Sequence[Comparison], about: dict[str, Any], path: Path) -> None:
    """Everything measured, in seconds, as JSON."""
    operations = [
        {
            "database": comparison.database,
            "operation": comparison.title,
            "clients": [
                {
                    "client": one.client,
                    "method": one.method,
                    "wall_seconds": one.wall,
                    "client_cpu_seconds": one.cpu,
                    "correct": one.correct,
                    "failure": one.failure,
                }
                for one in comparison.series
            ],
        }
        for comparison in comparisons
    ]
    path.write_text(json.dumps({"environment": about, "operations": operations}, indent=1) + "\n")


def failures(comparisons: Sequence[Comparison], console: Console) -> int:
    """Print what went wrong; how many series did."""
    wrong = [(comparison, one) for comparison in comparisons for one in comparison.series if not one.correct]
    for comparison, one in wrong:
        console.print(f"[red]{comparison.title}, {one.label}: {one.failure}[/]")
    return len(wrong)
