"""Peers that are programs run anew for every request, as pgbench: started, timed by their own report, watched by CPU."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import Any

from .case import Case, Work
from .clocks import Sample, ServerClock
from .peers import Missing, Peer
from .worker import Assignment


class ProgramFailed(Exception):
    """It ended with an error; the text is what it said."""


class ProgramProcess:
    """Looks like the process of a peer, but there is one process per run."""

    def __init__(self, peer: Peer, case: Case, assignment: Assignment) -> None:
        self._peer, self._case, self._assignment = peer, case, assignment
        self._clock = ServerClock(assignment.server_pid) if assignment.server_pid else None
        if not hasattr(case, "program"):
            raise Missing("this case has no such program")
        case.program(peer, assignment.uri, Work(1, 0, False))  # raises Missing

    def run(self, work: Work) -> tuple[Sample, dict[str, Any]]:
        command: list[str] = self._case.program(self._peer, self._assignment.uri, work)  # type: ignore[attr-defined]
        before = self._clock.read() if self._clock else 0
        with tempfile.TemporaryFile() as output:
            started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(started.pid, 0)
            started.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read().decode("utf-8", "replace")
        if started.returncode != 0:
            raise ProgramFailed(text.strip()[-600:])
        wall, details = self._case.program_report(text, work)  # type: ignore[attr-defined]
        return (
            Sample(
                count=work.count,
                wall_ns=wall,
                cpu_ns=int((used.ru_utime + used.ru_stime) * 1e9),
                server_ns=self._clock.read() - before if self._clock else None,
                **details,
            ),
            {},
        )

    def close(self) -> None:
        """Nothing is left between runs."""
