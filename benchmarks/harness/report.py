"""Prints a run as tables: figures first by correctness, then the bars. No figure is computed here."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import units
from .peers import PEERS
from .results import CaseResult, Run
from .verdicts import Verdict, best, summary, values, verdicts
from .statistics import ratio_of_medians


def _rival(case: CaseResult) -> str | None:
    """The fastest peer that is neither ours nor native: what the ratio column divides by."""
    others = tuple(n for n in case.peers if not PEERS[n].ours and PEERS[n].kind in ("blocking", "asyncio", "local") and n != "source")
    return best(case, others, "wall")


def case_table(case: CaseResult) -> Table:
    """One row per peer; a peer that is not correct has a reason and no figure."""
    loop = f", loop {case.loop}" if any(PEERS[n].kind == "asyncio" for n in case.peers) else ""
    marks = ", INTERRUPTED" if case.interrupted else ""
    reasons = [f"{n} {p.status}: {p.reason.splitlines()[-1]}" for n, p in case.peers.items() if p.reason]
    table = Table(
        title=f"{case.name}: {case.question} (per {case.unit}, {case.count} per run{loop}{marks})",
        title_justify="left",
        caption="\n".join(map(escape, reasons)) or None,
        caption_justify="left",
    )
    table.add_column("peer", no_wrap=True)
    single = any(values(case, name, "p99") for name in case.peers)
    headings = ["wall median", "min–max", "p10", "client CPU", "server CPU", "peak", "faster", "95 %", "CPU"]
    for heading in headings + (["one: p50", "p99"] if single else []):
        table.add_column(heading, justify="right")
    table.add_column("correct")
    rival = _rival(case)
    for name, peer in case.peers.items():
        wall = summary(case, name, "wall")
        if wall is None:
            table.add_row(name, *[""] * (11 if single else 9), peer.status if peer.status != "measured" else "not run")
            continue
        unit = units.time_unit(wall.median)
        cpu, server = summary(case, name, "cpu"), summary(case, name, "server")
        peak = values(case, name, "peak_memory")
        ratios = ["", "", ""]
        if rival is not None and name != rival:
            ratio = ratio_of_medians(values(case, rival, "wall"), values(case, name, "wall"))
            cpu_ratio = ratio_of_medians(values(case, rival, "cpu"), values(case, name, "cpu"))
            ratios = [f"{ratio.value:.2f}x", f"{ratio.low:.2f}–{ratio.high:.2f}", f"{cpu_ratio.value:.1f}x"]
        elif name == rival:
            ratios[0] = "1"
        table.add_row(
            name,
            units.time(wall.median, unit),
            f"{units.number(wall.minimum / unit[1])}–{units.number(wall.maximum / unit[1])}",
            units.number(wall.p10 / unit[1]),
            units.time(cpu.median) if cpu else "",
            units.time(server.median) if server else "",
            units.memory(max(peak)) if peak else "",
            *ratios,
            *([_median_time(case, name, "p50"), _median_time(case, name, "p99")] if single else []),
            f"yes ({wall.repetitions})",
        )
    return table


def _median_time(case: CaseResult, peer: str, quantity: str) -> str:
    found = summary(case, peer, quantity)
    return units.time(found.median) if found else ""


def verdict_row(case: CaseResult, verdict: Verdict) -> tuple[str, ...]:
    bar = verdict.bar
    if bar.quantity == "peak_memory":
        demand = "stated" if bar.threshold is None else f"<= {units.memory(bar.threshold)}"
        seen = "" if verdict.figure is None else units.memory(verdict.figure)
        interval = quiet = ""
    else:
        sign = ">=" if bar.sense == "faster" else "<="
        demand = "stated" if bar.threshold is None else f"{sign} {bar.threshold:g}x"
        seen = "" if verdict.ratio is None else f"{verdict.ratio.value:.2f}x"
        interval = "" if verdict.ratio is None else f"{verdict.ratio.low:.2f}–{verdict.ratio.high:.2f}"
        quiet = "" if verdict.quiet is None else f"{verdict.quiet:.2f}x"
    word = {True: "[green]met[/]", False: "[red]missed[/]", None: verdict.reason or "-"}[verdict.met]
    return case.name, bar.peer, bar.quantity, verdict.rival or " or ".join(bar.against), seen, interval, quiet, demand, word


def bars_table(run: Run) -> Table | None:
    """All bars of all cases with what was seen; None when the cases have none."""
    table = Table(title="Bars (seen: ratio of medians with its 95 % bootstrap interval; at p10: ratio of 10th percentiles, for judging a noisy run)", title_justify="left")
    for heading in ("case", "peer", "quantity", "against", "seen", "95 %", "at p10", "bar", ""):
        table.add_column(heading, justify="right" if heading in ("seen", "95 %", "at p10", "bar") else "left")
    rows = [verdict_row(case, verdict) for case in run.cases for verdict in verdicts(case)]
    for row in rows:
        table.add_row(*row)
    return table if rows else None


def conditions(run: Run) -> str:
    """The environment in a few lines."""
    python, machine, libraries, server = (run.environment.get(key) or {} for key in ("python", "machine", "libraries", "server"))
    optimised = "with" if python.get("profile_guided") else "WITHOUT"
    lines = [
        f"CPython {python.get('version')} built {optimised} profile-guided optimisation; {machine.get('processor')}, "
        f"{machine.get('usable_cores')} cores, load {machine.get('load_average', ['?'])[0]}, {machine.get('kernel')}",
        ", ".join(f"{name} {libraries.get(name)}" for name in ("pymongo", "motor", "uvloop", "libmongoc"))
        + "".join(f", {name} {libraries[name]}" for name in ("psycopg", "asyncpg", "libpq_of_psycopg") if libraries.get(name))
        + f", barewire {(libraries.get('barewire_module') or {}).get('version')}, bson C extension {libraries.get('bson_c_extension')}",
    ]
    if server:
        lines.append(f"mongod {server.get('version')}, {server.get('topology')}, {server.get('write_concern')}, "
                     f"server CPU clock {'read' if server.get('cpu_clock') else 'not readable'}")
    if postgres := run.environment.get("postgres"):
        settings = ", ".join(f"{name} {value}" for name, value in postgres["settings"].items())
        lines.append(f"PostgreSQL {postgres['version']}, {postgres['connection']}, {settings}, "
                     f"server CPU clock {'read' if postgres['cpu_clock'] else 'not readable'}")
    lines.append(f"revision {str((run.environment.get('revision') or {}).get('commit'))[:12]}")
    return "\n".join(lines)


def show(run: Run, console: Console) -> None:
    console.print(conditions(run), style="dim", markup=False)
    for case in run.cases:
        console.print(case_table(case))
    bars = bars_table(run)
    if bars is not None:
        console.print(bars)
