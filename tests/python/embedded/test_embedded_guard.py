# The promise that a server never outlives its program, however that ends.
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_PROGRAM = """
import os, sys, time
from barewire.embedded import MongoServer
server = MongoServer(*sys.argv[2:], replica_set=False).start()
if sys.argv[1] == "fork" and os.fork() == 0:
    time.sleep(60)  # holds every descriptor of the program open
print(server.pid, server._process._guard.pid, server.path, flush=True)
if sys.argv[1] == "leave":
    sys.exit()
if sys.argv[1] == "fail":
    raise SystemExit(3)
time.sleep(60)
"""

_THREAD_PROGRAM = """
import threading, time
from barewire.embedded import MongoServer
server = MongoServer(replica_set=False)
thread = threading.Thread(target=server.start)
thread.start(); thread.join()
time.sleep(1.5)
assert server.running
server.stop()
print("ran on")
"""


def _gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends within this time (a zombie has ended)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if sys.platform.startswith("linux"):
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                if state == "Z":
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def _start(how: str, *arguments: str) -> tuple[subprocess.Popen, int, int, Path]:
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, how, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    server, guard, path = program.stdout.readline().split()
    program.stdout.close()
    return program, int(server), int(guard), Path(path)


def _end(program: subprocess.Popen) -> None:
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()


@pytest.mark.parametrize("how", ["sleep", "fork"])
def test_program_killed(how: str) -> None:
    program, server, guard, path = _start(how)
    try:
        program.kill()
        program.wait()
        assert _gone(server) and _gone(guard)
        assert not path.exists()
    finally:
        if how == "fork":
            _end(program)


def test_program_killed_but_the_data_are_kept(tmp_path) -> None:
    program, server, guard, path = _start("sleep", str(tmp_path))
    program.kill()
    program.wait()
    assert _gone(server) and _gone(guard)
    assert path == tmp_path
    # Ended in order, not killed: so its lock file is empty.
    assert (tmp_path / "mongod.lock").read_bytes() == b""


@pytest.mark.parametrize("how", ["leave", "fail"])
def test_program_ends_without_stopping_the_server(how: str) -> None:
    program, server, guard, path = _start(how)
    assert program.wait(30) == (3 if how == "fail" else 0)
    assert _gone(server) and _gone(guard)
    assert not path.exists()


def test_paused_server_of_a_killed_program() -> None:
    program, server, guard, path = _start("sleep")
    os.kill(server, signal.SIGSTOP)
    program.kill()
    program.wait()
    assert _gone(server) and _gone(guard) and not path.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ties a child to its parent")
def test_guard_killed(tmp_path) -> None:
    program, server, guard, _ = _start("sleep", str(tmp_path))  # nobody is left who would remove a temporary one
    try:
        os.kill(guard, signal.SIGKILL)
        assert _gone(server)
    finally:
        _end(program)


def test_guard_asked_to_end() -> None:
    program, server, guard, path = _start("sleep")
    try:
        os.kill(guard, signal.SIGTERM)
        assert _gone(server) and _gone(guard) and not path.exists()
    finally:
        _end(program)


def test_ctrl_c_in_the_terminal_does_not_reach_the_server() -> None:
    program, server, guard, _ = _start("sleep")
    try:
        assert os.getsid(guard) == guard != os.getsid(program.pid)
        assert os.getsid(server) == guard
    finally:
        _end(program)
    assert _gone(server)


def test_server_outlives_the_thread_that_started_it() -> None:
    done = subprocess.run([sys.executable, "-c", _THREAD_PROGRAM], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("ran on", 0), done.stderr
