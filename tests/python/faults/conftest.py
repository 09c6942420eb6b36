# The witness for tests that break connections.
from __future__ import annotations

from collections.abc import Iterator

import pymongo
import pytest


@pytest.fixture(scope="session")
def pymongo_client(mongo_uri: str) -> Iterator[pymongo.MongoClient]:
    with pymongo.MongoClient(mongo_uri) as client:
        yield client
