"""The server's CPU: its own, that of its child processes, and that of those that have ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks.harness.clocks import ServerClock

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

# A server with one process per connection: works itself, has a child that works and waits, and one that works and ends.
_SERVER = """
import os, sys, time

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

print(flush=True)
sys.stdin.readline()
burn(0.1)
ended = os.fork()
if ended == 0:
    burn(0.2)
    os._exit(0)
os.waitpid(ended, 0)
if os.fork() == 0:
    burn(0.3)
    print("worked", flush=True)
    time.sleep(60)
    os._exit(0)
time.sleep(60)
"""


def test_children_count_living_and_ended() -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        server.stdout.readline()
        clock = ServerClock(server.pid)
        before = clock.read()
        server.stdin.write("\n")
        server.stdin.flush()
        assert server.stdout.readline() == "worked\n"
        used = (clock.read() - before) / 1e9
        assert used == pytest.approx(0.6, abs=0.06)
        time.sleep(0.1)
        assert (clock.read() - before) / 1e9 == pytest.approx(used, abs=0.03)  # nobody works any more
    finally:
        os.killpg(server.pid, 9)
        server.communicate()


def test_no_such_process() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(OSError):
        ServerClock(ended.pid)
