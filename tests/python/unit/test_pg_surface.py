# The public surface of barewire.pg: both faces alike, generated files up to date, settings checked.
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import barewire.pg
from barewire.pg import _library, _statements

ROOT = Path(__file__).resolve().parents[3]


def test_blocking_files_are_generated_from_the_asyncio_ones() -> None:
    script = ROOT / "tools" / "gen_sync.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["Connection", "Batch", "Cursor", "PreparedStatement", "Transaction"])
def test_both_faces_have_the_same_methods(name: str) -> None:
    blocking, asynchronous = getattr(barewire.pg, name), getattr(barewire.pg, f"Async{name}")
    public = {n for n in dir(blocking) if not n.startswith("_")}
    assert public == {n for n in dir(asynchronous) if not n.startswith("_")}
    assert all(getattr(blocking, n).__doc__ for n in public if callable(getattr(blocking, n)))


def test_begin() -> None:
    assert _statements.begin_text(None, None, None) == "BEGIN"
    assert _statements.begin_text("Repeatable Read", True, False) == (
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE"
    )
    assert _statements.begin_text(psycopg.IsolationLevel.SERIALIZABLE, False, True) == (
        "BEGIN ISOLATION LEVEL SERIALIZABLE, READ WRITE, DEFERRABLE"
    )
    for wrong in ("snapshot", 5, "serializable; DROP TABLE x"):
        with pytest.raises(ValueError, match="isolation must be one of"):
            _statements.begin_text(wrong, None, None)


def test_identifiers() -> None:
    assert _statements.identifier('a"b') == '"a""b"'
    assert _statements.table_name("t", "S") == '"S"."t"'
    assert _statements.column_list(["a", "B c"]) == ' ("a", "B c")' and _statements.column_list(None) == ""
    for wrong in ("", "a\0b"):
        with pytest.raises(psycopg.ProgrammingError):
            _statements.identifier(wrong)
    with pytest.raises(TypeError):
        _statements.column_list("ab")
    with pytest.raises(psycopg.ProgrammingError):
        _statements.column_list([])


def test_choice_of_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAREWIRE_LIBPQ", raising=False)
    assert "psycopg_" in _library.libpq_path()  # installed with the tests
    assert _library.libpq_path("bundled") == _library.libpq_path()
    assert _library.libpq_path("system").startswith("libpq")
    assert _library.libpq_path("/some/libpq.so") == "/some/libpq.so"
    monkeypatch.setenv("BAREWIRE_LIBPQ", "system")
    assert _library.libpq_path().startswith("libpq") and "psycopg_" in _library.libpq_path("bundled")


def test_a_library_that_is_none() -> None:
    with pytest.raises(psycopg.NotSupportedError, match="libpq cannot be used"):
        barewire.pg.connect("", libpq="/nowhere/libpq.so")


def test_settings() -> None:
    with pytest.raises(TypeError, match="rows must be"):
        barewire.pg.connect("", rows=list)
    for wrong in (-1, "5", None):
        with pytest.raises(ValueError, match="statement_cache_size"):
            barewire.pg.connect("", statement_cache_size=wrong)
    with pytest.raises(psycopg.ProgrammingError):
        barewire.pg.connect("", nonsense=5)


def test_nothing_is_opened_by_importing() -> None:
    source = "import barewire.pg, sys; print('psycopg_binary' in sys.modules or 0, len(__import__('os').listdir('/proc/self/fd')))"
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    done = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", source], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[1]) <= 5 and done.stderr == ""
