# Wrong passwords and missing TLS: PyMongo's classes, in time, and no credential in any text.
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pymongo
import pymongo.errors
import pytest

import barewire.mongo
from barewire.embedded import MongoServer

PASSWORD = "correct horse / battery?"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text("a" * 64)
    key.chmod(0o600)
    with MongoServer(replica_set=False, extra_args=["--auth"]) as server:
        with pymongo.MongoClient(server.direct_uri) as client:
            client.admin.command("createUser", "ann", pwd=PASSWORD, roles=["root"], mechanisms=["SCRAM-SHA-1", "SCRAM-SHA-256"])
        yield server


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
async def test_scram(guarded: MongoServer, mechanism: str) -> None:
    uri = f"mongodb://ann:{quote(PASSWORD, safe='')}@{guarded.address}/?authMechanism={mechanism}&authSource=admin"
    with barewire.mongo.MongoClient(uri) as client:
        client.test.things.insert_one({"x": mechanism})
        assert client.test.things.find_one({"x": mechanism})["x"] == mechanism
    async with barewire.mongo.AsyncMongoClient(guarded.address, username="ann", password=PASSWORD, authMechanism=mechanism) as later:
        assert (await later.test.things.find_one({"x": mechanism}))["x"] == mechanism
        assert await later.test.things.count_documents({"x": mechanism}) == 1


@pytest.mark.parametrize("user,password", [("ann", "wrong"), ("nobody", PASSWORD)])
async def test_wrong_password(guarded: MongoServer, user: str, password: str) -> None:
    # A client each: after a refused handshake the server counts as unknown for a while, in PyMongo too.
    arguments = {"username": user, "password": password, "serverSelectionTimeoutMS": 3000}
    for call in (lambda c: c.test.things.find_one(), lambda c: c.admin.command("listDatabases")):
        with barewire.mongo.MongoClient(guarded.address, **arguments) as client:
            with pytest.raises(pymongo.errors.OperationFailure) as caught:
                call(client)
            assert caught.value.code == 18
            assert password not in str(caught.value) and password not in repr(client)
    async with barewire.mongo.AsyncMongoClient(guarded.address, **arguments) as later:
        with pytest.raises(pymongo.errors.OperationFailure) as caught:
            await later.test.things.find_one()
        assert caught.value.code == 18


def test_no_credentials_at_all(guarded: MongoServer) -> None:
    with barewire.mongo.MongoClient(guarded.address) as client, pytest.raises(pymongo.errors.OperationFailure) as caught:
        client.test.things.find_one()
    assert caught.value.code == 13


def test_tls_asked_of_a_plain_server(guarded: MongoServer) -> None:
    with barewire.mongo.MongoClient(guarded.address, tls=True, tlsAllowInvalidCertificates=True, serverSelectionTimeoutMS=1500) as client:
        with pytest.raises(pymongo.errors.ServerSelectionTimeoutError):
            client.test.things.find_one()


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MongoServer, Path]]:
    import subprocess

    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    arguments = ["--tlsMode", "preferTLS", "--tlsCertificateKeyFile", str(both)]
    with MongoServer(replica_set=False, extra_args=arguments) as server:
        with pymongo.MongoClient(server.direct_uri) as client:
            client.admin.command("ping")
        yield server, folder / "cert.pem"


async def test_tls(tls_server: tuple[MongoServer, Path]) -> None:
    server, certificate = tls_server
    options = {"tls": True, "tlsCAFile": str(certificate)}
    with barewire.mongo.MongoClient("127.0.0.1", server.port, **options) as client:
        client.test.things.insert_many([{"_id": i, "x": "x" * 5000} for i in range(2000)])
        assert len(client.test.things.find().to_list()) == 2000
    async with barewire.mongo.AsyncMongoClient("127.0.0.1", server.port, **options) as later:
        assert (await later.test.things.find_one({"_id": 7}))["_id"] == 7
        assert len(await later.test.things.find().to_list()) == 2000
        assert await later.test.things.count_documents({}) == 2000


def test_tls_unknown_authority(tls_server: tuple[MongoServer, Path]) -> None:
    server, _ = tls_server
    with barewire.mongo.MongoClient("127.0.0.1", server.port, tls=True, serverSelectionTimeoutMS=1500) as client:
        with pytest.raises(pymongo.errors.ServerSelectionTimeoutError):
            client.test.things.find_one()
