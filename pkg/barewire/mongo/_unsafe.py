# insert_many_unsafe of both faces: chunks in flight, what the replies say of which positions, and its one error.
"""Bulk loads of trusted documents; see `UNSAFE_DOC` for what is skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_threads
from typing import Any

from pymongo.errors import BulkWriteError, ConfigurationError

from barewire import _core
from barewire._ranges import Ranges, merged
from barewire._ranges import text as text_of

_FLAGS = _core.SHAPE_COUNTED | _core.CHECK_COMMAND
# How many server errors are kept word for word; all are counted, and their positions kept as ranges.
_KEPT_ERRORS = 1000

UNSAFE_DOC = """Inserts trusted documents as fast as the server takes them.

`documents` is any iterable of dicts: a list, a generator of any length. Chunks are encoded while earlier ones are on
the wire; at most `connections` + 1 chunks exist at a time, so memory stays flat.

:param documents: documents without the checks below; an `_id` is made for those that have none
:param ordered: one chunk after the other, stop at the first document refused. Default: no order, and every document
    is tried
:param chunk: documents per message (at most 100,000)
:param connections: messages on the wire at the same time; with `ordered` always 1
:param return_ids: also return the `_id` of every document, in order (memory then grows with their number)

Compared with `insert_many`:

=====================================  ==================================================================
insert_many                            insert_many_unsafe
=====================================  ==================================================================
`_id` written back into your dicts     not written back
every type checked before sending      a document that cannot be sent is found when its turn comes
retried once after a network error     never retried; what the lost message held is reported as uncertain
session, timeout(), bound session      ignored
command listeners and logging          not told
client-side encryption, w=0            refused with ConfigurationError
documents kept until the end           forgotten as soon as they are encoded
=====================================  ==================================================================

:return: :class:`UnsafeInsertResult`
:raises UnsafeInsertError: once, at the end, after every message under way was answered: which positions were written,
    refused, uncertain, and where sending stopped. A subclass of BulkWriteError; `__cause__` is what ended it early.
"""


class UnsafeInsertResult:
    """`inserted_count`, and `inserted_ids` (a list if they were asked for, else None)."""

    __slots__ = ("inserted_count", "inserted_ids")
    acknowledged = True

    def __init__(self, inserted_count: int, inserted_ids: list[Any] | None) -> None:
        self.inserted_count = inserted_count
        self.inserted_ids = inserted_ids

    def __repr__(self) -> str:
        return f"UnsafeInsertResult(inserted_count={self.inserted_count})"


class UnsafeInsertError(BulkWriteError):
    """Not every document was written. Positions count from 0; ranges are (first, behind the last).

    `written`, `refused` (by the server), `uncertain` (sent, but no answer came), `not_tried` (sent or encoded behind a
    refused one of an ordered insert) and `stopped_at` (position where sending stopped; None: all were sent).
    """

    written: Ranges
    refused: Ranges
    uncertain: Ranges
    not_tried: Ranges
    stopped_at: int | None

    def __init__(self, load: _Load) -> None:
        self.written, self.refused = merged(load.written), merged(load.refused)
        self.uncertain, self.not_tried = merged(load.uncertain), merged(load.not_tried)
        self.stopped_at = load.stopped_at
        details = {
            "writeErrors": load.write_errors,
            "writeConcernErrors": load.concern_errors,
            "nInserted": load.count,
            "nUpserted": 0,
            "nMatched": 0,
            "nModified": 0,
            "nRemoved": 0,
            "upserted": [],
        }
        super().__init__(details)
        parts = [f"{load.count} documents written: {text_of(self.written)}"]
        for name, ranges in (
            ("refused by the server", self.refused),
            ("uncertain", self.uncertain),
            ("not tried", self.not_tried),
        ):
            if ranges:
                parts.append(f"{sum(b - a for a, b in ranges)} {name}: {text_of(ranges)}")
        if self.stopped_at is not None:
            parts.append(f"nothing sent from position {self.stopped_at} on")
        if load.cause is not None:
            parts.append(f"because of {type(load.cause).__name__}: {load.cause}")
        elif load.write_errors:
            parts.append(f"first error: {load.write_errors[0].get('errmsg')}")
        self._message = "; ".join(parts)
        self.args = (self._message,)

    def __str__(self) -> str:
        return self._message


class _Load:
    """What both faces drive: `chunks()` gives encoded messages, `answered` or `lost` takes what became of each."""

    def __init__(
        self, collection: Any, documents: Iterable[Any], ordered: bool, chunk: int, connections: int, return_ids: bool
    ) -> None:
        plan = collection._open_plan()
        client = collection.database.client
        if plan.engine is None:
            raise ConfigurationError(f"insert_many_unsafe cannot be used with {client._link.reason}")
        if client._encrypter:
            raise ConfigurationError("insert_many_unsafe cannot be used with automatic encryption")
        if not collection.write_concern.acknowledged:
            raise ConfigurationError("insert_many_unsafe needs an acknowledged write concern")
        if chunk < 1 or connections < 1:
            raise ValueError("chunk and connections must be at least 1")
        self.ordered = bool(ordered)
        self.connections = 1 if ordered else connections
        self._chunk = chunk
        self._target = plan.write
        self._stream = _core.DocumentStream(documents)
        self._command: dict[str, Any] = {"insert": plan.name, "ordered": self.ordered}
        if plan.write_concern is not None:
            self._command["writeConcern"] = plan.write_concern
        self.ids: list[Any] | None = [] if return_ids else None
        self.count = 0
        self.written: Ranges = []
        self.refused: Ranges = []
        self.uncertain: Ranges = []
        self.not_tried: Ranges = []
        self.write_errors: list[dict[str, Any]] = []
        self.concern_errors: list[dict[str, Any]] = []
        self.cause: BaseException | None = None
        self.stopped_at: int | None = None
        self._failed = False

    def chunks(self) -> Iterator[tuple[int, Any]]:
        """(position of the first document, message) until the end, or until something failed."""
        while not self._failed:
            first = self._stream.taken
            try:
                message = self._target.encode_chunk(self._command, _FLAGS, self._stream, self._chunk, self.ids)
            except Exception as error:
                self.stop(self._stream.taken, error)
                return
            if message is None:
                return
            yield first, message

    def stop(self, position: int, cause: BaseException | None) -> None:
        self._failed = True
        self.stopped_at = position if self.stopped_at is None else min(self.stopped_at, position)
        if self.cause is None:
            self.cause = cause

    @property
    def failed(self) -> bool:
        return self._failed

    def answered(self, first: int, reply: dict[str, Any], sent: int) -> None:
        self.count += reply.get("n", 0)
        if "writeConcernError" in reply:
            self.concern_errors.append(reply["writeConcernError"])
        errors = reply.get("writeErrors")
        if not errors:
            self.written.append((first, first + sent))
            return
        at = first
        for error in errors:
            position = error["index"] = first + error["index"]
            self.written.append((at, position))
            self.refused.append((position, position + 1))
            at = position + 1
        if len(self.write_errors) < _KEPT_ERRORS:
            self.write_errors += errors[: _KEPT_ERRORS - len(self.write_errors)]
        if self.ordered:
            self.not_tried.append((at, first + sent))
            self.stop(first + sent, None)
        else:
            self.written.append((at, first + sent))
        if len(self.written) > 10000:
            self.written, self.refused = merged(self.written), merged(self.refused)

    def lost(self, first: int, sent: int, error: BaseException) -> None:
        self.uncertain.append((first, first + sent))
        self.stop(self._stream.taken, error)

    def unsent(self, first: int) -> None:
        """A message that was encoded but not started, because an earlier one failed."""
        self.stopped_at = first if self.stopped_at is None else min(self.stopped_at, first)

    def result(self) -> UnsafeInsertResult:
        if self._failed or self.refused or self.concern_errors:
            raise UnsafeInsertError(self) from self.cause
        return UnsafeInsertResult(self.count, self.ids)


async def insert_async(collection: Any, documents: Iterable[Any], *options: Any) -> UnsafeInsertResult:
    load = _Load(collection, documents, *options)
    flying: dict[asyncio.Future[Any], tuple[int, int]] = {}

    async def land(limit: int) -> None:
        while len(flying) > limit:
            done, _ = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                first, sent = flying.pop(future)
                error = future.exception()
                if error is None:
                    load.answered(first, *future.result())
                else:
                    load.lost(first, sent, error)

    try:
        for first, message in load.chunks():
            await land(load.connections - 1)
            if load.failed:
                load.unsent(first)
                break
            flying[message.start()] = first, message.count
        await land(0)
    finally:
        for future in flying:  # cancelled meanwhile
            future.cancel()
    return load.result()


def insert_blocking(collection: Any, documents: Iterable[Any], *options: Any) -> UnsafeInsertResult:
    load = _Load(collection, documents, *options)
    flying: dict[Any, tuple[int, int]] = {}

    def land(limit: int) -> None:
        while len(flying) > limit:
            done, _ = wait_for_threads(flying, return_when=FIRST_COMPLETED)
            for future in done:
                first, sent = flying.pop(future)
                error = future.exception()
                if error is None:
                    load.answered(first, *future.result())
                else:
                    load.lost(first, sent, error)

    # Threads only wait for replies, without the GIL; encoding goes on here meanwhile.
    with ThreadPoolExecutor(load.connections, "barewire_insert_many_unsafe") as threads:
        for first, message in load.chunks():
            land(load.connections - 1)
            if load.failed:
                load.unsent(first)
                break
            flying[threads.submit(message.run)] = first, message.count
        land(0)
    return load.result()
