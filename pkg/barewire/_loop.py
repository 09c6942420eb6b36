# One Reactor per running event loop: made on first use, watched by the loop, closed with it. No database lives here.
"""Ties `_core.Reactor` to asyncio-compatible event loops."""

from __future__ import annotations

import asyncio
import os

from barewire import _core


def attach(loop: asyncio.AbstractEventLoop) -> _core.Reactor:
    """A new reactor for `loop`, watched by it. Called by the extension once per loop, on the loop's thread.

    Only the loop holds the reactor (through the callback): when the loop is closed it lets go of it and the reactor
    closes, whatever else is still alive. Raises OSError when the system has no descriptors left.
    """
    reactor = _core.Reactor(loop)
    loop.add_reader(reactor.fileno(), reactor.drain)
    return reactor




if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_core.abandon_reactors)
