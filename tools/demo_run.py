# The demo's frame: options, the input, one part per database, the table and the files; measures nothing itself.
"""Loads 336,776 real flights into embedded servers and reads them back with Barewire and its peers; results are compared."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import gc
import sys
from pathlib import Path

from demo_flights import TOTAL, read_flights
from demo_mongo import run_mongo
from demo_postgres import run_postgres
from demo_report import chart, environment, failures, save, table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_PARTS = {"mongo": run_mongo, "postgres": run_postgres}


async def run(arguments: argparse.Namespace, console: Console) -> int:
    """The whole demo; the exit code."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    comparisons, about = [], environment()
    # A slow refresh: drawing takes processor time from whoever is being measured.
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        task = progress.add_task("reading the flights", total=1)
        flights = read_flights(arguments.flights)
        progress.update(task, completed=1)
        # The input is not what is measured: the garbage collector shall not walk it for any client.
        gc.collect()
        gc.freeze()
        about["flights"] = len(flights)
        for name in arguments.databases:
            made, found = await _PARTS[name](flights, arguments, console, progress)
            comparisons += made
            about |= found
    console.print()
    console.print(table(comparisons, console.width))
    console.print(
        "ratio: median of the fastest peer divided by this median. CPU: processor time of this process, without the "
        "server's. By key: per call. correct: what was stored or found equals what PyMongo's or psycopg's blocking "
        "client says.",
        style="dim",
    )
    if not about["python_optimised_build"]:
        console.print("This Python was built without profile-guided optimisation.", style="dim")
    arguments.results.mkdir(parents=True, exist_ok=True)
    stem = arguments.results / f"flights-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    save(comparisons, about, stem.with_suffix(".json"))
    chart(comparisons, stem.with_suffix(".png"))
    for what, suffix in (("figures", ".json"), ("chart", ".png")):
        console.print(f"{what}: {stem.with_suffix(suffix)}", highlight=False, soft_wrap=True)
    return 1 if failures(comparisons, console) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/demo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50,000 flights, fewer repetitions")
    parser.add_argument("--only", choices=list(_PARTS), help="one database")
    parser.add_argument("--flights", type=int, metavar="N", help=f"how many of the {TOTAL:,} flights")
    parser.add_argument("--repetitions", type=int, metavar="N", help="of each read")
    parser.add_argument("--load-repetitions", type=int, metavar="N", help="of each load")
    parser.add_argument("--results", type=Path, default=Path("demo-results"), help="folder of the results")
    arguments = parser.parse_args()
    quick = arguments.quick
    arguments.databases = [arguments.only] if arguments.only else list(_PARTS)
    arguments.flights = arguments.flights or (50_000 if quick else TOTAL)
    arguments.repetitions = arguments.repetitions or (5 if quick else 7)
    arguments.load_repetitions = arguments.load_repetitions or 3
    sizes = (10_000,) if quick else (10_000, 100_000)
    arguments.find = [size for size in sizes if size <= arguments.flights]
    if min(arguments.flights, arguments.repetitions, arguments.load_repetitions) < 1:
        parser.error("numbers must be positive")
    return arguments


def main() -> int:
    console = Console()
    try:
        return asyncio.run(run(_arguments(), console))
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
