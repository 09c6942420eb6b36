# Connecting: all kinds of connection strings, service and password files, several hosts, and what goes wrong.
from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pg_faces
import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import barewire.pg
from barewire.embedded import PostgresServer


@pytest.fixture(scope="session")
def locked_server() -> Iterator[str]:
    """A server that asks for passwords: user "ann", password "se cret'"."""
    with PostgresServer() as server:
        with psycopg.connect(server.conninfo, autocommit=True) as admin:
            admin.execute("CREATE ROLE ann LOGIN PASSWORD 'se cret'''")
            hba = admin.execute("SHOW hba_file").fetchone()[0]  # type: ignore[index]
            text = Path(hba).read_text()
            Path(hba).write_text("local all ann scram-sha-256\nhost all ann all scram-sha-256\n" + text)
            admin.execute("SELECT pg_reload_conf()")
        conninfo = make_conninfo(server.conninfo, user="ann")
        for _ in range(100):
            try:
                psycopg.connect(conninfo, passfile="/nowhere").close()
            except psycopg.OperationalError:
                break
            time.sleep(0.1)  # the server has not read the file yet
        yield conninfo


def uri(conninfo: str) -> str:
    words = {key: str(value) for key, value in conninfo_to_dict(conninfo).items()}
    options = "&".join(f"{key}={quote(value, safe='')}" for key, value in words.items() if key != "dbname")
    return f"postgresql:///{words['dbname']}?{options}"


async def check(face: str, libpq: str, dsn: str, **options: Any) -> Any:
    made = await pg_faces.connect(face, dsn, libpq=libpq, **options)
    found = await made.fetchrow("SELECT current_user::text AS u, current_database()::text AS d", rows=dict)
    await made.close()
    return found


async def test_words_and_uris(face: str, libpq: str, pg_conninfo: str) -> None:
    words = conninfo_to_dict(pg_conninfo)
    expected = {"u": words["user"], "d": words["dbname"]}
    assert await check(face, libpq, pg_conninfo) == expected
    assert await check(face, libpq, uri(pg_conninfo)) == expected
    assert await check(face, libpq, "", **words) == expected
    assert await check(face, libpq, "dbname=absent", **words) == expected
    made = await pg_faces.connect(face, pg_conninfo, libpq=libpq, application_name="the 'name'", options="-c work_mem=5MB")
    assert await made.fetchval("SHOW application_name") == "the 'name'" and await made.fetchval("SHOW work_mem") == "5MB"
    await made.close()


async def test_environment(face: str, libpq: str, pg_conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = conninfo_to_dict(pg_conninfo)
    for name, value in words.items():
        monkeypatch.setenv({"dbname": "PGDATABASE"}.get(name, f"PG{name.upper()}"), str(value))
    monkeypatch.setenv("PGAPPNAME", "of the environment")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    made = await pg_faces.connect(face, "", libpq=libpq)
    assert await made.fetchval("SHOW application_name") == "of the environment"
    assert await made.fetchval("SHOW client_encoding") == "UTF8" and await made.fetchval("SELECT $1::text", "€") == "€"
    await made.close()


async def test_service_file(face: str, libpq: str, pg_conninfo: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = conninfo_to_dict(pg_conninfo)
    lines = "\n".join(f"{key}={value}" for key, value in words.items())
    (tmp_path / "services").write_text(f"[ours]\n{lines}\napplication_name=of the service\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert await check(face, libpq, "service=ours") == {"u": words["user"], "d": words["dbname"]}
    assert await check(face, libpq, "postgresql://?service=ours") == {"u": words["user"], "d": words["dbname"]}
    made = await pg_faces.connect(face, "", libpq=libpq, service="ours", connect_timeout=10)
    assert await made.fetchval("SHOW application_name") == "of the service"
    await made.close()
    with pytest.raises(psycopg.Error, match='definition of service "none" not found'):
        await check(face, libpq, "service=none")


async def test_passwords(face: str, libpq: str, locked_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    password = "se cret'"
    assert (await check(face, libpq, locked_server, password=password))["u"] == "ann"
    assert (await check(face, libpq, uri(locked_server) + "&password=" + quote(password)))["u"] == "ann"
    words = conninfo_to_dict(locked_server)
    (tmp_path / "pgpass").write_text(f"*:{words['port']}:*:ann:{password}\n")
    (tmp_path / "pgpass").chmod(0o600)
    assert (await check(face, libpq, locked_server, passfile=str(tmp_path / "pgpass")))["u"] == "ann"
    monkeypatch.setenv("PGPASSWORD", password)
    assert (await check(face, libpq, locked_server))["u"] == "ann"


async def test_wrong_password(face: str, libpq: str, locked_server: str) -> None:
    with pytest.raises(psycopg.OperationalError, match='password authentication failed for user "ann"') as ours:
        await check(face, libpq, locked_server, password="wrong")
    with pytest.raises(psycopg.OperationalError) as theirs:
        psycopg.connect(locked_server, password="wrong")
    assert isinstance(ours.value, type(theirs.value)) and ours.value.diag.severity == theirs.value.diag.severity
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        await check(face, libpq, locked_server, passfile="/nowhere")


@pytest.mark.parametrize("options,text", [
    ({"dbname": "absent"}, 'database "absent" does not exist'),
    ({"user": "nobody_here"}, 'role "nobody_here" does not exist'),
    ({"options": "-c nonsense=5"}, 'unrecognized configuration parameter "nonsense"'),
    ({"host": "/nowhere"}, "(?i)no such file or directory"),
    ({"host": "127.0.0.1", "port": "1"}, "(?i)connection refused"),
    ({"host": "host.invalid"}, "could not translate host name"),
    ({"sslmode": "verify-full", "sslrootcert": "/nowhere", "host": "127.0.0.1", "port": "1"}, "(?i)connection refused"),
])  # fmt: skip
async def test_no_session(face: str, libpq: str, pg_conninfo: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=text) as raised:
        await check(face, libpq, pg_conninfo, **options)
    with pytest.raises(psycopg.OperationalError) as theirs:
        psycopg.connect(pg_conninfo, **options)  # type: ignore[arg-type]
    assert isinstance(raised.value, type(theirs.value))


@pytest.mark.parametrize("dsn,options", [
    ("nonsense", {}), ("", {"nonsense": 5}), ("postgresql://[", {}), ("dbname='open", {}), ("host=a=b c", {}),
])  # fmt: skip
async def test_strings_that_are_wrong(face: str, dsn: str, options: dict[str, Any]) -> None:
    with pytest.raises(psycopg.ProgrammingError):
        await pg_faces.connect(face, dsn, **options)
    with pytest.raises(psycopg.ProgrammingError):
        psycopg.connect(dsn, **options)


async def test_several_hosts(face: str, libpq: str, pg_conninfo: str) -> None:
    words = conninfo_to_dict(pg_conninfo)
    several = {**words, "host": f"127.0.0.1,/nowhere,{words['host']}", "port": f"1,5432,{words['port']}"}
    assert (await check(face, libpq, "", **several))["d"] == words["dbname"]
    assert (await check(face, libpq, "", **several, target_session_attrs="read-write"))["d"] == words["dbname"]
    with pytest.raises(psycopg.OperationalError, match="not in hot standby"):
        await check(face, libpq, "", **several, target_session_attrs="standby")
    with pytest.raises(psycopg.OperationalError):
        await check(face, libpq, "", **{**several, "port": "1,2,3"})


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_server_that_says_nothing(pg_conninfo: str, silent: int) -> None:
    """All ways beside each other, for libpq's shortest timeout is two seconds: given up in time, or passed over for the next host."""
    words = conninfo_to_dict(pg_conninfo)
    nobody = f"host=127.0.0.1 port={silent} connect_timeout=2"
    several = {**words, "host": f"127.0.0.1,{words['host']}", "port": f"{silent},{words['port']}", "connect_timeout": "2"}
    found: dict[tuple[str, str], Any] = {}

    async def work(face: str, libpq: str) -> tuple[Any, Any, int]:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        turning = asyncio.create_task(turn())
        began = time.monotonic()
        refused = (await asyncio.gather(pg_faces.connect(face, nobody, libpq=libpq), return_exceptions=True))[0]
        took = time.monotonic() - began
        turning.cancel()
        return refused, (took, await check(face, libpq, "", **several)), turns

    def run(face: str, libpq: str) -> None:
        found[face, libpq] = asyncio.run(work(face, libpq))

    ways = [(face, libpq) for face in ("blocking", "async") for libpq in ("bundled", "system")]
    threads = [threading.Thread(target=run, args=way) for way in ways]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for way in ways:
        refused, (took, there), turns = found[way]
        assert isinstance(refused, errors.ConnectionTimeout) and 1 < took < 20, way
        assert there["d"] == words["dbname"], way
        assert way[0] == "blocking" or turns > 20, way  # the loop goes on meanwhile


async def test_connecting_is_cancelled(libpq: str, silent: int) -> None:
    task = asyncio.create_task(barewire.pg.connect_async(f"host=127.0.0.1 port={silent}", libpq=libpq))
    await asyncio.sleep(0.1)
    task.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 5


async def test_many_at_a_time(pg_conninfo: str, libpq: str) -> None:
    made = await asyncio.gather(*(barewire.pg.connect_async(pg_conninfo, libpq=libpq) for _ in range(20)))
    pids = await asyncio.gather(*(each.fetchval("SELECT pg_backend_pid()") for each in made))
    assert len(set(pids)) == 20 and pids == [each.backend_pid for each in made]
    await asyncio.gather(*(each.close() for each in made))


def test_many_threads(pg_conninfo: str, libpq: str) -> None:
    found: list[int] = []

    def work() -> None:
        with barewire.pg.connect(pg_conninfo, libpq=libpq) as made:
            found.extend(made.fetchval("SELECT $1::int", n) for n in range(50))

    threads = [threading.Thread(target=work) for _ in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(found) == sorted(list(range(50)) * 10)


async def test_as_a_block(face: str, pg_conninfo: str, libpq: str) -> None:
    with pytest.raises(LookupError):
        async with await pg_faces.connect(face, pg_conninfo, libpq=libpq) as made:
            assert await made.fetchval("SELECT 1") == 1 and "live_" in repr(made)
            raise LookupError
    assert made.closed and "closed" in repr(made)


async def test_one_that_is_forgotten(face: str, pg_conninfo: str, libpq: str) -> None:
    made = await pg_faces.connect(face, pg_conninfo, libpq=libpq)
    pid = made.backend_pid
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        del made
        gc.collect()
    assert [each.category for each in told] == [ResourceWarning] and "unclosed connection" in str(told[0].message)
    told.clear()  # a warning holds what it is about
    with psycopg.connect(pg_conninfo, autocommit=True) as witness:
        for _ in range(100):
            if not witness.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall():
                return
            await asyncio.sleep(0.05)
    pytest.fail("the session goes on")
