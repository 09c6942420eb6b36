# Repeats one named call many times and prints how references and memory moved; used by the programs with the cases.
"""main(cases, shared) reads NAME and COUNT from the command line and prints one JSON object:

references: {what: difference of sys.getrefcount after COUNT calls}, blocks: growth of allocated Python blocks,
kilobytes: growth of the resident set after a warm-up of COUNT calls.
"""
from __future__ import annotations

import gc
import json
import resource
import sys
from collections.abc import Callable
from typing import Any


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


def refused(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
    try:
        function(*arguments, **keywords)
    except Exception:
        return
    raise AssertionError("the call was expected to fail")


def main(cases: dict[str, Callable[[], Any]], shared: dict[str, Any]) -> None:
    case, count = cases[sys.argv[1]], int(sys.argv[2])
    for _ in range(max(1000, count // 10)):
        case()
    gc.collect()
    before = {what: sys.getrefcount(thing) for what, thing in shared.items()}
    blocks, kilobytes = sys.getallocatedblocks(), resident()
    for _ in range(count):
        case()
    gc.collect()
    growth = resident() - kilobytes
    blocks = sys.getallocatedblocks() - blocks
    after = {what: sys.getrefcount(thing) for what, thing in shared.items()}
    print(json.dumps({
        "references": {what: after[what] - before[what] for what in shared if after[what] != before[what]},
        "blocks": blocks,
        "kilobytes": growth,
    }))
