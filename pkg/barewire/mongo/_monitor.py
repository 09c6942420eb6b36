# PyMongo's monitors without I/O of their own: what the engine's monitors learn is handed to PyMongo's topology.
"""`EngineMonitor` and its blocking twin, and the feeder each topology has: one task, or one daemon thread."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Any

from barewire.mongo._errors import server_descriptions
from barewire.mongo._seam import AsyncMonitor, Monitor

if TYPE_CHECKING:
    from barewire.mongo._engine import Link

# Seconds between two looks at the engine's epoch (one atomic load): short while servers are unknown.
_FIRST_LOOK = 0.002
_SLOWEST_LOOK = 0.25


def async_monitor(link: Link, **arguments: Any) -> Any:
    """What PyMongo gets as its monitor class."""
    return AsyncMonitor(**arguments) if link.engine is None else EngineMonitor(link, AsyncFeeder, arguments["topology"])


def blocking_monitor(link: Link, **arguments: Any) -> Any:
    return Monitor(**arguments) if link.engine is None else BlockingEngineMonitor(link, Feeder, arguments["topology"])


class _Feeder:
    """Repeats what the engine knows into one PyMongo topology, for as long as one of its monitors is open."""

    def __init__(self, link: Link, topology: Any) -> None:
        self._link = link
        self._topology = weakref.ref(topology)
        self._open: set[int] = set()  # ids of open monitors
        self._again = True  # PyMongo doubts what it knows: tell it again

    def opened(self, monitor: Any) -> None:
        self._open.add(id(monitor))
        self._link.engine.open_topology()
        self._start()

    def closed(self, monitor: Any) -> None:
        self._open.discard(id(monitor))
        if not self._open:
            self._stop()

    def check(self) -> None:
        self._again = True
        self._link.engine.check_now()

    def _start(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def _news(self, seen: int) -> tuple[int, list[Any]]:
        """The epoch and, if it is above `seen` or PyMongo asked, the servers."""
        engine = self._link.engine
        if not self._again and not engine.wait_topology(seen, 0):
            return seen, []
        self._again = False
        view = engine.topology()
        return view["epoch"], server_descriptions(self._link, view)

    @staticmethod
    def _settled(topology: Any) -> bool:
        return topology.description.has_known_servers


class AsyncFeeder(_Feeder):
    _task: asyncio.Task[None] | None = None

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="barewire_topology_feeder")

    def _stop(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def join(self) -> None:
        if self._task is not None and not self._open:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        seen, pause = 0, _FIRST_LOOK
        while self._open and not self._link.closed:
            topology = self._topology()
            if topology is None:
                return
            if self._again:
                pause = _FIRST_LOOK
            seen, servers = self._news(seen)
            for server in servers:
                await topology.on_change(server)
            for server in servers[1:]:  # members that the primary's hello has only just added
                await topology.on_change(server)
            settled = self._settled(topology)
            del topology
            await asyncio.sleep(pause)
            pause = min(pause * (4 if settled else 1.5), _SLOWEST_LOOK)


class Feeder(_Feeder):
    _thread: threading.Thread | None = None

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="barewire_topology_feeder", daemon=True)
            self._thread.start()

    def _stop(self) -> None:
        pass  # the thread sees it by itself

    def join(self) -> None:
        thread = self._thread
        if thread is not None and not self._open and thread is not threading.current_thread():
            thread.join(2 * _SLOWEST_LOOK)

    def _run(self) -> None:
        seen, pause = 0, _FIRST_LOOK
        while self._open and not self._link.closed:
            topology = self._topology()
            if topology is None:
                return
            if self._again:
                pause = _FIRST_LOOK
            seen, servers = self._news(seen)
            for server in servers:
                topology.on_change(server)
            for server in servers[1:]:
                topology.on_change(server)
            settled = self._settled(topology)
            del topology, servers
            self._link.engine.wait_topology(seen, int(pause * 1000) or 1)
            pause = min(pause * (4 if settled else 1.5), _SLOWEST_LOOK)


class _EngineMonitor:
    """The members that PyMongo's Server and Topology use."""

    def __init__(self, link: Link, feeder_class: type[_Feeder], topology: Any) -> None:
        # Kept on the topology itself: PyMongo's topologies compare equal when their seeds do.
        feeder = getattr(topology, "barewire_feeder", None)
        if feeder is None:
            feeder = topology.barewire_feeder = feeder_class(link, topology)
        self._feeder = feeder

    def open(self) -> None:
        self._feeder.opened(self)

    def gc_safe_close(self) -> None:
        self._feeder.closed(self)

    def request_check(self) -> None:
        self._feeder.check()

    def cancel_check(self) -> None:
        self._feeder.check()


class EngineMonitor(_EngineMonitor):
    async def close(self) -> None:
        self._feeder.closed(self)

    async def join(self) -> None:
        await self._feeder.join()


class BlockingEngineMonitor(_EngineMonitor):
    def close(self) -> None:
        self._feeder.closed(self)

    def join(self) -> None:
        self._feeder.join()
