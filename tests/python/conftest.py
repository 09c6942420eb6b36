# Fixtures for every Python test: servers, started once and only if a test asks; databases of one's own.
from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from barewire.embedded import MongoServer, PostgresServer

# Tests that kill processes and hold deadlines: one repetition tells a busy machine from a fault. pytest counts it as a rerun.
_WITH_DEADLINES = (
    "tests/python/embedded/",
    "tests/python/faults/",
    "tests/python/threads/",
    "tests/python/live/test_harness",
    "tests/python/unit/test_harness_equal_peers",  # compares times, beside other workers
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(_WITH_DEADLINES):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[MongoServer]:
    """A replica set of one with fail points allowed, shared by all tests: whoever kills or pauses a server,
    or sets a fail point that others would meet, starts a MongoServer for that."""
    with MongoServer(enable_test_commands=True) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_uri(request: pytest.FixtureRequest) -> str:
    """The server for ordinary tests: $BAREWIRE_TEST_MONGODB, else the shared embedded one.

    With w=1: a replica set's default waits for the journal, which only makes tests slow.
    """
    uri = os.environ.get("BAREWIRE_TEST_MONGODB") or request.getfixturevalue("mongo_server").uri
    if "w=" in uri.partition("?")[2]:
        return uri
    separator = "&" if "?" in uri else "?" if uri.count("/") > 2 else "/?"
    return f"{uri}{separator}w=1"


@pytest.fixture(scope="session")
def standalone_server() -> Iterator[MongoServer]:
    """A server without a replica set (no sessions' retries, no transactions), shared by all tests."""
    with MongoServer(replica_set=False, enable_test_commands=True) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server with the preset ``test`` on a Unix socket, shared by all tests: whoever kills, pauses or configures
    a server starts a PostgresServer for that."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_conninfo(request: pytest.FixtureRequest) -> str:
    """The server for ordinary tests, with its superuser: $BAREWIRE_TEST_POSTGRES, else the shared embedded one."""
    return os.environ.get("BAREWIRE_TEST_POSTGRES") or request.getfixturevalue("postgres_server").conninfo


@pytest.fixture
def postgres_database(postgres_conninfo: str) -> Iterator[str]:
    """The connection string of a new, empty database that no other test uses; dropped afterwards."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield make_conninfo(postgres_conninfo, dbname=name)
    with psycopg.connect(postgres_conninfo, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_name(mongo_uri: str) -> Iterator[str]:
    """The name of a database that no other test uses; dropped afterwards."""
    import pymongo

    name = f"test_{uuid.uuid4().hex}"
    yield name
    with pymongo.MongoClient(mongo_uri) as client:
        client.drop_database(name)
