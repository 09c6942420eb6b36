"""Runs a command with BAREWIRE_TEST_MONGODB (the URI of a replica set of one) and BAREWIRE_TEST_POSTGRES (a connection
string of libpq) pointing to embedded servers, then stops them. BAREWIRE_TEST_LIBPQ names the libpq that psycopg[binary] brings
along, if it is installed: native tests run on it besides the system's.

Usage: python tools/with_server.py COMMAND [ARGUMENT...]; what is already set in the environment is kept, and no server
started for it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from barewire.embedded import MongoServer, PostgresServer


def bundled_libpq() -> str | None:
    """The library inside the binary distribution of psycopg, which tools of the platform have put into a folder beside it."""
    found = importlib.util.find_spec("psycopg_binary")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    folders = [package.with_name("psycopg_binary.libs"), package / ".dylibs"]
    return next((str(path) for folder in folders for path in sorted(folder.glob("libpq*"))), None)


def main(command: list[str]) -> int:
    if not command:
        sys.exit(__doc__)
    with contextlib.ExitStack() as servers:
        environment = dict(os.environ)
        if not environment.get("BAREWIRE_TEST_MONGODB"):
            environment["BAREWIRE_TEST_MONGODB"] = servers.enter_context(MongoServer(enable_test_commands=True)).uri
        if not environment.get("BAREWIRE_TEST_POSTGRES"):
            environment["BAREWIRE_TEST_POSTGRES"] = servers.enter_context(PostgresServer()).conninfo
        if not environment.get("BAREWIRE_TEST_LIBPQ") and (library := bundled_libpq()):
            environment["BAREWIRE_TEST_LIBPQ"] = library
        return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
