# PostgresServer with a real server: what it starts, what it leaves behind, what can be done to it.
from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from barewire.embedded import EmbeddedServerError, PostgresServer


def _allowed(seconds: float) -> float:
    """What is promised for a quiet machine, with a margin, and more on one that is busy with other things."""
    return seconds * 3 * (1 + os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter: as root, the server runs as somebody else."""
    path = Path(tempfile.mkdtemp(prefix="barewire-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _ask(server_or_conninfo: PostgresServer | str, statement: str) -> object:
    conninfo = server_or_conninfo if isinstance(server_or_conninfo, str) else server_or_conninfo.conninfo
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def _setting(server: PostgresServer, name: str) -> object:
    return _ask(server, f"SELECT current_setting('{name}')")


def test_temporary_server_on_a_socket() -> None:
    with PostgresServer():
        pass  # the cache of data folders is filled now
    started = time.monotonic()
    with PostgresServer() as server:
        assert time.monotonic() - started < _allowed(0.5)
        assert _ask(server, "SELECT 40 + 2") == 42
        assert _setting(server, "data_directory") == str(server.path)
        assert (_setting(server, "fsync"), _setting(server, "shared_buffers")) == ("off", "32MB")
        assert _setting(server, "listen_addresses") == ""
        assert (_setting(server, "server_encoding"), _ask(server, "SELECT upper('é')")) == ("UTF8", "É")
        path, socket, pid = server.path, Path(server.host), server.pid
        assert _ask(server, "SELECT pg_backend_pid()") != pid
        assert server.running and server.log_path.parent == path
        for private in (path, socket):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        stopping = time.monotonic()
    assert time.monotonic() - stopping < _allowed(1)
    assert not server.running
    assert not path.exists() and not socket.exists() and not _alive(pid)


def test_unprivileged_user_when_started_by_root() -> None:
    with PostgresServer() as server:
        owner = os.stat(f"/proc/{server.pid}").st_uid
        assert owner != 0 and owner == server.path.stat().st_uid
        assert os.getuid() in (0, owner)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_named_user_and_the_owner_of_existing_data(folder: Path) -> None:
    with PostgresServer(folder / "data", run_as="nobody") as server:
        owner = os.stat(f"/proc/{server.pid}").st_uid
        _ask(server, "CREATE TABLE kept AS SELECT 1 AS number")
    with PostgresServer(folder / "data") as server:
        assert os.stat(f"/proc/{server.pid}").st_uid == owner
        assert _ask(server, "SELECT number FROM kept") == 1
    with pytest.raises(EmbeddedServerError, match="no user 'no-such-user'"):
        PostgresServer(run_as="no-such-user").start()
    with pytest.raises(EmbeddedServerError, match="refuses to run as root"):
        PostgresServer(run_as="root").start()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_folder_that_the_user_may_not_enter(folder: Path) -> None:
    folder.chmod(0o700)
    with pytest.raises(EmbeddedServerError, match=f"may not enter {folder}"):
        PostgresServer(folder / "data").start()


def test_given_path_is_kept_and_used_again(folder: Path) -> None:
    path = folder / "not" / "there yet"
    with PostgresServer(path, "durable") as server:
        assert (_setting(server, "fsync"), _setting(server, "full_page_writes")) == ("on", "on")
        _ask(server, "CREATE TABLE kept AS SELECT 'stays' AS text")
    assert (path / "PG_VERSION").exists()
    assert not (path / "postmaster.pid").exists()  # ended in order
    with PostgresServer(path, keep=False) as server:
        assert _ask(server, "SELECT text FROM kept") == "stays"
    assert not path.exists()


def test_port(folder: Path) -> None:
    from barewire.embedded._ports import free_port

    port = free_port()
    with PostgresServer(port=port) as server:
        assert (server.port, server.host) == (port, "127.0.0.1")
        assert server.uri == f"postgresql://postgres@127.0.0.1:{port}/postgres"
        assert _ask(server.uri, "SELECT inet_server_port()") == port
        with pytest.raises(EmbeddedServerError, match="Address already in use"):
            PostgresServer(port=port).start()
    with PostgresServer(unix_socket=False) as server:
        assert _ask(server, "SELECT inet_server_port()") == server.port


def test_port_taken_between_choice_and_start(monkeypatch) -> None:
    from barewire.embedded import postgres

    with PostgresServer(unix_socket=False) as first:
        ports = iter([first.port, postgres.free_port()])
        monkeypatch.setattr(postgres, "free_port", lambda: next(ports))
        with PostgresServer(unix_socket=False) as second:
            assert second.port != first.port
            assert _ask(second, "SELECT inet_server_port()") == second.port


async def test_uri_is_for_asyncpg_too(postgres_server: PostgresServer) -> None:
    asyncpg = pytest.importorskip("asyncpg")
    connection = await asyncpg.connect(postgres_server.uri)
    try:
        assert await connection.fetchval("SELECT current_setting('data_directory')") == str(postgres_server.path)
    finally:
        await connection.close()


def test_databases_are_copies_of_a_template(postgres_server: PostgresServer) -> None:
    with postgres_server.create_database() as template:
        _ask(template.conninfo, "CREATE TABLE numbers AS SELECT generate_series(1, 100) AS number")
        started = time.monotonic()
        with postgres_server.create_database(template=template.name) as copy:
            assert time.monotonic() - started < _allowed(0.2)
            assert copy.name != template.name
            _ask(copy.conninfo, "DELETE FROM numbers WHERE number > 50")
            assert _ask(copy.uri, "SELECT count(*) FROM numbers") == 50
        assert _ask(template.uri, "SELECT count(*) FROM numbers") == 100
        with pytest.raises(psycopg.OperationalError, match=copy.name):
            psycopg.connect(copy.conninfo)


def test_database_is_dropped_under_an_open_connection(postgres_server: PostgresServer) -> None:
    name = 'odd "name\' here'
    with postgres_server.create_database(name) as database:
        connection = psycopg.connect(database.conninfo)
        assert connection.info.dbname == name
        assert _ask(database.uri, "SELECT current_database()") == name
    with pytest.raises(psycopg.OperationalError, match="administrator"):
        connection.execute("SELECT 1")
    connection.close()
    database.drop()  # harmless


def test_settings_and_hba_and_reload(folder: Path) -> None:
    hba = ["local all locked reject", "local all secretive scram-sha-256"]
    with PostgresServer(folder / "data", settings={"work_mem": "77MB", "fsync": True}, hba=hba) as server:
        assert (_setting(server, "work_mem"), _setting(server, "fsync")) == ("77MB", "on")
        for user in ("locked", "secretive"):
            _ask(server, f"CREATE USER {user} PASSWORD 'hidden'")
        with pytest.raises(psycopg.OperationalError, match="rejects"):
            psycopg.connect(server.conninfo, user="locked")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.conninfo, user="secretive", password="wrong")
        psycopg.connect(server.conninfo, user="secretive", password="hidden").close()
        (server.path / "barewire_hba.conf").write_text("local all all trust\n")
        server.reload()
        deadline = time.monotonic() + 10
        while True:
            try:
                psycopg.connect(server.conninfo, user="locked").close()
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.02)


def test_kill_and_restart_keep_address_and_data() -> None:
    with PostgresServer(preset="durable") as server:
        _ask(server, "CREATE TABLE kept AS SELECT 1 AS number")
        conninfo, pid, path = server.conninfo, server.pid, server.path
        with contextlib.closing(psycopg.connect(conninfo, autocommit=True)) as busy:
            backend = busy.info.backend_pid
            # Busy with calculation: it would not notice the death of its parent.
            busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000)")
            server.kill()
            assert not server.running and not _alive(pid) and not _alive(backend)
        assert server.wait(0) == -9
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(conninfo)
        server.restart()
        assert (server.conninfo, server.path) == (conninfo, path) and server.pid != pid
        assert _ask(server, "SELECT number FROM kept") == 1
        server.restart()
        assert _ask(server, "SELECT number FROM kept") == 1


def _segments() -> set[str]:
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


@pytest.mark.skipif(not Path("/proc/sysvipc/shm").exists(), reason="needs the list of shared memory segments")
def test_killed_server_leaves_no_shared_memory() -> None:
    with PostgresServer() as server:
        segment = (server.path / "postmaster.pid").read_text().splitlines()[6].split()[1]
        assert segment in _segments()
        server.kill()
        assert segment in _segments()
    assert segment not in _segments()


def test_pause_resume_and_stop_while_paused() -> None:
    with PostgresServer() as server:
        with contextlib.closing(psycopg.connect(server.conninfo, autocommit=True)) as connection:
            server.pause()
            connection.pgconn.send_query(b"SELECT 1")
            time.sleep(0.3)
            connection.pgconn.consume_input()
            assert connection.pgconn.is_busy()
            server.resume()
            assert connection.pgconn.get_result().get_value(0, 0) == b"1"
        server.pause()
        started, pid = time.monotonic(), server.pid
    assert not _alive(pid) and time.monotonic() - started < 5


def test_cold_start_without_a_cache(folder: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    started = time.monotonic()
    with PostgresServer() as server:
        assert time.monotonic() - started < _allowed(2)
        assert _ask(server, "SELECT 1") == 1
    (template,) = (folder / "barewire" / "postgres").iterdir()
    assert (template / "PG_VERSION").exists()
    assert template.stat().st_uid == os.getuid() and stat.S_IMODE(template.stat().st_mode) == 0o700


def test_cache_that_others_could_write_to_is_not_used(folder: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("barewire", f"barewire-cache-{os.getuid()}"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    with PostgresServer() as server:
        assert _ask(server, "SELECT 1") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["barewire", f"barewire-cache-{os.getuid()}"]
    assert not list((folder / "barewire").iterdir())


def test_two_processes_fill_the_cache_at_once(folder: Path) -> None:
    program = (
        "import psycopg\nfrom barewire.embedded import PostgresServer\n"
        "with PostgresServer() as server, psycopg.connect(server.conninfo) as connection:\n"
        "    print(connection.execute('SELECT 42').fetchone()[0])\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder)}
    running = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate(timeout=120)[0] for process in running] == ["42\n"] * 3
    (template,) = (folder / "barewire" / "postgres").iterdir()  # and nothing unfinished
    assert (template / "PG_VERSION").exists()


class TestFailures:
    def test_tail_of_the_log(self, folder: Path) -> None:
        server = PostgresServer(folder / "data", settings={"max_connections": "plenty"})
        with pytest.raises(EmbeddedServerError, match='invalid value for parameter "max_connections": "plenty"'):
            server.start()
        assert not server.running
        assert (folder / "data" / "PG_VERSION").exists()  # a given folder stays

    def test_temporary_folders_go(self, folder: Path, monkeypatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        with pytest.raises(EmbeddedServerError, match="no_such_setting"):
            PostgresServer(settings={"no_such_setting": 1}).start()
        assert not [path.name for path in folder.iterdir() if "cache" not in path.name]

    def test_folder_in_use(self, folder: Path) -> None:
        with PostgresServer(folder / "data") as server:
            with pytest.raises(EmbeddedServerError, match="lock file .* already exists"):
                PostgresServer(folder / "data", keep=False).start()
            assert _ask(server, "SELECT 1") == 1

    def test_folder_of_something_else(self, folder: Path) -> None:
        (folder / "precious").write_text("text")
        with pytest.raises(EmbeddedServerError, match="neither empty nor a data folder"):
            PostgresServer(folder, keep=False).start()
        assert (folder / "precious").exists()

    def test_path_is_a_file(self, folder: Path) -> None:
        (folder / "file").write_text("")
        with pytest.raises(EmbeddedServerError, match="file"):
            PostgresServer(folder / "file").start()

    def test_too_slow(self) -> None:
        server = PostgresServer(start_timeout=0.0)
        with pytest.raises(EmbeddedServerError, match="within 0 s"):
            server.start()
        assert not server.running

    def test_bad_arguments(self) -> None:
        with pytest.raises(ValueError, match="test, durable"):
            PostgresServer(preset="fast")
        with pytest.raises(ValueError, match="65535"):
            PostgresServer(port=70000)
        with pytest.raises(ValueError, match="exclude"):
            PostgresServer(port=7000, unix_socket=True)
        with pytest.raises(ValueError, match="unix_socket_directories"):
            PostgresServer(settings={"unix_socket_directories": "/tmp"})
        with pytest.raises(TypeError, match="sequence"):
            PostgresServer(hba="local all all trust")

    def test_before_the_start(self) -> None:
        server = PostgresServer()
        for use in (lambda: server.conninfo, lambda: server.pid, server.kill, server.restart):
            with pytest.raises(RuntimeError, match="not started"):
                use()
        server.stop()

    def test_a_forked_child_leaves_it_alone(self) -> None:
        with PostgresServer() as server:
            child = os.fork()
            if child == 0:
                try:
                    server.stop()
                    server.kill()
                except RuntimeError:
                    os._exit(7)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            assert _ask(server, "SELECT 1") == 1
