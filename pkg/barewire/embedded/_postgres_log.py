# Reading PostgreSQL's log and its pid file; nothing here writes or waits.
"""What a server says about itself in files."""

from __future__ import annotations

from pathlib import Path

_TAIL_BYTES = 64 * 1024
_PID_LINE, _SHARED_MEMORY_LINE, _STATUS_LINE = 0, 6, 7


class PostgresLog:
    """The part of a log file that one run of the server has written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = path.stat().st_size if path.exists() else 0

    def text(self) -> str:
        """What this run has written, its last 64 KiB."""
        try:
            with open(self.path, "rb") as file:
                size = file.seek(0, 2)
                file.seek(max(self._start, size - _TAIL_BYTES))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def tail(self, lines: int = 20, *, width: int = 400) -> str:
        """The last ``lines`` lines of this run, cut to ``width`` characters; earlier errors are shown too."""
        entries = self.text().splitlines()
        errors = [entry for entry in entries[:-lines] if "FATAL:" in entry or "PANIC:" in entry]
        return "\n".join(entry[:width] for entry in errors[-5:] + entries[-lines:])


class PidFile:
    """``postmaster.pid``: who runs in a data folder, and how far it is.

    Source: PostgreSQL's documentation, "Database File Layout", and ``src/include/utils/pidfile.h``.
    """

    def __init__(self, data: Path) -> None:
        try:
            self._lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
        except OSError:
            self._lines = []

    def _line(self, number: int) -> str:
        return self._lines[number].strip() if number < len(self._lines) else ""

    def ready(self, pid: int) -> bool:
        """Whether the process ``pid`` accepts connections."""
        return self._line(_PID_LINE) == str(pid) and self._line(_STATUS_LINE) == "ready"

    @property
    def shared_memory(self) -> int | None:
        """The id of the System V shared memory segment that a killed server leaves behind."""
        words = self._line(_SHARED_MEMORY_LINE).split()
        return int(words[1]) if len(words) == 2 and words[1].isdigit() else None
