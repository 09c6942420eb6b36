"""Controller's end of a peer's process: Python peers over a socket, native peers over a line protocol."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from .case import Case, Work
from .clocks import Sample
from .peers import Missing, Peer
from .program import ProgramProcess
from .worker import Assignment


_ROOT = Path(__file__).resolve().parents[2]


class PeerFailed(Exception):
    """The peer raised or its process died; the text is what it said."""


class PeerProcess(Protocol):
    def run(self, work: Work) -> tuple[Sample, dict[str, Any]]: ...

    def close(self) -> None: ...


def _environment() -> dict[str, str]:
    """The controller's, with this package importable and one hash seed: no peer is luckier with its dicts."""
    path = os.pathsep.join(filter(None, (os.fspath(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}


class PythonProcess:
    """A worker process; raises Missing or PeerFailed when it cannot serve."""

    def __init__(self, assignment: Assignment) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # A session of its own keeps the terminal's Ctrl-C away from it; the end of the socket ends it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.harness.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                env=_environment(),
            )
        self._pipe = Connection(ours.detach())
        try:
            self._pipe.send(assignment)
            self._receive()
        except BaseException:
            self.close()
            raise

    def _receive(self) -> tuple[Any, ...]:
        try:
            message = self._pipe.recv()
        except (EOFError, ConnectionError):
            raise PeerFailed(f"its process ended with code {self._process.wait()}") from None
        if message[0] == "missing":
            raise Missing(message[1])
        if message[0] == "failed":
            raise PeerFailed(message[1])
        return message

    def run(self, work: Work) -> tuple[Sample, dict[str, Any]]:
        try:
            self._pipe.send(work)
        except BrokenPipeError:
            raise PeerFailed(f"its process ended with code {self._process.wait()}") from None
        _, sample, outcome = self._receive()
        return sample, outcome

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._pipe.close()
        _end(self._process)


class NativeProcess:
    """A native program of benchmarks/cpp, asked by lines.

    ``run OPERATION SIZE COUNT TOKEN THOROUGH`` is answered by ``sample WALL_NS CPU_NS SERVER_NS DIGEST`` or ``error TEXT``.
    """

    def __init__(self, program: str, case: Case, assignment: Assignment) -> None:
        assert case.native is not None
        self._operation, self._size = case.native
        arguments = [program, assignment.uri, assignment.database, case.collection, str(assignment.server_pid or 0)]
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True
        )
        try:
            self._receive()
        except BaseException:
            self.close()
            raise

    def _receive(self) -> list[str]:
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(f"its process ended with code {self._process.wait()}")
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "error":
            raise PeerFailed(rest)
        return rest.split()

    def run(self, work: Work) -> tuple[Sample, dict[str, Any]]:
        try:
            self._process.stdin.write(
                f"run {self._operation} {self._size} {work.count} {work.token} {int(work.thorough)}\n"
            )
        except BrokenPipeError:
            raise PeerFailed(f"its process ended with code {self._process.wait()}") from None
        wall, cpu, server, digest = self._receive()
        sample = Sample(count=work.count, wall_ns=int(wall), cpu_ns=int(cpu), server_ns=int(server) or None)
        return sample, {} if digest == "-" else {"digest": digest}

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        _end(self._process)
        self._process.stdout.close()


def _end(process: subprocess.Popen) -> None:
    """Waits for a process that was told to stop; ends it if it does not."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start(peer: Peer, case: Case, assignment: Assignment) -> PeerProcess:
    """Starts the process of ``peer`` for ``case``; raises Missing or PeerFailed."""
    if peer.kind == "program":
        return ProgramProcess(peer, case, assignment)
    if peer.kind != "native":
        return PythonProcess(assignment)
    if case.native is None:
        raise Missing("this case has no native program")
    from .native_build import native_program

    return NativeProcess(os.fspath(native_program(peer.server)), case, assignment)
