# `python -m barewire embedded mongo` as a user runs it: what it prints, how it ends.
from __future__ import annotations

import os
import signal
import subprocess
import sys

import pymongo
import pytest


def _command(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "barewire", "embedded", "mongo", *arguments],
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
