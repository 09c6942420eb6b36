"""The controller's view of a MongoDB server: its client, the benchmark database and the fixtures. No peer runs here."""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo.collection import Collection

from benchmarks.data import users

from .digest import documents_digest

DATABASE = "barewire_benchmarks"


class Stage:
    """Brings collections into a known state and reads them back, always through PyMongo."""

    name = DATABASE

    def __init__(self, uri: str, server_pid: int | None = None) -> None:
        self.uri = uri
        self.server_pid = server_pid
        self.client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(uri)
        self.database = self.client[DATABASE]

    def close(self) -> None:
        self.client.drop_database(DATABASE)
        self.client.close()

    def collection(self, name: str) -> Collection[dict[str, Any]]:
        return self.database[name]

    def users(self, name: str, count: int) -> None:
        """Collection ``name`` holds exactly the first ``count`` users, with known ``_id`` values."""
        collection = self.database[name]
        collection.drop()
        collection.insert_many([{"_id": users.identifier(index), **users.user(index)} for index in range(count)])

    def empty(self, name: str) -> None:
        """Collection ``name`` exists and is empty; created anew, so that no peer meets another's garbage."""
        self.database.drop_collection(name)
        self.database.create_collection(name)

    def digest(self, name: str, drop_id: bool = True) -> str:
        """Digest of all documents of a collection; see ``documents_digest``."""
        return documents_digest(self.database[name].find(), drop_id=drop_id)
