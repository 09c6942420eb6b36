# Statements on several asyncio connections at once, as tasks of the running loop. The blocking twin is _together.py.
"""What a load over several connections waits with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any


class Together:
    """For a block: calls on these connections become tasks."""

    def __init__(self, connections: Sequence[Any]) -> None:
        self._kept: BaseException | None = None

    async def __aenter__(self) -> Together:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if value is None and self._kept is not None:
            raise self._kept

    def start(self, call: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(call)

    async def some(self, calls: Sequence[asyncio.Task[Any]], seconds: float) -> None:
        """Until one of them has ended, at most for so long."""
        await asyncio.wait(calls, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def all(self, calls: Sequence[asyncio.Task[Any]], seconds: float) -> None:
        """Until all of them have ended, in whatever way, at most for so long."""
        if calls:
            await asyncio.wait(calls, timeout=seconds)

    async def insist(self, call: asyncio.Task[Any]) -> Any:
        """Its result. A cancellation meanwhile comes out at the end of the block; a second one at once."""
        while not call.done():
            try:
                await asyncio.wait([call])
            except asyncio.CancelledError as raised:
                if self._kept is not None:
                    raise
                self._kept = raised
        return call.result()
