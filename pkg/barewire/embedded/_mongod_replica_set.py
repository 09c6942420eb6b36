# Making a started mongod writable: initiates or adapts a replica set of one, by PyMongo; starts nothing.
"""From "listens" to "takes writes"."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

_UNAUTHORIZED = 13
_ALREADY_INITIALIZED = 23
_POLL_SECONDS = 0.01


class NotWritable(Exception):
    """The server did not become writable; the text says why."""


def await_writable(
    uri: str,
    *,
    name: str | None,
    member: str,
    client_options: Mapping[str, Any],
    deadline: float,
    ended: Callable[[], bool],
) -> None:
    """Wait until the server takes writes; with a ``name``, make it the only member of that replica set.

    Args:
        uri: a direct connection.
        name: the replica set's name, or None for a standalone server.
        member: the address under which the server is its replica set's member.
        client_options: what else a client needs to connect.
        deadline: of time.monotonic().
        ended: whether the server's process has ended.

    Raises:
        NotWritable: an error of the server, the end of its process, or the deadline.
    """
    import pymongo  # slow to import: only where a server is started
    from pymongo.errors import PyMongoError

    remaining = max(1, int((deadline - time.monotonic()) * 1000))
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=remaining, **client_options) as client:
        while True:
            try:
                hello = client.admin.command("hello")
                if hello["isWritablePrimary"]:
                    return
                if "setName" not in hello and hello.get("isreplicaset"):
                    _configure(client, name, member)
            except PyMongoError as error:
                if ended():
                    raise NotWritable("it ended before it took writes") from error
                raise NotWritable(str(error)) from error
            if ended():
                raise NotWritable("it ended before it took writes")
            if time.monotonic() > deadline:
                raise NotWritable("it listens, but took no writes in time")
            time.sleep(_POLL_SECONDS)


def _configure(client, name: str | None, member: str) -> None:
    """Initiate the set; or, when its data come from another address, give its member the new one."""
    from pymongo.errors import OperationFailure

    config = {"_id": name, "members": [{"_id": 0, "host": member}]}
    try:
        client.admin.command("replSetInitiate", config)
        return
    except OperationFailure as error:
        if error.code == _UNAUTHORIZED:
            return  # it has users, so it has a configuration too, and is still loading it
        if error.code != _ALREADY_INITIALIZED:
            raise
    # The server says the same while it still loads its configuration: then there is nothing to be read yet.
    found = client.local.system.replset.find_one()
    if found is None or found["members"][0]["host"] == member:
        return
    found["members"] = [{**found["members"][0], "host": member}]
    found["version"] += 1
    client.admin.command("replSetReconfig", found, force=True)
