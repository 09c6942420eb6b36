# One Reactor per running event loop: made on first use, watched by the loop, closed with it. No database lives here.
"""Ties `_core.Reactor` to asyncio-compatible event loops."""

from __future__ import annotations

import asyncio
import os
import selectors
import types
from typing import Any

from barewire import _core

#: Private names of asyncio that are looked at, here and in csrc/bind/in_place.cpp. Where one is missing, nothing waits in place.
LOOP_NAMES = ("_ready", "_scheduled", "_selector", "_stopping", "_task_factory", "_thread_id")
TASK_NAMES = ("_must_cancel",)
TIMER_NAMES = ("_when",)


def attach(loop: asyncio.AbstractEventLoop) -> _core.Reactor:
    """A new reactor for `loop`, watched by it. Called by the extension once per loop, on the loop's thread.

    Only the loop holds the reactor (through the callback): when the loop is closed it lets go of it and the reactor
    closes, whatever else is still alive. Raises OSError when the system has no descriptors left.
    """
    reactor = _core.Reactor(loop)
    loop.add_reader(reactor.fileno(), reactor.drain)
    if can_wait_in_place(loop):
        reactor.wait_in_place_with(loop._ready, loop._selector.fileno(), current_task_function(), asyncio.Task)
    return reactor


def can_wait_in_place(loop: Any) -> bool:
    """Whether `loop` is asyncio's own selector loop on epoll, whose queue, timers and selector can be looked at."""
    return (
        type(loop) is asyncio.SelectorEventLoop
        and all(hasattr(loop, name) for name in LOOP_NAMES)
        and type(loop._selector) is getattr(selectors, "EpollSelector", None)
    )


def current_task_function() -> Any:
    """`asyncio.current_task`, or what it calls where it is written in Python (before CPython 3.12)."""
    if isinstance(asyncio.current_task, types.BuiltinFunctionType):
        return asyncio.current_task
    tasks = getattr(asyncio.tasks, "_current_tasks", None)
    return tasks.get if type(tasks) is dict else asyncio.current_task


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_core.abandon_reactors)
