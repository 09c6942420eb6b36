# MongoServer with a real mongod: what it starts, what it leaves behind, what can be done to it.
from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import pymongo
import pytest
from pymongo.errors import PyMongoError

from barewire.embedded import EmbeddedServerError, MongoServer


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_replica_set_of_one_takes_transactions_and_change_streams() -> None:
    started = time.monotonic()
    with MongoServer() as server:
        # Measured 0.4 to 1 s; a machine that is busy with other tests gets more.
        assert time.monotonic() - started < 10
        with pymongo.MongoClient(server.uri) as client:
            collection = client.shop.orders
            collection.insert_one({"_id": 0})
            with collection.watch(max_await_time_ms=5000) as stream:
                with client.start_session() as session, session.start_transaction():
                    collection.insert_one({"_id": 1}, session=session)
                change = stream.next()
            assert change["fullDocument"] == {"_id": 1}
            assert client.topology_description.replica_set_name == server.replica_set_name == "rs0"
            assert client.admin.command("serverStatus")["pid"] == server.pid
        path, pid = server.path, server.pid
        assert server.running and server.log_path.parent == path
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert not server.running
    assert not path.exists() and not _alive(pid)


def test_standalone() -> None:
    with MongoServer(replica_set=False) as server:
        assert server.uri == f"mongodb://127.0.0.1:{server.port}/?directConnection=true"
        with pymongo.MongoClient(server.uri) as client:
            assert "setName" not in client.admin.command("hello")
            assert client.a.b.insert_one({}).acknowledged


@pytest.mark.parametrize("replica_set", [True, False])
def test_unix_socket_only(replica_set: bool) -> None:
    with MongoServer(unix_socket=True, replica_set=replica_set) as server:
        socket = server.address
        assert stat.S_ISSOCK(os.stat(socket).st_mode)
        with pymongo.MongoClient(server.uri) as client:
            assert client.a.b.insert_one({}).acknowledged
            assert client.admin.command("getCmdLineOpts")["parsed"]["net"]["bindIp"] == socket
    assert not os.path.exists(os.path.dirname(socket))


def test_given_port_and_name() -> None:
    from barewire.embedded._ports import free_port

    port = free_port()
    with MongoServer(port=port, replica_set="mine") as server:
        assert (server.port, server.address) == (port, f"127.0.0.1:{port}")
        assert server.uri == f"mongodb://127.0.0.1:{port}/?replicaSet=mine"
        with pymongo.MongoClient(server.uri) as client:
            assert client.admin.command("hello")["setName"] == "mine"


def test_given_path_is_kept_and_used_again_under_another_port(tmp_path) -> None:
    path = tmp_path / "not" / "there yet"
    with MongoServer(path) as server:
        first = server.port
        with pymongo.MongoClient(server.uri) as client:
            client.a.b.insert_one({"_id": "stays"})
    assert path.is_dir()
    with MongoServer(path, keep=False, port=first - 1) as server:
        assert server.port != first
        with pymongo.MongoClient(server.uri) as client:
            assert client.a.b.find_one() == {"_id": "stays"}
            client.a.b.insert_one({"_id": "writable"})
    assert not path.exists()


def test_data_of_a_standalone_become_a_replica_set_on_a_socket(tmp_path) -> None:
    for options in ({"replica_set": False}, {"unix_socket": True}, {}):
        with MongoServer(tmp_path, **options) as server, pymongo.MongoClient(server.uri) as client:
            client.a.b.update_one({"_id": 0}, {"$inc": {"runs": 1}}, upsert=True)
            runs = client.a.b.find_one()["runs"]
    assert runs == 3


def test_temporary_folder_can_be_kept() -> None:
    with MongoServer(keep=True, replica_set=False) as server:
        path = server.path
    assert (path / "WiredTiger.wt").exists()
    shutil.rmtree(path)


def test_kill_and_restart_keep_port_and_data() -> None:
    with MongoServer() as server, pymongo.MongoClient(server.uri, serverSelectionTimeoutMS=10000) as client:
        collection = client.a.get_collection("b", write_concern=pymongo.WriteConcern("majority", j=True))
        collection.insert_one({"_id": 0})
        port, pid, path = server.port, server.pid, server.path
        server.kill()
        assert not server.running and not _alive(pid)
        assert server.wait(0) == -signal.SIGKILL
        with pymongo.MongoClient(server.direct_uri, serverSelectionTimeoutMS=200) as late:
            with pytest.raises(PyMongoError):
                late.admin.command("ping")
        server.restart()
        assert (server.port, server.path) == (port, path) and server.pid != pid
        assert collection.find_one() == {"_id": 0}
        server.restart()
        assert collection.find_one() == {"_id": 0}


def test_pause_resume_and_stop_while_paused() -> None:
    with MongoServer(replica_set=False) as server:
        with pymongo.MongoClient(server.uri, socketTimeoutMS=300, retryReads=False) as client:
            client.admin.command("ping")
            server.pause()
            with pytest.raises(PyMongoError):
                client.admin.command("ping")
            server.resume()
            client.admin.command("ping")
        server.pause()
        started, pid = time.monotonic(), server.pid
    assert not _alive(pid) and time.monotonic() - started < 5


def test_start_and_stop_without_with() -> None:
    server = MongoServer(replica_set=False)
    server.stop()
    assert server.start() is server
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    first = server.path
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="not started"):
        server.port  # noqa: B018
    server.start()
    assert server.path != first
    server.stop()


def test_options_reach_the_server() -> None:
    with MongoServer(
        replica_set=False,
        cache_megabytes=64,
        enable_test_commands=True,
        parameters={"maxBSONDepth": 150, "diagnosticDataCollectionEnabled": False},
        extra_args=["--setParameter", "notablescan=true"],
    ) as server:
        with pymongo.MongoClient(server.uri) as client:
            cache = client.admin.command("serverStatus")["wiredTiger"]["cache"]["maximum bytes configured"]
            assert cache == 64 << 20
            parameters = client.admin.command("getParameter", maxBSONDepth=1, notablescan=1)
            assert (parameters["maxBSONDepth"], parameters["notablescan"]) == (150, True)
            fail = {"mode": {"times": 1}, "data": {"failCommands": ["ping"], "errorCode": 8}}
            client.admin.command("configureFailPoint", "failCommand", **fail)
            with pytest.raises(pymongo.errors.OperationFailure):
                client.admin.command("ping")
        used = sum(file.stat().st_size for file in server.path.rglob("*") if file.is_file())
        assert used < 64 << 20  # no preallocated journal


def test_authentication_by_extra_arguments(tmp_path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("a" * 60)
    key_file.chmod(0o600)
    with MongoServer(extra_args=["--auth", "--keyFile", str(key_file)]) as server:
        with pymongo.MongoClient(server.direct_uri) as client:  # the first user, by the localhost exception
            client.admin.command("createUser", "ada", pwd="secret", roles=["root"])
        server.restart()
        with pymongo.MongoClient(server.uri, username="ada", password="secret") as client:
            assert client.a.b.insert_one({}).acknowledged
        with pymongo.MongoClient(server.uri, username="ada", password="wrong") as client:
            with pytest.raises(pymongo.errors.OperationFailure, match="Authentication failed"):
                client.a.b.find_one()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the certificate is made by openssl")
def test_tls_by_extra_arguments(tmp_path) -> None:
    both, key = tmp_path / "both.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(both)],
        check=True,
        capture_output=True,
    )
    with both.open("a") as file:
        file.write(key.read_text())
    options = {"tls": True, "tlsCAFile": str(both)}
    # A replica set's member talks to itself while it is initiated, so the certificate is its client's too.
    arguments = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(both), "--tlsCAFile", str(both)]
    arguments.append("--tlsAllowConnectionsWithoutCertificates")
    with MongoServer(extra_args=arguments, client_options=options) as server:
        with pymongo.MongoClient(server.uri, **options) as client:
            assert client.a.b.insert_one({}).acknowledged
        with pymongo.MongoClient(server.uri, serverSelectionTimeoutMS=300) as client:
            with pytest.raises(PyMongoError):
                client.a.b.find_one()


def test_a_forked_child_leaves_the_server_alone() -> None:
    code = (
        "import os, sys\n"
        "from barewire.embedded import MongoServer\n"
        "with MongoServer(replica_set=False) as server:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        try:\n"
        "            server.kill()\n"
        "        except RuntimeError:\n"
        "            server.stop()\n"
        "            sys.stdout.write('refused ')\n"
        "            sys.exit()\n"
        "    os.waitpid(child, 0)\n"
        "    assert server.running\n"
        "    print('alive')\n"
    )
    done = subprocess.run([sys.executable, "-u", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("refused alive", 0), done.stderr


class TestFailures:
    """Each start that fails says why, quickly, and leaves nothing behind."""

    def test_unknown_argument(self) -> None:
        with pytest.raises(EmbeddedServerError, match="unrecognised option '--no-such-option'"):
            MongoServer(extra_args=["--no-such-option"]).start()

    def test_unknown_parameter(self) -> None:
        server = MongoServer(parameters={"noSuchParameter": 1})
        with pytest.raises(EmbeddedServerError, match="noSuchParameter"):
            server.start()
        assert not server.running

    def test_port_in_use(self) -> None:
        with MongoServer(replica_set=False) as first:
            with pytest.raises(EmbeddedServerError, match="Address already in use"):
                MongoServer(port=first.port).start()
            assert first.running

    def test_data_folder_in_use(self, tmp_path) -> None:
        with MongoServer(tmp_path, replica_set=False) as first:
            with pytest.raises(EmbeddedServerError, match="mongod.lock"):
                MongoServer(tmp_path, replica_set=False, keep=False).start()
            assert first.running and (tmp_path / "WiredTiger.wt").exists()

    def test_nothing_is_left_and_a_restart_can_be_tried_again(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with pytest.raises(EmbeddedServerError):
            MongoServer(extra_args=["--no-such-option"], unix_socket=True).start()
        assert list(tmp_path.iterdir()) == []
        with MongoServer() as server, pymongo.MongoClient(server.uri) as client:
            client.a.b.insert_one({"_id": 0})
            client.admin.command("fsync")
            server.kill()
            with MongoServer(replica_set=False, port=server.port):
                with pytest.raises(EmbeddedServerError, match="in use"):
                    server.restart()
            server.restart()
            assert client.a.b.find_one() == {"_id": 0}
        assert list(tmp_path.iterdir()) == []

    def test_path_is_a_file(self, tmp_path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(EmbeddedServerError, match="file"):
            MongoServer(tmp_path / "file").start()

    def test_too_slow(self) -> None:
        server = MongoServer(start_timeout=0.02)
        with pytest.raises(EmbeddedServerError, match="within 0.02 s"):
            server.start()
        assert not server.running

    def test_program_is_not_one(self, tmp_path) -> None:
        program = tmp_path / "mongod"
        program.write_text("not a program")
        program.chmod(0o755)
        with pytest.raises(EmbeddedServerError, match="cannot execute"):
            MongoServer(mongod=program).start()

    def test_port_taken_between_choice_and_start(self, monkeypatch) -> None:
        from barewire.embedded import mongo

        with MongoServer(replica_set=False) as first:
            ports = iter([first.port, mongo.free_port()])
            monkeypatch.setattr(mongo, "free_port", lambda: next(ports))
            with MongoServer(replica_set=False) as second:
                assert second.port != first.port
                with pymongo.MongoClient(second.uri) as client:
                    assert client.admin.command("serverStatus")["pid"] == second.pid

    @pytest.mark.parametrize("argument", ["--port", "--dbpath=/tmp", "--fork", "--replSet"])
    def test_arguments_with_a_parameter_of_their_own(self, argument: str) -> None:
        with pytest.raises(ValueError, match=argument.split("=")[0]):
            MongoServer(extra_args=[argument])

    def test_bad_port_and_bad_arguments(self) -> None:
        with pytest.raises(ValueError, match="65535"):
            MongoServer(port=70000)
        with pytest.raises(TypeError, match="sequence"):
            MongoServer(extra_args="--auth")
