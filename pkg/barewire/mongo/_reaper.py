# What happens to cursors that are dropped while they are open on the server. Exhausted and closed ones never come here.
"""Two ways of killing dropped cursors soon: a task of the running loop, or PyMongo's own background thread."""

from __future__ import annotations

import asyncio
from typing import Any

_tasks: set[asyncio.Task[None]] = set()


def async_expect(client: Any) -> None:
    """Nothing to prepare: `async_dropped` needs no task that waits."""


def async_dropped(client: Any) -> None:
    """Called from `__del__`, where nothing can be awaited. Without a running loop the next one, or close(), kills it."""
    try:
        asyncio.get_running_loop().call_soon(_kill_soon, client)
    except RuntimeError:
        pass


def _kill_soon(client: Any) -> None:
    if not client._closed:
        task = asyncio.get_running_loop().create_task(client._process_kill_cursors())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


def blocking_expect(client: Any) -> None:
    """PyMongo's thread that kills cursors must run before one can be dropped: `__del__` may not start threads."""
    if not client._opened:
        client._get_topology()


def blocking_dropped(client: Any) -> None:
    """PyMongo's thread finds it in the client's queue."""
