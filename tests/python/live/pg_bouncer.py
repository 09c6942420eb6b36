# A pgbouncer of one's own in front of a server, in transaction mode. No tests here.
from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def bouncer(conninfo: str, **settings: object) -> Iterator[str]:
    """The connection string of a pooler in front of the server of `conninfo`, whose superuser may come without password."""
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed")
    words = conninfo_to_dict(conninfo)
    port = _free_port()
    options = {
        "listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any", "pool_mode": "transaction",
        "default_pool_size": 3, "max_client_conn": 200, "server_reset_query": "", "ignore_startup_parameters": "extra_float_digits,options",
        "server_login_retry": 1, "log_connections": 0, "log_disconnections": 0,
    }  # fmt: skip
    place = f"host={words['host']} port={words.get('port', 5432)} user={words['user']}"
    text = "[databases]\n" + f"* = {place}\n[pgbouncer]\n"
    text += "".join(f"{name} = {value}\n" for name, value in (options | settings).items())
    folder = Path(tempfile.mkdtemp(prefix="barewire-bouncer-"))
    command = [PROGRAM, str(folder / "bouncer.ini")]
    # It refuses to run as root, and must reach the server's socket, whose folder belongs to the server's user.
    if os.geteuid() == 0:
        found = str(words["host"])
        user = pwd.getpwuid(os.stat(found).st_uid if found.startswith("/") else pwd.getpwnam("nobody").pw_uid).pw_name
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        command[1:1] = ["-u", user]
    (folder / "bouncer.ini").write_text(text)
    (folder / "bouncer.ini").chmod(0o644)
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    through = make_conninfo(conninfo, host="127.0.0.1", port=port, options="", sslmode="disable", gssencmode="disable")
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(through).close()
                break
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield through
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
