# Nothing of a killed process stays behind in shared memory, and nothing that others left there is in a process's way.
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path("/dev/shm")
PROGRAM = """
import os, signal
import barewire.bson
from pathlib import Path
print([str(path) for path in Path("/dev/shm").glob(f"*mongoc*{os.getpid()}*")], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not SHARED.is_dir(), reason="no /dev/shm")
def test_nothing_stays_behind() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MONGOC_DISABLE_SHM"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", -9)
