# Fresh data folders: initdb runs once per server version, later ones are copies; starts no server.
"""New PostgreSQL data folders, quickly."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ._postgres_user import SystemUser
from .errors import EmbeddedServerError

SUPERUSER = "postgres"
_FORMAT = "1"  # to be raised when the options below change
_INITDB = ("--auth=trust", "--encoding=UTF8", f"--username={SUPERUSER}", "--no-sync", "--no-instructions")
# Text as users have it (upper(), regular expressions); byte order as collation, and messages in one language.
_LOCALES = ("--locale=C.UTF-8", "--locale=C") if sys.platform.startswith("linux") else ("--locale=C",)


def _own_folder(path: Path) -> bool:
    """Make the folder; whether nobody else can write to it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _cache_folder() -> Path | None:
    """Where data folders are kept to be copied; None if there is no place that is ours alone."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    places = (Path(home, "barewire"), Path(tempfile.gettempdir(), f"barewire-cache-{os.geteuid()}"))
    return next((place / "postgres" for place in places if _own_folder(place) and _own_folder(place / "postgres")), None)


def _run_initdb(programs: Path, target: Path, user: SystemUser | None) -> None:
    options = user.popen_options() if user else {}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    command = [os.fspath(programs / "initdb"), f"--pgdata={target}", *_INITDB]
    for locale in _LOCALES:
        try:
            done = subprocess.run(
                [*command, locale, "--lc-messages=C"],
                capture_output=True, text=True, errors="replace", check=False, cwd="/", env=environment, **options,
            )
        except OSError as error:
            raise EmbeddedServerError(f"cannot execute {command[0]}: {error}") from error
        if done.returncode == 0:
            return
        if "locale" not in done.stderr:
            break
    raise EmbeddedServerError(f"initdb failed with exit code {done.returncode}:\n{done.stderr or done.stdout}")


def _copy(source: Path, target: Path, user: SystemUser | None) -> None:
    """Copy a tree into an existing or new folder, as files of ``user``."""
    target.mkdir(mode=0o700, exist_ok=True)
    target.chmod(0o700)
    for entry in os.scandir(source):
        if entry.is_dir(follow_symlinks=False):
            _copy(Path(entry.path), target / entry.name, user)
        else:
            copied = target / entry.name
            shutil.copyfile(entry.path, copied)
            copied.chmod(0o600)
            if user:
                os.chown(copied, user.uid, user.gid)
    if user:
        os.chown(target, user.uid, user.gid)  # last: until now nobody else could put anything into it


@contextlib.contextmanager
def _fresh(programs: Path, user: SystemUser | None) -> Iterator[Path]:
    """A data folder made by initdb in a temporary place."""
    folder = Path(tempfile.mkdtemp(prefix="barewire-initdb-"))
    try:
        if user:
            os.chown(folder, user.uid, user.gid)
        _run_initdb(programs, folder / "data", user)
        yield folder / "data"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _template(programs: Path, user: SystemUser | None, cache: Path) -> Path:
    """The data folder to be copied for these programs, made if there is none yet."""
    program = (programs / "postgres").resolve()
    status = program.stat()
    key = "\0".join((_FORMAT, os.fspath(program), str(status.st_mtime_ns), str(status.st_size), *_INITDB, *_LOCALES))
    template = cache / hashlib.sha256(key.encode()).hexdigest()[:24]
    if template.is_dir():
        return template
    with _fresh(programs, user) as made:
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
        try:
            _copy(made, unfinished, None)
            unfinished.rename(template)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            if not template.is_dir():  # else somebody else was faster
                raise
    return template


def make_data_folder(programs: Path, target: Path, user: SystemUser | None, *, cached: bool = True) -> None:
    """Fill the empty folder ``target`` with a new database cluster, owned by ``user``.

    Raises:
        EmbeddedServerError: initdb failed; the text is what it said.
        OSError: a folder could not be written.
    """
    cache = _cache_folder() if cached else None
    if cache is not None:
        _copy(_template(programs, user, cache), target, user)
    else:
        with _fresh(programs, user) as made:
            _copy(made, target, user)
