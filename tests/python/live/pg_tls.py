# A PostgreSQL server that speaks TLS, with an authority, a server's and a client's certificate made for it. No tests here.
from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from barewire.embedded import PostgresServer


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_authority(folder: Path, name: str) -> None:
    """`name`.crt and `name`.key in `folder`."""
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name} of tests", "-keyout",
             folder / f"{name}.key", "-out", folder / f"{name}.crt")  # fmt: skip


def make_certificate(folder: Path, authority: str, name: str, subject: str) -> None:
    """`name`.crt, signed by `authority`, and `name`.key. `subject`: host of a server, user of a client."""
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={subject}", "-keyout", folder / f"{name}.key", "-out",
             folder / f"{name}.csr")  # fmt: skip
    (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{subject}\n")
    _openssl("x509", "-req", "-days", "2", "-in", folder / f"{name}.csr", "-CA", folder / f"{authority}.crt", "-CAkey",
             folder / f"{authority}.key", "-CAcreateserial", "-extfile", folder / f"{name}.ext", "-out", folder / f"{name}.crt")  # fmt: skip
    (folder / f"{name}.key").chmod(0o600)


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[PostgresServer]:
    """On a TCP port, for the host name `localhost`. In `folder`: authority.crt; client.crt and client.key of the user `robot`,
    who has no other way in; stranger.crt, of another authority."""
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not installed")
    for name in ("authority", "stranger"):
        make_authority(folder, name)
    make_certificate(folder, "authority", "server", "localhost")
    make_certificate(folder, "authority", "client", "robot")
    with PostgresServer(unix_socket=False, hba=["hostssl all robot all cert", "host all robot all reject"]) as server:
        owner = server.path.stat()
        for name, source in (("server.crt", "server.crt"), ("server.key", "server.key"), ("root.crt", "authority.crt")):
            shutil.copy(folder / source, server.path / name)
            (server.path / name).chmod(0o600)
            os.chown(server.path / name, owner.st_uid, owner.st_gid)
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            try:
                connection.execute("ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
                connection.execute("ALTER SYSTEM SET ssl = on")
            except errors.InvalidParameterValue:
                pytest.skip("this PostgreSQL server is built without TLS")
            connection.execute("CREATE ROLE robot LOGIN")
        server.reload()
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(make_conninfo(server.conninfo, sslmode="require")).close()
                break
            assert time.monotonic() < deadline, server.log_tail()
            time.sleep(0.05)
        yield server
