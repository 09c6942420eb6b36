# As which system user a PostgreSQL server runs, and what that user may reach; starts nothing.
"""PostgreSQL refuses to run as root: then it becomes somebody else."""

from __future__ import annotations

import dataclasses
import os
import pwd
import stat
from pathlib import Path
from typing import Any

from .errors import EmbeddedServerError

_CANDIDATES = ("postgres", "nobody")


@dataclasses.dataclass(frozen=True)
class SystemUser:
    """A user other than the one of this process."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def triple(self) -> tuple[int, int, list[int]]:
        """As the guard of a process wants it."""
        return self.uid, self.gid, list(self.groups)

    def popen_options(self) -> dict[str, Any]:
        """For subprocess.run."""
        return {"user": self.uid, "group": self.gid, "extra_groups": list(self.groups)}

    def _may(self, status: os.stat_result, needed: int) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & (needed << 6))
        if status.st_gid == self.gid or status.st_gid in self.groups:
            return bool(status.st_mode & (needed << 3))
        return bool(status.st_mode & needed)

    def check_reaches(self, path: Path, what: str) -> None:
        """Raises EmbeddedServerError, naming the folder, if this user may not enter a folder on the way to ``path``."""
        for folder in reversed((path / "x").resolve().parents):
            if folder.is_dir() and not self._may(folder.stat(), stat.S_IXOTH):
                raise EmbeddedServerError(
                    f"{what} {path}: PostgreSQL refuses to run as root, so it runs as the user {self.name}, who may "
                    f"not enter {folder}; choose another place, another user (run_as=), or chmod o+x {folder}"
                )


def _of(entry: pwd.struct_passwd) -> SystemUser:
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(groups))


def choose_user(name: str | None, data: Path | None) -> SystemUser | None:
    """The user to become, or None to stay: the one called ``name``; for root the owner of existing ``data``, else
    postgres, else nobody.

    Raises:
        EmbeddedServerError: there is no such user, or this process may not become it.
    """
    own = os.geteuid()
    if name is not None:
        try:
            user = _of(pwd.getpwnam(name))
        except KeyError:
            raise EmbeddedServerError(f"run_as: there is no user {name!r}") from None
        if user.uid == 0:
            raise EmbeddedServerError("run_as: PostgreSQL refuses to run as root")
        if own not in (0, user.uid):
            raise EmbeddedServerError(f"run_as: only root can become {name}")
        return user if own == 0 else None
    if own != 0:
        return None
    if data is not None and (data / "PG_VERSION").exists() and data.stat().st_uid != 0:
        status = data.stat()
        try:
            return _of(pwd.getpwuid(status.st_uid))
        except KeyError:
            return SystemUser(str(status.st_uid), status.st_uid, status.st_gid, ())
    for candidate in _CANDIDATES:
        try:
            return _of(pwd.getpwnam(candidate))
        except KeyError:
            continue
    raise EmbeddedServerError(
        f"PostgreSQL refuses to run as root, and there is none of the users {', '.join(_CANDIDATES)}: name one (run_as=)"
    )
