# Reading mongod's structured log; nothing here writes or waits.
"""mongod's log, one JSON object per line, made readable.

Source: MongoDB manual, "Log Messages" (fields t, s, c, id, ctx, msg, attr).
"""

from __future__ import annotations

import json
from pathlib import Path

WAITING_FOR_CONNECTIONS = 23016  # the listener's message id
_TAIL_BYTES = 256 * 1024


def _readable(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip()
    try:
        entry = json.loads(text)
        parts = [entry["t"]["$date"], entry["s"], entry["c"], entry["msg"]]
        if entry.get("attr"):
            parts.append(json.dumps(entry["attr"], ensure_ascii=False))
    except (ValueError, KeyError, TypeError):
        return text  # what the program says before its log is open, or a trace
    return "  ".join(parts)


class MongodLog:
    """The part of a log file that one run of the server has written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = path.stat().st_size if path.exists() else 0
        self._read = self._start
        self._rest = b""

    def message_seen(self, identifier: int) -> bool:
        """Whether a message with this id stands among the lines written since the last call."""
        with open(self.path, "rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        wanted = b'"id":%d,' % identifier
        return any(wanted in line for line in lines)

    def tail(self, lines: int = 20, *, width: int = 400) -> str:
        """The last ``lines`` lines of this run, cut to ``width`` characters; earlier errors are shown too."""
        try:
            with open(self.path, "rb") as file:
                size = file.seek(0, 2)
                file.seek(max(self._start, size - _TAIL_BYTES))
                entries = file.read().splitlines()
        except OSError:
            return ""
        errors = [entry for entry in entries[:-lines] if b'"s":"F"' in entry or b'"s":"E"' in entry]
        return "\n".join(_readable(entry)[:width] for entry in errors[-5:] + entries[-lines:])
