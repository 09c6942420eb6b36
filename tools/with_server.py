"""Runs a command with BAREWIRE_TEST_MONGODB pointing to an embedded replica set of one, then stops the server.

Usage: python tools/with_server.py COMMAND [ARGUMENT...]; an address that is already set in the environment is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys

from barewire.embedded import MongoServer


def main(command: list[str]) -> int:
    if not command:
        sys.exit(__doc__)
    if os.environ.get("BAREWIRE_TEST_MONGODB"):
        return subprocess.run(command, check=False).returncode
    with MongoServer(enable_test_commands=True) as server:
        return subprocess.run(command, check=False, env={**os.environ, "BAREWIRE_TEST_MONGODB": server.uri}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
