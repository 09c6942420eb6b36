# `python -m barewire embedded` as a user runs it: what it prints, how it ends.
from __future__ import annotations

import os
import signal
import subprocess
import sys

import psycopg
import pymongo
import pytest


def _command(*arguments: str, server: str = "mongo") -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "barewire", "embedded", server, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_prints_the_uri_and_ends_with_a_signal(number: signal.Signals) -> None:
    process = _command()
    uri = process.stdout.readline().strip()
    with pymongo.MongoClient(uri) as client:
        assert client.a.b.insert_one({}).acknowledged
        path = client.admin.command("getCmdLineOpts")["parsed"]["storage"]["dbPath"]
    assert os.path.isdir(path)
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert (output, process.returncode) == ("", 0)
    assert f"data in {path} (removed at the end)" in errors
    assert not os.path.exists(path)


def test_options(tmp_path) -> None:
    arguments = ["--path", str(tmp_path), "--standalone", "--unix-socket", "--enable-test-commands"]
    process = _command(*arguments, "--cache-megabytes", "300", "--", "--setParameter", "notablescan=true")
    uri = process.stdout.readline().strip()
    assert ".sock/" in uri
    with pymongo.MongoClient(uri) as client:
        options = client.admin.command("getCmdLineOpts")["parsed"]
        assert options["storage"]["dbPath"] == str(tmp_path)
        assert "replication" not in options
        assert options["setParameter"]["enableTestCommands"] == "1"
        assert options["setParameter"]["notablescan"] == "true"
        engine = options["storage"]["wiredTiger"]["engineConfig"]
        assert engine["cacheSizeGB"] == pytest.approx(300 / 1024, abs=0.001)
    process.terminate()
    process.communicate(timeout=30)
    assert (tmp_path / "WiredTiger.wt").exists()


def test_end_of_the_server_is_an_error() -> None:
    process = _command("--standalone")
    uri = process.stdout.readline().strip()
    with pymongo.MongoClient(uri) as client:
        os.kill(client.admin.command("serverStatus")["pid"], signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "exit code -9" in errors and "Waiting for connections" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--", "--no-such-option"], 1, "unrecognised option"),
        (["--mongod", "/no/such/program"], 1, "/no/such/program"),
        (["--standalone", "--replica-set", "x"], 2, "exclude each other"),
        (["--port", "0"], 2, "65535"),
        (["--", "--fork"], 2, "--fork"),
    ],
)
def test_bad_options_are_one_readable_error(arguments: list[str], code: int, text: str) -> None:
    process = _command(*arguments)
    output, errors = process.communicate(timeout=30)
    assert (output, process.returncode) == ("", code)
    assert text in errors and "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_postgres_prints_the_uri_and_ends_with_a_signal(number: signal.Signals) -> None:
    process = _command("--set", "work_mem=77MB", server="postgres")
    uri = process.stdout.readline().strip()
    with psycopg.connect(uri) as connection:
        asked = "SELECT current_setting('data_directory'), current_setting('work_mem'), current_setting('fsync')"
        path, memory, fsync = connection.execute(asked).fetchone()
    assert (memory, fsync) == ("77MB", "off")
    assert os.path.isdir(path)
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert (output, process.returncode) == ("", 0)
    assert f"data in {path} (removed at the end)" in errors
    assert not os.path.exists(path)


def test_postgres_on_a_port_with_durable_data() -> None:
    process = _command("--tcp", "--preset", "durable", server="postgres")
    with psycopg.connect(process.stdout.readline().strip()) as connection:
        asked = "SELECT inet_server_addr() IS NOT NULL, current_setting('fsync')"
        assert connection.execute(asked).fetchone() == (True, "on")
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_end_of_postgres_is_an_error() -> None:
    process = _command(server="postgres")
    with psycopg.connect(process.stdout.readline().strip(), autocommit=True) as connection:
        (pid,) = connection.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'").fetchone()
        with open(f"/proc/{pid}/stat") as file:
            os.kill(int(file.read().rpartition(")")[2].split()[1]), signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "exit code -9" in errors and "ready to accept connections" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--set", "no_such_setting=1"], 1, "no_such_setting"),
        (["--set", "work_mem"], 2, "NAME=VALUE"),
        (["--programs", "/no/such/folder"], 1, "/no/such/folder"),
        (["--port", "0"], 2, "65535"),
        (["--port", "7000", "--tcp"], 2, "not allowed with"),
        (["--set", "port=7000"], 2, "set by PostgresServer itself"),
    ],
)
def test_bad_options_of_postgres_are_one_readable_error(arguments: list[str], code: int, text: str) -> None:
    process = _command(*arguments, server="postgres")
    output, errors = process.communicate(timeout=30)
    assert (output, process.returncode) == ("", code)
    assert text in errors and "Traceback" not in errors
