# The command line's frame: one module per subcommand adds itself here; no subcommand's own code.
"""``python -m barewire``.

A subcommand is a module with ``add_parser(subparsers)``, which sets the default ``run``: a function that
takes the parsed arguments and returns the exit code. Such a module imports what is heavy inside ``run``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import barewire

from . import embedded

_SUBCOMMANDS = (embedded,)


def build_parser() -> argparse.ArgumentParser:
    """The parser of every subcommand."""
    parser = argparse.ArgumentParser(prog="barewire", description=barewire.__doc__)
    parser.add_argument("--version", action="version", version=f"barewire {barewire.__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _SUBCOMMANDS:
        module.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` comes without the program's name."""
    arguments = build_parser().parse_args(argv)
    return arguments.run(arguments)
