# Which mongod is used, by whom it can be run, and what is needed to import the module.
from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import barewire
from barewire.embedded import EmbeddedServerError, MongoServer, _mongod_program
from barewire.embedded._mongod_program import find_mongod


@pytest.fixture
def program(tmp_path) -> Path:
    path = tmp_path / "bin" / "mongod"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_argument_then_variable_then_path_then_package(program: Path, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("BAREWIRE_MONGOD", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    packaged = find_mongod()
    assert packaged.name == "mongod" and "fiftyone" in packaged.parts
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_mongod() == program
    other = shutil.copy(program, tmp_path / "other")
    monkeypatch.setenv("BAREWIRE_MONGOD", str(other))
    assert find_mongod() == Path(other)
    assert find_mongod(program) == program
    assert find_mongod("mongod") == program  # a bare name is looked up


def test_none_at_all_says_how_to_get_one(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("BAREWIRE_MONGOD", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_mongod_program, "_DISTRIBUTIONS", ("no-such-distribution",))
    with pytest.raises(EmbeddedServerError, match=r'pip install "barewire\[embedded\]"'):
        MongoServer().start()


def test_named_one_is_missing_or_not_executable(program: Path, monkeypatch, tmp_path) -> None:
    with pytest.raises(EmbeddedServerError, match="no file"):
        find_mongod(tmp_path / "missing")
    monkeypatch.setenv("BAREWIRE_MONGOD", str(tmp_path / "missing"))
    with pytest.raises(EmbeddedServerError, match="BAREWIRE_MONGOD"):
        find_mongod()
    program.chmod(0o644)
    with pytest.raises(EmbeddedServerError, match="may not be executed"):
        find_mongod(program)


def test_import_needs_neither_the_compiled_module_nor_pymongo() -> None:
    code = (
        "import sys\n"
        "sys.modules['barewire._core'] = sys.modules['pymongo'] = sys.modules['bson'] = None\n"
        "import barewire, barewire.embedded, barewire.cli\n"
        "barewire.embedded.MongoServer()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


_AS_USER = """
import os, sys
import pymongo
from barewire.embedded import MongoServer
with MongoServer() as server, pymongo.MongoClient(server.uri) as client:
    client.a.b.insert_one({})
    print(os.getuid(), os.stat(f"/proc/{server.pid}").st_uid, os.stat(server.path).st_uid)
"""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_can_run_it() -> None:
    nobody = pwd.getpwnam("nobody")
    mongod = find_mongod()
    # The tests may run from folders that only root may read: what is needed is laid out elsewhere.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        package = Path(barewire.__file__).parent
        no_binaries = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(package, Path(folder, "barewire"), ignore=no_binaries)
        for name in ("pymongo", "bson", "gridfs", "dns"):
            for parent in sys.path:
                if os.path.isdir(os.path.join(parent, name)):
                    shutil.copytree(os.path.join(parent, name), Path(folder, name))
                    break
        environment = {"PATH": os.defpath, "PYTHONPATH": folder, "BAREWIRE_MONGOD": str(mongod)}
        options = {"capture_output": True, "text": True, "env": environment, "cwd": "/", "timeout": 90}
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

        def run(*command: str) -> subprocess.CompletedProcess:
            try:
                return subprocess.run(command, **options)
            except PermissionError:
                return subprocess.CompletedProcess(command, 126, "", "")

        if run(str(mongod), "--version").returncode:
            pytest.skip("this mongod is in a folder that others may not read")
        same_version = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
        for interpreter in (sys.executable, same_version, "/usr/bin/python3"):
            if run(interpreter, "-c", "import pymongo").returncode == 0:
                break
        else:
            pytest.skip("no Python interpreter that others may execute")
        done = run(interpreter, "-X", "dev", "-W", "error", "-c", _AS_USER)
        assert done.stdout.split() == [str(nobody.pw_uid)] * 3, done.stderr
