# Choosing free TCP ports on the loopback address; knows nothing of any server.
"""Free ports for servers that run for a while."""

from __future__ import annotations

import random
import socket

# Outside the ranges from which Linux (32768 up) and macOS (49152 up) give ports to outgoing connections: a
# server that is started again would otherwise find its port taken by somebody's client now and then.
_FIRST, _LAST = 20000, 32000

# Seeded from the operating system: forked test workers and programs that call random.seed() must not agree.
_random = random.SystemRandom()


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Whether a server could listen on ``address:port`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def free_port(address: str = "127.0.0.1") -> int:
    """A port on which nobody listens now. Another program may still take it first: be ready to ask again.

    Raises:
        OSError: no free port was found.
    """
    for _ in range(200):
        port = _random.randrange(_FIRST, _LAST)
        if is_free(port, address):
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST} on {address}")
