# How the demo measures: contestants in turn, results checked outside of the time; knows no database.
"""Comparisons of clients, shown while they are made."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from demo_report import OURS, Comparison, Series, human
from rich.console import Console
from rich.progress import Progress

#: Client, method, and the operation.
Contestant = tuple[str, str, Callable[[], Awaitable[Any]]]


class Comparer:
    """Makes comparisons and keeps them."""

    def __init__(self, database: str, console: Console, progress: Progress) -> None:
        self.database = database
        self.console = console
        self.progress = progress
        self.comparisons: list[Comparison] = []

    async def compare(
        self,
        title: str,
        repetitions: int,
        contestants: Sequence[Contestant],
        check: Callable[[Any], str | None],
        *,
        calls: int = 1,
        warm_up: bool = True,
    ) -> None:
        """Time every contestant once per repetition, in a rotating order; check each result outside the time.

        Args:
            check: None for a right result, else what is wrong with it.
            calls: the operation does so many calls; times are kept per call.
            warm_up: run each once before, unmeasured.
        """
        comparison = Comparison(title, [Series(client, method) for client, method, _ in contestants], self.database)
        self.comparisons.append(comparison)
        task = self.progress.add_task(title, total=repetitions * len(contestants))
        pairs = list(zip(comparison.series, (run for _, _, run in contestants)))
        for repetition in range(-1 if warm_up else 0, repetitions):
            turn = repetition % len(pairs)
            for series, run in pairs[turn:] + pairs[:turn]:
                if series.correct:
                    self.progress.update(task, description=f"{title} · {series.label}")
                    await self._once(series, run, check, calls, kept=repetition >= 0)
                if repetition >= 0:
                    self.progress.advance(task)
        self.progress.update(task, description=title)
        peer = comparison.fastest_peer("wall")
        parts = []
        for one in comparison.series:
            text = human(one.median) if one.wall else "failed"
            if one.client == OURS and one.wall and peer:
                text = f"[bold]{text} ({peer / one.median:.2f}x)[/]"
            parts.append(f"{one.label} {text}")
        self.console.print(f"[dim]{title}:[/] " + ", ".join(parts), highlight=False)

    async def _once(
        self,
        series: Series,
        run: Callable[[], Awaitable[Any]],
        check: Callable[[Any], str | None],
        calls: int,
        *,
        kept: bool,
    ) -> None:
        gc.collect()
        try:
            wall, cpu = time.perf_counter(), time.process_time()
            result = await run()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            wrong = check(result)
        except Exception as error:  # a client that fails is a result; the others go on
            wrong = f"{type(error).__name__}: {error}"
        if wrong is not None:
            series.fail(wrong)
        elif kept:
            series.wall.append(wall / calls)
            series.cpu.append(cpu / calls)
