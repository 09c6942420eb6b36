#!/usr/bin/env python3
# Writes the blocking twins of pkg/barewire/mongo/_async_*.py. `--check` only says whether they are up to date.
"""Token by token, as PyMongo makes its own blocking half; the async file is the source."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "pkg" / "barewire" / "mongo"
FILES = {
    "_async_client.py": "_client.py",
    "_async_collection.py": "_collection.py",
    "_async_cursor.py": "_cursor.py",
}
# Whole lines first, then words.
LINES = [
    (r"            await asyncio\.to_thread\(self\._link\.close\)\n", "            self._link.close()\n"),
    (r"    aclose = close\n\n", ""),
    (r"import asyncio\n", ""),
    (r"^# Async(\w+)", r"# \1"),
    (r'"""Asyncio (\w+)\. The blocking twin `\w+\.py` is generated from this file by tools/gen_sync\.py\.', r'"""Blocking \1. Generated from their asyncio twin by tools/gen_sync.py: change that file.'),
]
WORDS = {
    "ASYNC_BOUND_SESSION": "BOUND_SESSION",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "async_dropped": "blocking_dropped",
    "async_expect": "blocking_expect",
    "async_monitor": "blocking_monitor",
    "EnginePool": "BlockingEnginePool",
    "asynchronous": "synchronous",
    "start": "run",
    "start_documents": "run_documents",
    "insert_async": "insert_blocking",
}


def blocking(source: str) -> str:
    for pattern, replacement in LINES:
        source = re.sub(pattern, replacement, source, flags=re.M)
    source = re.sub(r"\basync (def|for|with)\b", r"\1", source)
    source = re.sub(r"\bawait ", "", source)
    source = re.sub(r"\b_async_(client|collection|cursor)\b", r"_\1", source)
    source = re.sub(r"\b(_?)Async(Mongo|Database|Collection|Cursor|CommandCursor)", r"\1\2", source)
    for word, replacement in WORDS.items():
        source = re.sub(rf"(?<![\w.]){word}\b" if not word.startswith("start") else rf"(?<=\.){word}\b", replacement, source)
    source = re.sub(r"pymongo\.asynchronous", "pymongo.synchronous", source)
    return source


def main() -> int:
    stale = []
    for name, twin in FILES.items():
        if not (PACKAGE / name).exists():
            continue
        text = blocking((PACKAGE / name).read_text())
        if not (PACKAGE / twin).exists() or (PACKAGE / twin).read_text() != text:
            stale.append(twin)
            if "--check" not in sys.argv[1:]:
                (PACKAGE / twin).write_text(text)
    for twin in stale:
        print("out of date:" if "--check" in sys.argv[1:] else "written:", twin)
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
