# Fixtures of the tests that compare with PyMongo on a real server.
from __future__ import annotations

from collections.abc import Iterator

import pymongo
import pymongo.database
import pytest

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
