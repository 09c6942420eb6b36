# Both faces of barewire.pg under one set of tests: the blocking one looks like the asyncio one here.
from __future__ import annotations

import inspect
from typing import Any

import barewire.pg

# Methods that are called without await in both faces, and give something with methods of its own.
PLAIN = {"transaction", "batch", "cursor"}
# Methods that are the same in both faces.
SAME = {
    "add_notice_handler", "remove_notice_handler", "cancel", "parameter_status", "stats", "resize", "drain",
}  # fmt: skip


class Awaited:
    """A blocking object whose methods are awaited."""

    def __init__(self, inner: Any) -> None:
        self.__dict__["inner"] = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found) or isinstance(found, type):
            return found
        if isinstance(self.inner, barewire.pg.Batch) and name != "run":
            return found
        if name in SAME:
            return found
        if name in PLAIN:
            return lambda *args, **options: Awaited(found(*args, **options))
        if name == "notifications":
            return lambda **options: _Iterated(found(**options))
        if name == "connection":
            return lambda *args, **options: Awaited(found(*args, **options))

        async def awaited(*args: Any, **options: Any) -> Any:
            made = found(*args, **options)
            return Awaited(made) if isinstance(made, (barewire.pg.PreparedStatement, barewire.pg.Connection)) else made

        return awaited

    def __len__(self) -> int:
        return len(self.inner)

    def __repr__(self) -> str:
        return repr(self.inner)

    async def __aenter__(self) -> Any:
        made = self.inner.__enter__()
        return self if made is self.inner else Awaited(made)

    async def __aexit__(self, *raised: Any) -> Any:
        return self.inner.__exit__(*raised)

    def __aiter__(self) -> Any:
        return _Iterated(iter(self.inner))


class _Iterated:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self.inner)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        self.inner.close()


async def connect(face: str, conninfo: str, **options: Any) -> Any:
    if face == "blocking":
        return Awaited(barewire.pg.connect(conninfo, **options))
    return await barewire.pg.connect_async(conninfo, **options)


def bare(session: Any) -> Any:
    """The object itself."""
    return session.inner if isinstance(session, Awaited) else session


def check_twins(blocking: type, asynchronous: type) -> None:
    """Both have the same public methods with the same parameters."""
    names = {n for n in dir(blocking) if not n.startswith("_")}
    other = {n for n in dir(asynchronous) if not n.startswith("_")}
    assert names == other, names ^ other
    for name in names:
        one, two = getattr(blocking, name), getattr(asynchronous, name)
        try:
            left, right = inspect.signature(one), inspect.signature(two)
        except (TypeError, ValueError):
            continue
        assert list(left.parameters) == list(right.parameters), name
