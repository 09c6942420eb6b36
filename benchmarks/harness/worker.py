"""The process of one Python peer: opens its client, then answers requests from the controller until told to stop.

Started as ``python -m benchmarks.harness.worker FD``; FD is a socket on which pickled messages go both ways. Only
what the peer needs is imported here, so that CPU and memory of the process are the peer's own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from .case import Case, Work
from .catalogue import find_case
from .clients import accelerate
from .clocks import Stopwatch
from .peers import PEERS, Missing, Peer


@dataclasses.dataclass
class Assignment:
    """What the controller wants this process to be."""

    case: str
    peer: str
    uri: str | None = None
    database: str | None = None
    server_pid: int | None = None
    loop: str = "asyncio"


def _failure(error: BaseException) -> tuple[str, str]:
    return "failed", "".join(traceback.format_exception(error)[-4:]).strip()


def _answer(case: Case, peer: Peer, work: Work, result: Any, watch: Stopwatch) -> tuple[str, Any, dict[str, Any]]:
    sample = watch.sample(work.count)
    if latencies := sorted(case.latencies(result) or ()):
        sample.p50_ns = latencies[len(latencies) // 2]
        sample.p99_ns = latencies[len(latencies) * 99 // 100]
    return "sample", sample, case.outcome(peer, work, result)


def serve_blocking(pipe: Connection, case: Case, peer: Peer, assignment: Assignment) -> None:
    """Blocking and local peers."""
    if peer.kind == "local":
        if peer.accelerated:
            accelerate()
        case.setup(peer, None)
        _loop_blocking(pipe, case, peer, None, None)
        return
    with _openers(peer).open_blocking(peer, case, assignment.uri, assignment.database) as target:
        case.setup(peer, target)
        _loop_blocking(pipe, case, peer, target, assignment.server_pid)


def _openers(peer: Peer) -> Any:
    """The module that opens this kind of peer; only that one is imported here."""
    return importlib.import_module("benchmarks.harness.clients_postgres" if peer.server == "postgres" else "benchmarks.harness.clients")


def _loop_blocking(pipe: Connection, case: Case, peer: Peer, target: Any, server_pid: int | None) -> None:
    pipe.send(("ready",))
    while (work := pipe.recv()) is not None:
        try:
            work.input = case.load(peer, work)
            with Stopwatch(server_pid) as watch:
                if target is None:
                    result = case.run_local(peer, work)
                else:
                    result = case.run_blocking(peer, target, work)
            pipe.send(_answer(case, peer, work, result, watch))
        except Exception as error:  # reported to the controller, which drops the peer
            pipe.send(_failure(error))


async def serve_asyncio(pipe: Connection, case: Case, peer: Peer, assignment: Assignment) -> None:
    """Asyncio peers; between requests the loop keeps running, so heartbeats go on as in a real program."""
    opened = _openers(peer).open_asyncio(peer, case, assignment.uri, assignment.database)
    async with opened as target:
        case.setup(peer, target)
        pipe.send(("ready",))
        while (work := await _receive(pipe)) is not None:
            try:
                work.input = case.load(peer, work)
                with Stopwatch(assignment.server_pid) as watch:
                    result = await case.run_asyncio(peer, target, work)
                pipe.send(_answer(case, peer, work, result, watch))
            except Exception as error:  # reported to the controller, which drops the peer
                pipe.send(_failure(error))


async def _receive(pipe: Connection) -> Any:
    """Waits for the next message without a thread and without a reader left on the loop while work is timed."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(pipe.fileno(), lambda: readable.done() or readable.set_result(None))
    try:
        await readable
    finally:
        loop.remove_reader(pipe.fileno())
    return pipe.recv()


def _run_asyncio(main: Any, loop: str) -> None:
    if loop == "uvloop":
        try:
            import uvloop
        except ImportError as error:
            raise Missing(f"uvloop: {error}") from error
        event_loop = uvloop.new_event_loop()
    else:
        event_loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(event_loop)
        event_loop.run_until_complete(main)
        event_loop.run_until_complete(event_loop.shutdown_asyncgens())
    finally:
        event_loop.close()


def main(descriptor: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's affair
    pipe = Connection(descriptor)
    try:
        assignment: Assignment = pipe.recv()
        case, peer = find_case(assignment.case), PEERS[assignment.peer]
        _openers(peer).check_c_extensions()
        if peer.kind == "asyncio":
            _run_asyncio(serve_asyncio(pipe, case, peer, assignment), assignment.loop)
        else:
            serve_blocking(pipe, case, peer, assignment)
    except Missing as error:
        pipe.send(("missing", str(error)))
    except (EOFError, BrokenPipeError):
        pass  # the controller is gone
    except Exception as error:
        pipe.send(_failure(error))


if __name__ == "__main__":
    # Under "-m" this file is module __main__; messages are pickled by the importable name.
    from benchmarks.harness import worker

    worker.main(int(sys.argv[1]))
