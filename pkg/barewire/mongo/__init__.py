# What users import.
"""MongoDB clients at wire speed: drop-in replacements for PyMongo's.

`AsyncMongoClient` (asyncio, uvloop; usable from any thread and any event loop) and `MongoClient` (blocking), with
their databases, collections and cursors, are subclasses of PyMongo's classes.
"""

from __future__ import annotations

from barewire.mongo._async_client import AsyncDatabase, AsyncMongoClient
from barewire.mongo._async_collection import AsyncCollection
from barewire.mongo._async_cursor import AsyncCommandCursor, AsyncCursor
from barewire.mongo._client import Database, MongoClient
from barewire.mongo._collection import Collection
from barewire.mongo._cursor import CommandCursor, Cursor
from barewire.mongo._unsafe import UnsafeInsertError, UnsafeInsertResult

__all__ = [
    "AsyncCollection",
    "AsyncCommandCursor",
    "AsyncCursor",
    "AsyncDatabase",
    "AsyncMongoClient",
    "Collection",
    "CommandCursor",
    "Cursor",
    "Database",
    "MongoClient",
    "UnsafeInsertError",
    "UnsafeInsertResult",
]
