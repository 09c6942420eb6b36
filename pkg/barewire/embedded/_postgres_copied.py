# Programs that the server's user may not reach, copied to where it may; starts nothing.
"""A program started by root from a folder of root's own would not be found by the user whom PostgreSQL runs as."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from ._postgres_user import SystemUser
from .errors import EmbeddedServerError

_NOT_NEEDED = shutil.ignore_patterns("include", "doc", "man", "*.a", "__pycache__")


def _trusted(folder: Path) -> bool:
    """Whether the folder is there and nobody but this user could have put it there or can change it."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _copy(programs: Path, target: Path) -> None:
    """The installation around the folder ``programs``, at its place relative to the folder three levels up: a wheel keeps
    further libraries in a folder beside its package, and the programs look for them by such a path."""
    base = programs.parents[2]
    prefix = programs.parent.relative_to(base)
    shutil.copytree(base / prefix, target / prefix, symlinks=True, ignore=_NOT_NEEDED)
    libraries = f"{prefix.parts[0]}.libs"
    if (base / libraries).is_dir():
        shutil.copytree(base / libraries, target / libraries, symlinks=True)
    for folder in (target, target / prefix.parts[0]):
        folder.chmod(0o755)


def reachable_programs(programs: Path, user: SystemUser) -> Path:
    """``programs``, or a copy of them and what belongs to them (libraries, data) in the system's temporary folder, which
    later servers use again.

    Raises:
        EmbeddedServerError: there is no place that the user may reach.
        OSError: copying failed.
    """
    try:
        user.check_reaches(programs, "the programs in")
        return programs
    except EmbeddedServerError:
        place = Path(tempfile.gettempdir())
        user.check_reaches(place, "the temporary folder")
    status = (programs / "postgres").stat()
    key = hashlib.sha256(f"{programs}\0{status.st_mtime_ns}\0{status.st_size}".encode()).hexdigest()[:16]
    copied = place / f"barewire-programs-{key}"
    if not _trusted(copied):
        unfinished = Path(tempfile.mkdtemp(prefix="barewire-programs-", dir=place))
        try:
            _copy(programs, unfinished)
            unfinished.rename(copied)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            if not _trusted(copied):  # else somebody else was faster
                raise
    return copied / programs.relative_to(programs.parents[2])
