"""Builds the native floors of benchmarks/cpp when they are missing or older than their sources."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from .peers import Missing

SOURCES = Path(__file__).resolve().parent.parent / "cpp"
PACKAGES = ("libmongoc-1.0", "mongoc2")


def build_folder() -> Path:
    return SOURCES.parent.parent / "build" / "benchmarks"


def native_program() -> Path:
    """The program, built if need be; raises Missing with the compiler's last words."""
    program = build_folder() / "mongo_floor"
    sources = sorted(SOURCES.glob("*.cpp"))
    newest = max(file.stat().st_mtime for file in [*sources, *SOURCES.glob("*.h")])
    if not program.exists() or program.stat().st_mtime < newest:
        _compile(program, sources)
    return program


def _flags() -> list[str]:
    if shutil.which("pkg-config"):
        for package in PACKAGES:
            found = subprocess.run(
                ["pkg-config", "--cflags", "--libs", package], capture_output=True, text=True, check=False
            )
            if found.returncode == 0:
                return shlex.split(found.stdout)
    raise Missing("libmongoc not found by pkg-config (Debian: libmongoc-dev, Fedora: mongo-c-driver-devel)")


def _compile(program: Path, sources: list[Path]) -> None:
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        raise Missing("no C++ compiler found (Debian: g++)")
    program.parent.mkdir(parents=True, exist_ok=True)
    fresh = program.with_suffix(".new")
    command = [compiler, "-std=c++20", "-O2", "-DNDEBUG", "-o", str(fresh), *map(str, sources), *_flags()]
    built = subprocess.run([*command, "-lz", "-lpthread"], capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise Missing(f"the native floor does not compile: {built.stderr.strip()[-600:]}")
    fresh.replace(program)
