"""Clocks: wall, CPU of this process, CPU of another process, peak memory. No measuring loop lives here."""

from __future__ import annotations

import dataclasses
import gc
import time

# Linux encodes "CPU clock of process PID" in a clock id: the complement of the pid, shifted by three, with type 2
# (CPUCLOCK_SCHED, nanoseconds of scheduler time, all threads). See clock_getcpuclockid(3).
_SCHEDULER_CLOCK = 2


def process_cpu_clock(pid: int) -> int:
    """The clock id of process ``pid`` for ``time.clock_gettime_ns``; raises OSError where there is none."""
    clock = ((~pid) << 3) | _SCHEDULER_CLOCK
    time.clock_gettime_ns(clock)
    return clock


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


class Stopwatch:
    """Reads wall, own CPU and server CPU on both sides of a block::

        with Stopwatch(server_pid) as watch: ...
        watch.sample(count)

    The garbage collector runs once before the clocks are read and keeps the state the process had.
    """

    def __init__(self, server_pid: int | None = None) -> None:
        self._server_clock = process_cpu_clock(server_pid) if server_pid else None
        self._before = self._after = (0, 0, 0)

    def _read(self) -> tuple[int, int, int]:
        server = time.clock_gettime_ns(self._server_clock) if self._server_clock is not None else 0
        return time.perf_counter_ns(), time.process_time_ns(), server

    def __enter__(self) -> "Stopwatch":
        gc.collect()
        self._before = self._read()
        return self

    def __exit__(self, *exception: object) -> None:
        self._after = self._read()

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
