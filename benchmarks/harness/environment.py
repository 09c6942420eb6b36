"""Describes the conditions of a run: interpreter, machine, libraries, revision, server. Nothing is measured here."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from .paths import without_folders

DISTRIBUTIONS = ("pymongo", "motor", "psycopg", "psycopg-binary", "asyncpg", "sqlalchemy", "uvloop", "barewire", "numpy", "scipy")


def _first_line(file: str, prefix: str) -> str | None:
    try:
        with open(file, encoding="utf-8") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(prefix)), None)
    except OSError:
        return None


def _output(*command: str, folder: Path | None = None) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.stdout.strip() if done.returncode == 0 else None


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _barewire() -> dict[str, Any] | None:
    try:
        import barewire
    except ImportError:
        return None
    return {"version": getattr(barewire, "__version__", None), "installed": _version("barewire") is not None}


def interpreter() -> dict[str, Any]:
    """Version and build of Python; profile-guided optimisation moves every Python peer by 5 to 35 %."""
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    flags = " ".join(str(sysconfig.get_config_var(name) or "") for name in ("PY_CFLAGS", "PY_CORE_CFLAGS", "CFLAGS"))
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "configure": arguments,
        "profile_guided": "--enable-optimizations" in arguments or "-fprofile-use" in flags,
        "link_time_optimised": "--with-lto" in arguments or "-flto" in flags,
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "debug": hasattr(sys, "gettotalrefcount"),
    }


def machine() -> dict[str, Any]:
    return {
        "processor": _first_line("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _first_line("/proc/meminfo", "MemTotal"),
        "load_average": list(os.getloadavg()),
        "system": platform.platform(),
        "kernel": platform.release(),
    }


def _libpq_of_psycopg() -> int | None:
    try:
        import psycopg
    except ImportError:
        return None
    return psycopg.pq.version()


def libraries() -> dict[str, Any]:
    import bson
    import pymongo

    return {
        **{name: _version(name) for name in DISTRIBUTIONS},
        "bson_c_extension": bson.has_c(),
        "pymongo_c_extension": pymongo.has_c(),
        "libmongoc": _output("pkg-config", "--modversion", "libmongoc-1.0"),
        "libpq": _output("pkg-config", "--modversion", "libpq"),
        "libpq_of_psycopg": _libpq_of_psycopg(),
        "compiler": (_output("c++", "--version") or "").split("\n")[0] or None,
        "barewire_module": _barewire(),
    }


def revision() -> dict[str, Any]:
    folder = Path(__file__).resolve().parent
    return {
        "commit": _output("git", "rev-parse", "HEAD", folder=folder),
        "modified": bool(_output("git", "status", "--porcelain", "--untracked-files=no", folder=folder)),
    }


def describe(servers: dict[str, Any]) -> dict[str, Any]:
    """All of it; ``servers`` holds what server.py ("server") and server_postgres.py ("postgres") say, if a case needed them."""
    found = {"python": interpreter(), "machine": machine(), "libraries": libraries(), "revision": revision()}
    return without_folders({**found, "server": None, **servers})
