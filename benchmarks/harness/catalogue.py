"""Finds the cases: every module in benchmarks/cases with a list ``CASES``. No case lives here."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from benchmarks import cases as _package

from .case import Case


@functools.cache
def all_cases() -> dict[str, Case]:
    """Name to case, in the order of module and definition."""
    found: dict[str, Case] = {}
    for module in sorted(pkgutil.iter_modules(_package.__path__), key=lambda entry: entry.name):
        for case in getattr(importlib.import_module(f"{_package.__name__}.{module.name}"), "CASES", ()):
            if case.name in found:
                raise ValueError(f"two cases are called {case.name}")
            found[case.name] = case
    return found


def find_case(name: str) -> Case:
    """The case of exactly this name; looks into the module named by its first part before it imports all."""
    module = name.split("/")[0].replace("-", "_")
    try:
        loaded = importlib.import_module(f"{_package.__name__}.{module}")
    except ModuleNotFoundError:
        return all_cases()[name]
    for case in loaded.CASES:
        if case.name == name:
            return case
    return all_cases()[name]


def select(patterns: list[str]) -> list[Case]:
    """Cases whose name is a pattern or begins with ``pattern/``, or that ask the kind of server called so; all for no
    pattern. Raises LookupError if none fits."""
    everything = all_cases()
    if not patterns or patterns == ["all"]:
        return list(everything.values())
    chosen: dict[str, Case] = {}
    for pattern in patterns:
        fits = [case for name, case in everything.items() if pattern in (name, case.server) or name.startswith(pattern + "/")]
        if not fits:
            raise LookupError(f"no case {pattern!r}; known: {', '.join(everything)}")
        chosen.update((case.name, case) for case in fits)
    return list(chosen.values())
