# The promise that no process of a PostgreSQL server outlives the program, however that ends.
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from barewire.embedded._guard import _children

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc")

_PROGRAM = """
import os, sys, time
import psycopg
from barewire.embedded import PostgresServer
server = PostgresServer(*sys.argv[2:]).start()
# Busy with calculation: such a backend does not look at what happens around it.
connection = psycopg.connect(server.conninfo, autocommit=True)
connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000)")
backend = connection.info.backend_pid
if sys.argv[1] == "fork" and os.fork() == 0:
    time.sleep(60)  # holds every descriptor of the program open
if sys.argv[1] == "pause":
    server.pause()
print(server.pid, backend, server._process._guard.pid, server.path, server.host, flush=True)
if sys.argv[1] == "leave":
    os._exit(0)
time.sleep(60)
"""


def _alive(pid: int) -> bool:
    """Whether the process runs (a zombie has ended)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class _Program:
    """A program with a server and a backend that works; knows every process of the server."""

    def __init__(self, how: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, how, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        server, backend, guard, path, socket_folder = self.process.stdout.readline().split()
        self.process.stdout.close()
        self.server, self.backend, self.guard, self.path = int(server), int(backend), int(guard), Path(path)
        self.socket_folder = Path(socket_folder)
        self.all = [self.server, self.backend, self.guard, *_children(self.server)]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def left(self, seconds: float = 15.0) -> list[int]:
        """The processes that are still there after up to so many seconds."""
        deadline = time.monotonic() + seconds
        while (left := [pid for pid in self.all if _alive(pid)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def end(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def remove_folders(self) -> None:
        """For tests in which nobody is left who would do it."""
        shutil.rmtree(self.path)
        shutil.rmtree(self.socket_folder)


@pytest.mark.parametrize("how", ["sleep", "fork", "pause"])
def test_program_killed(how: str) -> None:
    program = _Program(how)
    try:
        assert _alive(program.backend)
        program.kill()
        assert program.left() == []
        assert not program.path.exists() and not program.socket_folder.exists()
    finally:
        if how == "fork":
            program.end()


def test_program_killed_but_the_data_are_kept() -> None:
    folder = tempfile.mkdtemp(prefix="barewire-test-")
    os.chmod(folder, 0o755)
    program = _Program("sleep", f"{folder}/data")
    program.kill()
    assert program.left() == []
    # Ended in order, not killed: so there is no pid file, and a checkpoint was the last thing written.
    assert (program.path / "PG_VERSION").exists() and not (program.path / "postmaster.pid").exists()
    assert "database system is shut down" in (program.path / "server.log").read_text()
    shutil.rmtree(folder)


def test_program_ends_without_stopping_the_server() -> None:
    program = _Program("leave")
    assert program.process.wait(30) == 0
    assert program.left() == [] and not program.path.exists()


def test_guard_killed() -> None:
    program = _Program("sleep")
    try:
        os.kill(program.guard, signal.SIGKILL)
        assert program.left() == []
    finally:
        program.end()
        program.remove_folders()


def test_server_killed_from_outside() -> None:
    program = _Program("sleep")
    try:
        os.kill(program.server, signal.SIGKILL)
        # The guard ends what the server left.
        assert program.left() == []
    finally:
        program.end()
        program.remove_folders()
