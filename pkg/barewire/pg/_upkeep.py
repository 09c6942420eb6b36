# The thread of a blocking pool: every few seconds idle connections are looked at. The asyncio twin is _async_upkeep.py.
"""Upkeep of pools without an event loop."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

INTERVAL = 5.0


class Upkeep:
    """Calls `pool._maintain()` while the pool lives, and does not keep it alive. A daemon thread, so that it ends with the
    program; a fork's child has none and starts its own."""

    def __init__(self, pool: Any) -> None:
        self._ended = threading.Event()
        self._process = os.getpid()
        # The death of the pool is the other end.
        self._pool = weakref.ref(pool, lambda _, ended=self._ended: ended.set())
        threading.Thread(target=_work, args=(self._pool, self._ended), name="barewire.pg pool", daemon=True).start()

    def alive(self) -> bool:
        return self._process == os.getpid() and not self._ended.is_set()

    def stop(self) -> None:
        self._ended.set()


def _work(reference: weakref.ref[Any], ended: threading.Event) -> None:
    while not ended.wait(INTERVAL):
        pool = reference()
        if pool is None or pool.closed:
            return
        pool._maintain()
        del pool
