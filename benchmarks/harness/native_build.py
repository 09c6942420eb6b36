"""Builds the native floors of benchmarks/cpp when they are missing or older than their sources."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import subprocess
from pathlib import Path

from .peers import Missing

SOURCES = Path(__file__).resolve().parent.parent / "cpp"


@dataclasses.dataclass(frozen=True)
class _Floor:
    """One program: its folder of sources, the library it stands on, and what else it is linked with."""

    folder: str
    library: str
    packages: tuple[str, ...]
    hint: str
    further: tuple[str, ...]


FLOORS = {
    "mongo": _Floor(
        "mongo", "libmongoc", ("libmongoc-1.0", "mongoc2"), "Debian: libmongoc-dev, Fedora: mongo-c-driver-devel", ("-lz", "-lpthread")
    ),
    "postgres": _Floor("postgres", "libpq", ("libpq",), "Debian: libpq-dev, Fedora: libpq-devel", ("-lz", "-lpthread")),
}


def build_folder() -> Path:
    return SOURCES.parent.parent / "build" / "benchmarks"


def native_program(server: str = "mongo") -> Path:
    """The program for a kind of server, built if need be; raises Missing with the compiler's last words."""
    floor = FLOORS[server]
    program = build_folder() / f"{floor.folder}_floor"
    sources = [SOURCES / "frame.cpp", *sorted((SOURCES / floor.folder).glob("*.cpp"))]
    headers = [SOURCES / "frame.h", *(SOURCES / floor.folder).glob("*.h")]
    newest = max(file.stat().st_mtime for file in [*sources, *headers])
    if not program.exists() or program.stat().st_mtime < newest:
        _compile(program, sources, floor)
    return program


def _flags(floor: _Floor) -> list[str]:
    if shutil.which("pkg-config"):
        for package in floor.packages:
            found = subprocess.run(
                ["pkg-config", "--cflags", "--libs", package], capture_output=True, text=True, check=False
            )
            if found.returncode == 0:
                return shlex.split(found.stdout)
    raise Missing(f"{floor.library} not found by pkg-config ({floor.hint})")


def _compile(program: Path, sources: list[Path], floor: _Floor) -> None:
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        raise Missing("no C++ compiler found (Debian: g++)")
    program.parent.mkdir(parents=True, exist_ok=True)
    fresh = program.with_suffix(".new")
    command = [compiler, "-std=c++20", "-O2", "-DNDEBUG", "-o", str(fresh), *map(str, sources), *_flags(floor)]
    built = subprocess.run([*command, *floor.further], capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise Missing(f"the native floor does not compile: {built.stderr.strip()[-600:]}")
    fresh.replace(program)
