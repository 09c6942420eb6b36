"""The command line: run, list, show, chart. Measuring and printing live elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from rich.console import Console

from . import results
from .case import Case
from .catalogue import all_cases, select
from .environment import describe
from .peers import PEERS
from .progress import RichWatcher
from .report import show
from .runner import Options, run_case
from .server import describe_server, mongo_server
from .server_postgres import describe_postgres, postgres_server
from .stage import Stage
from .stage_postgres import PostgresStage

Stages = dict[str, "Stage | PostgresStage"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Barewire against its peers.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run cases (a name, or the part before its slash; 'mongo', 'postgres', 'all')")
    run.add_argument("cases", nargs="+", metavar="CASE")
    amount = run.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="fewer and shorter repetitions")
    amount.add_argument("--repetitions", type=int, metavar="N")
    run.add_argument("--mongo", metavar="URI", help="a running server; without it an embedded one is started")
    run.add_argument("--postgres", metavar="CONNINFO", help="the same for PostgreSQL; its user must be a superuser")
    run.add_argument("--json", type=Path, metavar="FILE", help="save the run")
    run.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="event loop of asyncio peers")
    run.add_argument("--peers", metavar="A,B", help=f"only these of: {', '.join(PEERS)}")
    commands.add_parser("list", help="name every case and its question")
    for name, text in (("show", "print a saved run"), ("chart", "draw a saved run")):
        command = commands.add_parser(name, help=text)
        command.add_argument("file", type=Path)
        if name == "chart":
            command.add_argument("--out", type=Path, required=True, metavar="PNG")
    return parser


def _run(arguments: argparse.Namespace, console: Console) -> int:
    cases = select(arguments.cases)
    peers = tuple(arguments.peers.split(",")) if arguments.peers else None
    unknown = [name for name in peers or () if name not in PEERS]
    if unknown:
        raise LookupError(f"no peer {unknown[0]!r}; known: {', '.join(PEERS)}")
    options = Options(quick=arguments.quick, repetitions=arguments.repetitions, loop=arguments.loop, peers=peers)
    with contextlib.ExitStack() as stack:
        stages: Stages = {}
        servers = {}
        if any(case.server == "mongo" for case in cases):
            uri = stack.enter_context(mongo_server(arguments.mongo))
            servers["server"] = describe_server(uri)
            stages["mongo"] = stack.enter_context(contextlib.closing(Stage(uri, servers["server"]["pid"])))
        if any(case.server == "postgres" for case in cases):
            conninfo = stack.enter_context(postgres_server(arguments.postgres))
            servers["postgres"] = describe_postgres(conninfo)
            stages["postgres"] = stack.enter_context(contextlib.closing(PostgresStage(conninfo, servers["postgres"]["pid"])))
        run = results.Run(describe(servers))
        _run_all(run, cases, stages, options, console, arguments.json)
        run.environment["machine"]["load_average_after"] = list(os.getloadavg())
    if arguments.json:
        results.save(run, arguments.json)
    show(run, console)
    return 130 if any(case.interrupted for case in run.cases) else 0


def _run_all(
    run: results.Run, cases: list[Case], stages: Stages, options: Options, console: Console, file: Path | None
) -> None:
    with RichWatcher(console, len(cases)) as watcher:
        for case in cases:
            run.cases.append(run_case(case, stages[case.server] if case.server else None, options, watcher))
            if file is not None:
                results.save(run, file)  # after every case: what is done is kept whatever happens next
            if run.cases[-1].interrupted:
                break
            watcher.finish()


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 2 for bad arguments; 130 after Ctrl-C, with what was measured shown and saved."""
    chosen = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 170)
    try:
        if chosen.command == "list":
            for name, case in all_cases().items():
                console.print(f"[bold]{name:28}[/] {case.question}", highlight=False)
            return 0
        if chosen.command == "run":
            return _run(chosen, console)
        run = results.load(chosen.file)
        if chosen.command == "show":
            show(run, console)
        else:
            from .chart import draw

            draw(run, chosen.out)
            console.print(f"wrote {chosen.out}")
        return 0
    except (LookupError, ValueError, FileNotFoundError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2
