# Fixtures of the tests that compare with PyMongo on a real server.
from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pg_faces
import psycopg
import pymongo
import pymongo.database
import pytest
from psycopg.conninfo import make_conninfo

pytest.register_assert_rewrite("parity_fixtures")


@pytest.fixture(scope="session")
def pymongo_client(mongo_uri: str) -> Iterator[pymongo.MongoClient]:
    """PyMongo's own client: the witness of what really is on the server."""
    with pymongo.MongoClient(mongo_uri) as client:
        yield client


@pytest.fixture
def pymongo_database(pymongo_client: pymongo.MongoClient, database_name: str) -> pymongo.database.Database:
    """The test's own database, seen by PyMongo."""
    return pymongo_client[database_name]


@pytest.fixture(scope="session")
def pg_conninfo(postgres_conninfo: str) -> Iterator[str]:
    """A database for all tests of the PostgreSQL client; each test has a schema of its own in it."""
    name = f"live_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield make_conninfo(postgres_conninfo, dbname=name)
    with psycopg.connect(postgres_conninfo, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def pg_schema(pg_conninfo: str) -> Iterator[str]:
    """The connection string of the test's own, empty schema."""
    name = f"s_{uuid.uuid4().hex}"
    with psycopg.connect(pg_conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    yield make_conninfo(pg_conninfo, options=f"-c search_path={name}")
    with psycopg.connect(pg_conninfo, autocommit=True) as connection:
        connection.execute(f"SET client_min_messages = error; DROP SCHEMA {name} CASCADE")


@pytest.fixture
def witness(pg_schema: str) -> Iterator[psycopg.Connection[Any]]:
    """psycopg's own connection: what really is in the database."""
    with psycopg.connect(pg_schema, autocommit=True) as connection:
        yield connection


@pytest.fixture(params=["blocking", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["bundled", "system"])
def libpq(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def session(face: str, libpq: str, pg_schema: str) -> AsyncIterator[Any]:
    """A connection of either face on either libpq; what is awaited is the same."""
    made = await pg_faces.connect(face, pg_schema, libpq=libpq)
    yield made
    await made.close()
