"""Live progress on the terminal, with the time left. Nothing of the result is shown here."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .case import Case


class RichWatcher:
    """One line for all cases and one for the case under way."""

    def __init__(self, console: Console, cases: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._all = self._progress.add_task("cases", total=cases)
        self._case: TaskID | None = None
        self._name = ""

    def __enter__(self) -> "RichWatcher":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, case: Case, steps: int) -> None:
        if self._case is not None:
            self._progress.remove_task(self._case)
        self._name = case.name
        self._case = self._progress.add_task(case.name, total=steps)

    def step(self, text: str) -> None:
        if self._case is not None:
            self._progress.update(self._case, advance=1, description=f"{self._name} · {text}")

    def finish(self) -> None:
        self._progress.update(self._all, advance=1)
