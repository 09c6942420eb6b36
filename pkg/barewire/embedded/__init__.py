# Public names of the embedded servers; no logic, and nothing that needs the compiled module.
"""Real database servers, started beside the program without any set-up.

    from barewire.embedded import MongoServer, PostgresServer

    with MongoServer() as mongo, PostgresServer() as postgres:
        print(mongo.uri, postgres.uri)
"""

from .errors import EmbeddedServerError
from .mongo import MongoServer
from .postgres import PostgresServer

__all__ = ["EmbeddedServerError", "MongoServer", "PostgresServer"]
