# `barewire embedded`: runs a database server in the foreground; the server itself is barewire.embedded.
"""``python -m barewire embedded mongo``: a server that lives until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``embedded`` and its servers."""
    embedded = subparsers.add_parser("embedded", help="run a database server until Ctrl-C")
    servers = embedded.add_subparsers(title="servers", metavar="SERVER", required=True)
    mongo = servers.add_parser(
        "mongo",
        help="MongoDB",
        description="Run a MongoDB server on the loopback address until Ctrl-C or SIGTERM. The only line on "
        "standard output is its URI, printed as soon as it takes writes.",
    )
    mongo.add_argument("--path", help="data folder (default: a temporary one)")
    keep_help = "keep the data folder (default: if given)"
    mongo.add_argument("--keep", action=argparse.BooleanOptionalAction, help=keep_help)
    mongo.add_argument("--port", type=int, help="TCP port (default: a free one)")
    mongo.add_argument("--unix-socket", action="store_true", help="listen on a Unix socket instead of TCP")
    mongo.add_argument("--standalone", action="store_true", help="no replica set, so no transactions")
    mongo.add_argument("--replica-set", metavar="NAME", help="name of the replica set (default: rs0)")
    mongo.add_argument("--cache-megabytes", type=int, default=256, metavar="MIB", help="cache (default: 256)")
    mongo.add_argument("--enable-test-commands", action="store_true", help="allow fail points")
    mongo.add_argument("--mongod", help="program (default: BAREWIRE_MONGOD, PATH, the extra 'embedded')")
    mongo.add_argument("extra", nargs="*", metavar="ARGUMENT", help="after --: further arguments of mongod")
    mongo.set_defaults(run=run_mongo)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def run_mongo(arguments: argparse.Namespace) -> int:
    """Start the server, print its URI, wait. 0 after a signal, 1 if the server failed, 2 for bad options."""
    from barewire.embedded import EmbeddedServerError, MongoServer

    if arguments.standalone and arguments.replica_set:
        return _fail("--standalone and --replica-set exclude each other", 2)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # SIGINT too: shells start background jobs with it ignored.
        signal.signal(number, _interrupt)
    try:
        server = MongoServer(
            arguments.path,
            replica_set=arguments.replica_set or not arguments.standalone,
            port=arguments.port,
            unix_socket=arguments.unix_socket,
            mongod=arguments.mongod,
            keep=arguments.keep,
            cache_megabytes=arguments.cache_megabytes,
            enable_test_commands=arguments.enable_test_commands,
            extra_args=arguments.extra,
        )
    except ValueError as error:
        return _fail(str(error), 2)
    try:
        with server:
            kept = "kept" if server.keep else "removed at the end"
            print(f"mongod {server.pid}, data in {server.path} ({kept}). Ctrl-C stops it.", file=sys.stderr)
            print(server.uri, flush=True)
            while (code := server.wait(60.0)) is None:
                pass
            return _fail(f"mongod ended with exit code {code}; its log ends:\n{server.log_tail()}", 1)
    except EmbeddedServerError as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return 0


def _fail(text: str, code: int) -> int:
    print(f"barewire embedded mongo: {text}", file=sys.stderr)
    return code
