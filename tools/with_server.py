"""Runs a command with BAREWIRE_TEST_MONGODB (the URI of a replica set of one) and BAREWIRE_TEST_POSTGRES (a connection
string of libpq) pointing to embedded servers, then stops them.

Usage: python tools/with_server.py COMMAND [ARGUMENT...]; what is already set in the environment is kept, and no server
started for it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from barewire.embedded import MongoServer, PostgresServer


def main(command: list[str]) -> int:
    if not command:
        sys.exit(__doc__)
    with contextlib.ExitStack() as servers:
        environment = dict(os.environ)
        if not environment.get("BAREWIRE_TEST_MONGODB"):
            environment["BAREWIRE_TEST_MONGODB"] = servers.enter_context(MongoServer(enable_test_commands=True)).uri
        if not environment.get("BAREWIRE_TEST_POSTGRES"):
            environment["BAREWIRE_TEST_POSTGRES"] = servers.enter_context(PostgresServer()).conninfo
        return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
