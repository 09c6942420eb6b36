# Programs that use PostgreSQL, run as processes of their own: how they are started and what they may leave behind.
from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import time

import psycopg

HEAD = """
import asyncio, gc, os, signal, sys, threading, time
import psycopg
import barewire.pg
DSN = sys.argv[1]
# Programs that a shell starts in the background inherit that SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
WARNING = "ResourceWarning: unclosed connection <"


def start(body: str, conninfo: str, *flags: str) -> subprocess.Popen[str]:
    program = HEAD + textwrap.dedent(body)
    return subprocess.Popen(
        [sys.executable, "-X", "dev", *flags, "-u", "-c", program, conninfo],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(body: str, conninfo: str, *, code: int = 0, limit: float = 2.0, unclosed: bool = False) -> str:
    """Runs a program; `limit` is for the time between its line "end" on stdout and its exit.

    Nothing may be written to stderr; with `unclosed` only the warnings of connections that were not closed.
    """
    process = start(body, conninfo, "-W", "error" if not unclosed else "default")
    try:
        output, ended = "", None
        assert process.stdout is not None
        for line in process.stdout:
            output += line
            if line == "end\n":
                ended = time.monotonic()
        _, errors = process.communicate(timeout=30)
        finished = time.monotonic()
    finally:
        process.kill()
    assert process.returncode == code, (process.returncode, output, errors)
    # asyncio's own word on a machine that is busy.
    errors = "".join(line for line in errors.splitlines(True) if not re.match(r"Executing <.* took [0-9.]+ seconds", line))
    if unclosed:
        assert WARNING in errors and "Traceback" not in errors and "Fatal" not in errors, errors
    else:
        assert errors == ""
    assert ended is not None, output
    assert finished - ended < limit, f"exit took {finished - ended:.1f} s"
    return output


def sessions(conninfo: str) -> int:
    """Sessions on the database but for our own, once they had some time to end."""
    with psycopg.connect(conninfo, autocommit=True) as witness:
        for _ in range(100):
            row = witness.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
            if row[0] == 0:
                return 0
            time.sleep(0.05)
        return int(row[0])
