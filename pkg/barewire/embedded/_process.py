# A server process under the guard: start, signal, wait; the same for every server, knows no protocol.
"""One server process that cannot outlive this program."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .errors import EmbeddedServerError

_GUARD = Path(__file__).with_name("_guard.py")

# A library preloaded into Python (a sanitizer's runtime, say) is not meant for the server.
_NOT_INHERITED = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "PYTHONHOME", "PYTHONPATH")


_GRACE_SECONDS = 15.0  # for a server whose data are kept, to close its files after its program died
_ANSWER_SECONDS = 30.0  # for the guard, which needs milliseconds on a quiet machine


class GuardedProcess:
    """Starts ``command`` under a guard process that ends it when this program ends in any way.

    Args:
        command: the program's absolute path and its arguments.
        log_path: file that gets the program's standard output and error, appended.
        discard: folders to remove if this program dies without waiting for the process.
        user: user id, group id and further groups for the server; None for our own.
        ending: how the server is ended if this program dies: signals with the seconds to wait for each, before
            SIGKILL. By default SIGTERM, or nothing if there are folders to discard.
        death_signal: what the server gets if its guard is killed (Linux).

    Raises:
        EmbeddedServerError: the program or the guard could not be executed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: Path,
        discard: Sequence[Path] = (),
        user: tuple[int, int, list[int]] | None = None,
        ending: Sequence[tuple[int, float]] | None = None,
        death_signal: int = signal.SIGKILL,
    ) -> None:
        if ending is None:
            ending = [] if discard else [(signal.SIGTERM, _GRACE_SECONDS)]
        self.returncode: int | None = None
        self._owner = os.getpid()
        self._pending = b""
        self._guard: subprocess.Popen[bytes] | None = None
        job = {
            "command": [os.fspath(part) for part in command],
            "parent": self._owner,
            "discard": [os.fspath(folder) for folder in discard],
            "user": user,
            "ending": [(int(number), seconds) for number, seconds in ending],
            "death_signal": int(death_signal),
        }
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        with open(log_path, "ab") as log:
            try:
                self._guard = subprocess.Popen(
                    # Isolated and without site-packages: starts in some 30 ms and cannot be led astray by the
                    # program's own modules. A session of its own: Ctrl-C in a terminal is not for the server.
                    [sys.executable, "-I", "-S", os.fspath(_GUARD), json.dumps(job)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    bufsize=0,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise EmbeddedServerError(f"cannot execute Python ({sys.executable!r}): {error}") from error
        report = self._next_report(_ANSWER_SECONDS)
        if report is None or "pid" not in report:
            reason = report["failed"] if report and "failed" in report else "its guard process did not answer"
            self.close()
            raise EmbeddedServerError(f"cannot execute {command[0]}: {reason}")
        self.pid: int = report["pid"]

    @property
    def inherited(self) -> bool:
        """Whether this is the copy in a forked child, which must leave the parent's server alone."""
        return os.getpid() != self._owner

    def _next_report(self, timeout: float) -> dict | None:
        """The guard's next line; None after ``timeout`` seconds or when the guard is gone."""
        deadline = time.monotonic() + timeout
        output = self._guard.stdout.fileno()
        poll = select.poll()
        poll.register(output, select.POLLIN)
        while b"\n" not in self._pending:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return None
            data = os.read(output, 4096)
            if not data:
                # The guard was killed; on Linux the kernel has killed the server with it.
                return {"exit": -9}
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

    def wait(self, timeout: float) -> int | None:
        """Wait up to ``timeout`` seconds; the exit code (negative: the signal that ended it), or None."""
        if self.returncode is None:
            self._ended(self._next_report(timeout))
        return self.returncode

    def _ended(self, report: dict | None) -> None:
        if report is not None and "exit" in report:
            self.returncode = report["exit"]
            self.close()

    def send_signal(self, number: int, *, tree: bool = False) -> None:
        """Send a signal to the server itself, with ``tree`` (on Linux) to its child processes too; nothing happens
        if it has ended."""
        if self.wait(0) is None:
            try:
                # Through the guard, the server's parent: it knows that the process id is still the server's.
                os.write(self._guard.stdin.fileno(), b"%d%s\n" % (number, b" tree" if tree else b""))
            except BrokenPipeError:
                pass  # it has just ended: its last report is there or comes
            self._ended(self._next_report(_ANSWER_SECONDS))

    def close(self) -> None:
        """Let the guard go, which ends the server if it still runs."""
        guard = self._guard
        guard.stdin.close()
        guard.stdout.close()
        guard.wait()
