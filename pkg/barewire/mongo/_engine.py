# What a client, its databases, collections, cursors, pools and monitors share: the engine handle and its lifetime.
"""The link between PyMongo's control plane and `_core.MongoEngine`."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Any

from barewire import _core
from barewire.mongo import _errors
from barewire.mongo._seam import _COMMAND_LOGGER, TIMEOUT
from barewire.mongo._uri import address_pair, engine_settings, unsupported_option

_links: weakref.WeakSet[Link] = weakref.WeakSet()


class _Addresses(dict):
    """The engine's "host:port" -> PyMongo's (host, port), remembered."""

    def __missing__(self, text: str) -> tuple[str, int | None]:
        pair = self[text] = address_pair(text)
        return pair


class Link:
    """Made before the client's own constructor runs, bound to it afterwards.

    `engine` is None when an option asks for something only PyMongo's own network stack can do (`reason` names it):
    then every method is the inherited one and PyMongo's pools and monitors are used.
    """

    def __init__(self, bound_session: Any) -> None:
        self.engine: _core.MongoEngine | None = None
        self.reason: str | None = None
        self.client: weakref.ref[Any] | None = None
        self.addresses = _Addresses()
        self.closed = False
        self._bound_session = bound_session

    def bind(self, client: Any) -> None:
        """Reads the options of the constructed client. Opens nothing."""
        self.client = weakref.ref(client)
        self.reason = unsupported_option(client)
        if self.reason is None:
            self.engine = _core.MongoEngine(engine_settings(client), _errors.Errors(self))
            # The fast path is taken only while none of these is set (see MongoEngine.direct).
            self.engine.restrict(
                always=_needs_inherited_methods(client),
                timeout=TIMEOUT,
                bound_session=self._bound_session,
                logger=_COMMAND_LOGGER,
            )
        _links.add(self)

    @property
    def used(self) -> bool:
        """Whether the engine has opened anything."""
        return self.engine is not None and self.engine.used

    def close(self) -> None:
        """Closes the engine: blocking, tenths of a second. Safe to call twice."""
        self.closed = True
        if self.engine is not None:
            self.engine.close()


def _needs_inherited_methods(client: Any) -> bool:
    options = client.options
    listeners = options.pool_options._event_listeners
    return bool(
        client._encrypter
        or options.timeout is not None
        or options.pool_options.server_api
        or (listeners is not None and listeners.event_listeners())
    )


def _close_all() -> None:
    for link in list(_links):
        link.close()


def _after_fork_in_child() -> None:
    for link in list(_links):
        if link.engine is not None:
            link.engine.after_fork()


# Registered after PyMongo's own exit handlers, so it runs before them: monitors waiting in the engine wake up.
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
