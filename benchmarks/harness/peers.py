"""The peers: who takes part in a run and how its process is driven. No connection is opened here."""

from __future__ import annotations

import dataclasses
from typing import Literal

Kind = Literal["blocking", "asyncio", "native", "local"]


@dataclasses.dataclass(frozen=True)
class Peer:
    """One contestant. ``ours`` marks Barewire; ``accelerated`` turns on ``barewire.bson.accelerate()`` first."""

    name: str
    kind: Kind
    description: str
    ours: bool = False
    accelerated: bool = False


_ALL = (
    Peer("pymongo", "blocking", "PyMongo, blocking, with its C extension"),
    Peer("pymongo-async", "asyncio", "PyMongo Async"),
    Peer("motor", "asyncio", "Motor"),
    Peer("barewire", "blocking", "barewire.mongo.MongoClient", ours=True),
    Peer("barewire-async", "asyncio", "barewire.mongo.AsyncMongoClient", ours=True),
    Peer("pymongo-accelerated", "blocking", "unchanged PyMongo after barewire.bson.accelerate()",
         ours=True, accelerated=True),
    Peer("native", "native", "C++ on libmongoc with prebuilt BSON"),
    Peer("bson", "local", "the bson package of PyMongo, with its C extension"),
    Peer("barewire-bson", "local", "barewire.bson", ours=True),
    Peer("bson-again", "local", "bson once more, to see what the method says of equal peers"),
    Peer("source", "local", "the input alone, made and thrown away"),
)

PEERS: dict[str, Peer] = {peer.name: peer for peer in _ALL}

#: What "faster of both" means in the bars: the two asyncio drivers that people use today.
ASYNC_INCUMBENTS = ("pymongo-async", "motor")


class Missing(Exception):
    """The peer is not installed here, or has no such operation; the text says which."""
