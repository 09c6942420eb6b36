# Which libpq is called: psycopg's bundled one or the system's. Nothing is loaded here.
"""The path that the extension opens: see `libpq_path`."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os

import psycopg

CHOICES = ("bundled", "system")


def libpq_path(choice: str | None = None) -> str:
    """A file that holds libpq, or depends on it.

    :param choice: "bundled" (the one inside `psycopg[binary]`), "system" (`libpq.so.5`), or the path of a library. Default:
        the environment variable BAREWIRE_LIBPQ, else bundled where it is installed, else the system's.
    :raises psycopg.NotSupportedError: the chosen one is not installed
    """
    wanted = choice or os.environ.get("BAREWIRE_LIBPQ") or ""
    if wanted and wanted not in CHOICES:
        return wanted
    if wanted != "system":
        bundled = _bundled()
        if bundled is not None:
            return bundled
        if wanted == "bundled":
            raise psycopg.NotSupportedError("there is no bundled libpq: pip install 'psycopg[binary]'")
    system = ctypes.util.find_library("pq")
    if system is None:
        raise psycopg.NotSupportedError(
            "libpq is not installed: pip install 'psycopg[binary]' | apt install libpq5 | dnf install libpq | brew install libpq"
        )
    return system


def _bundled() -> str | None:
    """psycopg's extension file: symbols of the libpq that it was built with are found through it."""
    for package in ("psycopg_binary", "psycopg_c"):
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            continue
        for folder in (spec.submodule_search_locations or []) if spec is not None else []:
            names = sorted(n for n in os.listdir(folder) if n.startswith("pq.") and n.endswith((".so", ".dylib", ".pyd")))
            if names:
                return os.path.join(folder, names[0])
    return None
