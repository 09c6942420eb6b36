#!/usr/bin/env python3
# Writes the blocking twins of pkg/barewire/{mongo,pg}/_async_*.py. `--check` only says whether they are up to date.
"""Token by token, as PyMongo makes its own blocking half; the async file is the source."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "pkg" / "barewire"
# Whole lines, in both packages.
LINES = [
    (r"import asyncio\n", ""),
    (r"^# Async(\w+)", r"# \1"),
    (r'"""Asyncio (\w+)\. The blocking twin `\w+\.py` is generated from this file by tools/gen_sync\.py\.', r'"""Blocking \1. Generated from their asyncio twin by tools/gen_sync.py: change that file.'),
    (r'"""Asyncio ([\w ]+)\. The blocking twin `\w+\.py` is generated from this file by tools/gen_sync\.py\.', r'"""Blocking \1. Generated from their asyncio twin by tools/gen_sync.py: change that file.'),
]
# Words, in both packages.
WORDS = {
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}


@dataclass
class Package:
    files: tuple[str, ...]  # _async_<file>.py becomes _<file>.py
    classes: str  # a pattern: Async<class> becomes <class>
    lines: list[tuple[str, str]]
    words: dict[str, str]
    methods: dict[str, str]  # only behind a dot


PACKAGES = {
    "mongo": Package(
        files=("client", "collection", "cursor"),
        classes="Mongo|Database|Collection|Cursor|CommandCursor",
        lines=[
            (r"            await asyncio\.to_thread\(self\._link\.close\)\n", "            self._link.close()\n"),
            (r"    aclose = close\n\n", ""),
        ],
        words={
            "ASYNC_BOUND_SESSION": "BOUND_SESSION",
            "async_dropped": "blocking_dropped",
            "async_expect": "blocking_expect",
            "async_monitor": "blocking_monitor",
            "EnginePool": "BlockingEnginePool",
            "asynchronous": "synchronous",
            "insert_async": "insert_blocking",
        },
        methods={"start": "run", "start_documents": "run_documents"},
    ),
    "pg": Package(
        files=("batch", "connection", "copy", "cursor", "parallel", "pool", "statement", "transaction", "unsafe"),
        classes="Batch|Connection|Cursor|Lease|Pool|PreparedStatement|Transaction|Iterator|Iterable|Load|ExitStack",
        lines=[
            (r"^ *# asyncio only\n(?:.*\n)*? *# end of asyncio only\n", ""),
            (r" \(or asynchronous iterable\)", ""),
            (r"PgAsync", "Pg"),
            (r"_async_(upkeep|together)", r"_\1"),
        ],
        words={"connect_async": "connect", "tasks": "threads", "task": "thread"},
        methods={"enter_async_context": "enter_context"},
    ),
}


def blocking(source: str, package: Package) -> str:
    for pattern, replacement in package.lines + LINES:
        source = re.sub(pattern, replacement, source, flags=re.M)
    source = re.sub(r"\basync (def|for|with)\b", r"\1", source)
    source = re.sub(r"\bawait ", "", source)
    source = re.sub(rf"\b_async_({'|'.join(package.files)})\b", r"_\1", source)
    source = re.sub(rf"\b(_?)Async({package.classes})", r"\1\2", source)
    for word, replacement in (WORDS | package.words).items():
        source = re.sub(rf"(?<![\w.]){word}\b", replacement, source)
    for word, replacement in package.methods.items():
        source = re.sub(rf"(?<=\.){word}\b", replacement, source)
    return re.sub(r"pymongo\.asynchronous", "pymongo.synchronous", source)


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = False
    for name, package in PACKAGES.items():
        for file in package.files:
            source, twin = ROOT / name / f"_async_{file}.py", ROOT / name / f"_{file}.py"
            if not source.exists():
                continue
            text = blocking(source.read_text(), package)
            if not twin.exists() or twin.read_text() != text:
                stale = True
                print("out of date:" if check else "written:", f"{name}/{twin.name}")
                if not check:
                    twin.write_text(text)
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
