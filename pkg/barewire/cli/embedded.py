# `barewire embedded`: runs a database server in the foreground; the servers themselves are barewire.embedded.
"""``python -m barewire embedded mongo`` and ``postgres``: a server that lives until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barewire.embedded import MongoServer, PostgresServer

_DESCRIPTION = (
    "Run a {} server until Ctrl-C or SIGTERM. The only line on standard output is its URI, printed as soon as it {}."
)
_KEEP = "keep the data folder (default: if given)"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``embedded`` and its servers."""
    embedded = subparsers.add_parser("embedded", help="run a database server until Ctrl-C")
    servers = embedded.add_subparsers(title="servers", metavar="SERVER", required=True)
    _add_mongo(servers)
    _add_postgres(servers)


def _add_mongo(servers: argparse._SubParsersAction) -> None:
    mongo = servers.add_parser("mongo", help="MongoDB", description=_DESCRIPTION.format("MongoDB", "takes writes"))
    mongo.add_argument("--path", help="data folder (default: a temporary one)")
    mongo.add_argument("--keep", action=argparse.BooleanOptionalAction, help=_KEEP)
    mongo.add_argument("--port", type=int, help="TCP port (default: a free one)")
    mongo.add_argument("--unix-socket", action="store_true", help="listen on a Unix socket instead of TCP")
    mongo.add_argument("--standalone", action="store_true", help="no replica set, so no transactions")
    mongo.add_argument("--replica-set", metavar="NAME", help="name of the replica set (default: rs0)")
    mongo.add_argument("--cache-megabytes", type=int, default=256, metavar="MIB", help="cache (default: 256)")
    mongo.add_argument("--enable-test-commands", action="store_true", help="allow fail points")
    mongo.add_argument("--mongod", help="program (default: BAREWIRE_MONGOD, PATH, the extra 'embedded')")
    mongo.add_argument("extra", nargs="*", metavar="ARGUMENT", help="after --: further arguments of mongod")
    mongo.set_defaults(run=run_mongo)


def _add_postgres(servers: argparse._SubParsersAction) -> None:
    description = _DESCRIPTION.format("PostgreSQL", "accepts connections")
    postgres = servers.add_parser("postgres", help="PostgreSQL", description=description)
    postgres.add_argument("--path", help="data folder (default: a temporary one)")
    postgres.add_argument("--keep", action=argparse.BooleanOptionalAction, help=_KEEP)
    postgres.add_argument("--preset", choices=("test", "durable"), default="test", help="test: fast, not safe (default)")
    address = postgres.add_mutually_exclusive_group()
    address.add_argument("--port", type=int, help="TCP port (default: a Unix socket)")
    address.add_argument("--tcp", action="store_true", help="listen on a free TCP port")
    postgres.add_argument("--programs", help="folder of postgres and initdb (default: BAREWIRE_PG_BIN, PATH, ...)")
    postgres.add_argument("--run-as", metavar="USER", help="system user when started by root")
    postgres.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a server parameter")
    postgres.set_defaults(run=run_postgres)


def run_mongo(arguments: argparse.Namespace) -> int:
    """Start the server, print its URI, wait. 0 after a signal, 1 if the server failed, 2 for bad options."""
    from barewire.embedded import MongoServer

    if arguments.standalone and arguments.replica_set:
        return _fail("mongo", "--standalone and --replica-set exclude each other", 2)
    return _serve(
        "mongo",
        "mongod",
        lambda: MongoServer(
            arguments.path,
            replica_set=arguments.replica_set or not arguments.standalone,
            port=arguments.port,
            unix_socket=arguments.unix_socket,
            mongod=arguments.mongod,
            keep=arguments.keep,
            cache_megabytes=arguments.cache_megabytes,
            enable_test_commands=arguments.enable_test_commands,
            extra_args=arguments.extra,
        ),
    )


def run_postgres(arguments: argparse.Namespace) -> int:
    """Start the server, print its URI, wait. 0 after a signal, 1 if the server failed, 2 for bad options."""
    from barewire.embedded import PostgresServer

    for setting in arguments.set:
        if "=" not in setting:
            return _fail("postgres", f"--set {setting}: NAME=VALUE is wanted", 2)
    return _serve(
        "postgres",
        "postgres",
        lambda: PostgresServer(
            arguments.path,
            arguments.preset,
            port=arguments.port,
            unix_socket=False if arguments.tcp else None,
            programs=arguments.programs,
            keep=arguments.keep,
            settings=dict(setting.split("=", 1) for setting in arguments.set),
            run_as=arguments.run_as,
        ),
    )


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _serve(command: str, program: str, make: Callable[[], MongoServer | PostgresServer]) -> int:
    from barewire.embedded import EmbeddedServerError

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # SIGINT too: shells start background jobs with it ignored.
        signal.signal(number, _interrupt)
    try:
        server = make()
    except ValueError as error:
        return _fail(command, str(error), 2)
    try:
        with server:
            kept = "kept" if server.keep else "removed at the end"
            print(f"{program} {server.pid}, data in {server.path} ({kept}). Ctrl-C stops it.", file=sys.stderr)
            print(server.uri, flush=True)
            while (code := server.wait(60.0)) is None:
                pass
            return _fail(command, f"{program} ended with exit code {code}; its log ends:\n{server.log_tail()}", 1)
    except EmbeddedServerError as error:
        return _fail(command, str(error), 1)
    except KeyboardInterrupt:
        return 0


def _fail(command: str, text: str, code: int) -> int:
    print(f"barewire embedded {command}: {text}", file=sys.stderr)
    return code
