"""Clocks: wall, CPU of this process, CPU of another process, peak memory. No measuring loop lives here."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import time

# Linux encodes "CPU clock of process PID" in a clock id: the complement of the pid, shifted by three, with type 2
# (CPUCLOCK_SCHED, nanoseconds of scheduler time, all threads). See clock_getcpuclockid(3).
_SCHEDULER_CLOCK = 2


def process_cpu_clock(pid: int) -> int:
    """The clock id of process ``pid`` for ``time.clock_gettime_ns``; raises OSError where there is none."""
    clock = ((~pid) << 3) | _SCHEDULER_CLOCK
    time.clock_gettime_ns(clock)
    return clock


class ServerClock:
    """CPU of a server in nanoseconds: its process, the child processes it has now, and those it has waited for (these
    to a hundredth of a second). A server of one process per connection spends its time in them.

    Raises OSError where there is no such process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._own = process_cpu_clock(pid)
        self._tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def read(self) -> int:
        total = time.clock_gettime_ns(self._own)
        with contextlib.suppress(OSError):
            with open(f"/proc/{self._pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            total += (int(fields[13]) + int(fields[14])) * self._tick
        children: list[bytes] = []
        with contextlib.suppress(OSError), open(f"/proc/{self._pid}/task/{self._pid}/children", "rb") as file:
            children = file.read().split()
        for child in children:
            with contextlib.suppress(OSError):  # it ended meanwhile
                total += time.clock_gettime_ns(process_cpu_clock(int(child)))
        return total


def peak_memory_bytes() -> int | None:
    """The largest resident set of this process since its start (VmHWM), or None where /proc has none."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


@dataclasses.dataclass
class Sample:
    """One timed run of one peer. Times are nanoseconds for the whole run, ``count`` is the operations in it."""

    count: int
    wall_ns: int
    cpu_ns: int
    server_ns: int | None = None
    peak_memory: int | None = None
    gc_enabled: bool | None = None
    #: of single operations within the run, nanoseconds; only where a case keeps them
    p50_ns: float | None = None
    p99_ns: float | None = None


class Stopwatch:
    """Reads wall, own CPU and server CPU on both sides of a block::

        with Stopwatch(server_pid) as watch: ...
        watch.sample(count)

    The garbage collector runs once before the clocks are read and keeps the state the process had.
    """

    def __init__(self, server_pid: int | None = None) -> None:
        self._server_clock = ServerClock(server_pid) if server_pid else None
        self._before = self._after = (0, 0, 0)

    def _server(self) -> int:
        return self._server_clock.read() if self._server_clock is not None else 0

    def __enter__(self) -> "Stopwatch":
        gc.collect()
        # The server's clocks take a moment to read: they stay outside of the wall time on both sides.
        server = self._server()
        cpu = time.process_time_ns()
        self._before = (time.perf_counter_ns(), cpu, server)
        return self

    def __exit__(self, *exception: object) -> None:
        wall = time.perf_counter_ns()
        cpu = time.process_time_ns()
        self._after = (wall, cpu, self._server())

    def sample(self, count: int) -> Sample:
        wall, cpu, server = (after - before for after, before in zip(self._after, self._before))
        return Sample(
            count=count,
            wall_ns=wall,
            cpu_ns=cpu,
            server_ns=server if self._server_clock is not None else None,
            peak_memory=peak_memory_bytes(),
            gc_enabled=gc.isenabled(),
        )
