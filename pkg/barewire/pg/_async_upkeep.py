# The timer of an asyncio pool: every few seconds idle connections are looked at. The blocking twin is _upkeep.py.
"""Upkeep of pools on event loops."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

INTERVAL = 5.0


class Upkeep:
    """Calls `pool._maintain()` while the loop runs and the pool lives; keeps neither alive."""

    def __init__(self, pool: Any) -> None:
        self._pool = weakref.ref(pool)
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(INTERVAL, self._run)

    def _run(self) -> None:
        pool = self._pool()
        if pool is None or pool.closed:
            return
        pool._maintain()
        self._timer = self._loop.call_later(INTERVAL, self._run)

    def alive(self) -> bool:
        return not self._loop.is_closed() and not self._timer.cancelled()

    def stop(self) -> None:
        self._timer.cancel()
