# Statements on several blocking connections at once, driven by the calling thread. The asyncio twin is _async_together.py.
"""What a load over several connections waits with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from barewire import _core


class Together:
    """For a block: calls on these connections give futures instead of values."""

    def __init__(self, connections: Sequence[Any]) -> None:
        self._connections = connections
        self._kept: BaseException | None = None

    def __enter__(self) -> Together:
        self._group = _core.PgTogether(self._connections)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._group.close()
        if value is None and self._kept is not None:
            raise self._kept

    def start(self, call: Any) -> Any:
        return call

    def some(self, calls: Sequence[Any], seconds: float) -> None:
        """Until one of them has ended, at most for so long."""
        self._wait(lambda: any(call.done() for call in calls), seconds)

    def all(self, calls: Sequence[Any], seconds: float) -> None:
        """Until all of them have ended, in whatever way, at most for so long."""
        self._wait(lambda: all(call.done() for call in calls), seconds)

    def insist(self, call: Any) -> Any:
        """Its result. What a signal handler raises meanwhile comes out at the end of the block; a second time at once."""
        while not call.done():
            try:
                self._group.wait(None)
            except BaseException as raised:
                if self._kept is not None:
                    raise
                self._kept = raised
        return call.result()

    def _wait(self, done: Any, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not done():
            left = until - time.monotonic()
            if left <= 0:
                return
            self._group.wait(left)
