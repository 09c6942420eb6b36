# The exceptions of the embedded servers; nothing else.
"""Exceptions raised by :mod:`barewire.embedded`."""

from __future__ import annotations


class EmbeddedServerError(RuntimeError):
    """The server could not be found, did not start, or ended by itself.

    The text holds the reason and, where there is one, the end of the server's log.
    """
