"""The peers: who takes part in a run and how its process is driven. No connection is opened here."""

from __future__ import annotations

import dataclasses
from typing import Literal

Kind = Literal["blocking", "asyncio", "native", "local", "program"]
Server = Literal["mongo", "postgres"]


@dataclasses.dataclass(frozen=True)
class Peer:
    """One contestant. ``ours`` marks Barewire; ``accelerated`` turns on ``barewire.bson.accelerate()`` first.

    Drivers of PostgreSQL differ in their methods, so its cases have one form per ``api``: several peers may share one.
    """

    name: str
    kind: Kind
    description: str
    ours: bool = False
    accelerated: bool = False
    server: Server = "mongo"
    api: str = ""


def _postgres(name: str, kind: Kind, description: str, api: str = "", *, ours: bool = False) -> Peer:
    return Peer(name, kind, description, ours, server="postgres", api=api or name.replace("-", "_"))


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
    _postgres("psycopg", "blocking", "psycopg with its C code, blocking, text results"),
    _postgres("psycopg-binary", "blocking", "the same with binary results", "psycopg"),
    _postgres("psycopg-async", "asyncio", "psycopg with its C code, asyncio"),
    _postgres("asyncpg", "asyncio", "asyncpg, one connection"),
    _postgres("asyncpg-pool", "asyncio", "asyncpg's pool as it comes", "pool"),
    _postgres("asyncpg-pool-unreset", "asyncio", "asyncpg's pool without its reset query", "pool"),
    _postgres("asyncpg-connections", "asyncio", "asyncpg connections without a pool, one task each", "connections"),
    _postgres("sqlalchemy", "asyncio", "SQLAlchemy Core over asyncpg"),
    _postgres("barewire-pg", "blocking", "barewire.pg, blocking", "barewire", ours=True),
    _postgres("barewire-pg-async", "asyncio", "barewire.pg, asyncio", "barewire_async", ours=True),
    _postgres("barewire-pg-pool", "asyncio", "barewire.pg's pool, automatic pipelining", "pool", ours=True),
    _postgres("native-pg", "native", "C++ on libpq"),
    _postgres("pgbench", "program", "pgbench -M prepared"),
    _postgres("pgbench-pipeline", "program", "pgbench -M prepared, each transaction one pipeline"),
)

PEERS: dict[str, Peer] = {peer.name: peer for peer in _ALL}

#: Those that most cases on PostgreSQL ask.
POSTGRES_PEERS = ("psycopg", "psycopg-async", "asyncpg", "barewire-pg", "barewire-pg-async", "native-pg")

#: What "faster of both" means in the bars: the two asyncio drivers that people use today.
ASYNC_INCUMBENTS = ("pymongo-async", "motor")


class Missing(Exception):
    """The peer is not installed here, or has no such operation; the text says which."""
