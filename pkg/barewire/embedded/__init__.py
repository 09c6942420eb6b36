# Public names of the embedded servers; no logic, and nothing that needs the compiled module.
"""Real database servers, started beside the program without any set-up.

    from barewire.embedded import MongoServer

    with MongoServer() as server:
        print(server.uri)
"""

from .errors import EmbeddedServerError
from .mongo import MongoServer

__all__ = ["EmbeddedServerError", "MongoServer"]
