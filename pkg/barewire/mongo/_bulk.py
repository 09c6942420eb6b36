# insert_many and bulk_write between their batches: what is left to send, and what the replies add up to.
"""State of a bulk operation that both faces drive: `while unsent: accept(send(...))`, then `result()`.

Merging and raising are PyMongo's own functions, so details, indexes and texts of BulkWriteError are PyMongo's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.errors import InvalidOperation
from pymongo.results import BulkWriteResult, InsertManyResult

from barewire.mongo._commands import BULK, BULK_RETRYABLE, Plan, write_command
from barewire.mongo._seam import (
    _COMMANDS,
    _Bulk,
    _merge_command,
    _raise_bulk_write_error,
    _Run,
    validate_is_document_type,
    validate_list,
)

_INSERT = 0


def _empty_result() -> dict[str, Any]:
    return {
        "writeErrors": [],
        "writeConcernErrors": [],
        "nInserted": 0,
        "nUpserted": 0,
        "nMatched": 0,
        "nModified": 0,
        "nRemoved": 0,
        "upserted": [],
    }


class InsertMany:
    """One run of inserts. Raises TypeError for what is no collection of documents, before anything is sent."""

    flags = BULK_RETRYABLE

    def __init__(self, plan: Plan, documents: Any, ordered: bool, bypass: bool | None, comment: Any) -> None:
        if not isinstance(documents, Iterable) or isinstance(documents, Mapping) or not documents:
            raise TypeError("documents must be a non-empty list")
        # Every document gets its _id before the first is sent, as in PyMongo; `ids` fills as they are encoded.
        self.documents = documents if type(documents) in (list, tuple) else list(documents)
        self.ids: list[Any] = []
        if not self.documents:
            raise InvalidOperation("No operations to execute")
        self.command = write_command(plan, "insert", ordered, bypass, comment or None)
        self.offset = 0
        self.unsent = True
        self._ordered = ordered
        self._result = _empty_result()

    def accept(self, sent: tuple[dict[str, Any], int]) -> None:
        """`sent` is the server's reply and the number of documents that the message held."""
        reply, count = sent
        if "writeErrors" in reply or "writeConcernError" in reply:
            run = _Run(_INSERT)
            run.ops, run.index_map = self.documents, range(len(self.documents))
            _merge_command(run, self._result, self.offset, reply)
        else:
            self._result["nInserted"] += reply.get("n", 0)
        self.offset += count
        self.unsent = self.offset < len(self.documents) and not (self._ordered and self._result["writeErrors"])

    def result(self) -> InsertManyResult:
        if self._result["writeErrors"] or self._result["writeConcernErrors"]:
            _raise_bulk_write_error(self._result)
        return InsertManyResult(self.ids, True)


class _Operations(_Bulk):
    """PyMongo's collector of operations without the collection it copies."""

    def __init__(self, ordered: bool) -> None:
        self.ordered = ordered
        self.ops = []
        self.is_retryable = True
        self.uses_collation = self.uses_array_filters = self.uses_sort = False
        self.uses_hint_update = self.uses_hint_delete = False


class Bulk:
    """Mixed operations, in runs of one kind each."""

    def __init__(self, plan: Plan, requests: Any, ordered: bool, bypass: bool | None, comment: Any, let: Any) -> None:
        validate_list("requests", requests)
        if let is not None:
            validate_is_document_type("let", let)
        collected = _Operations(ordered)
        for request in requests:
            try:
                request._add_to_bulk(collected)
            except AttributeError:
                raise TypeError(f"{request!r} is not a valid request") from None
        if not collected.ops:
            raise InvalidOperation("No operations to execute")
        self._plan, self._ordered, self._bypass, self._comment, self._let = plan, ordered, bypass, comment or None, let
        self.flags = BULK_RETRYABLE if collected.is_retryable else BULK
        self._runs = collected.gen_ordered() if ordered else collected.gen_unordered()
        self._result = _empty_result()
        self.unsent = True
        self._next_run()

    def _next_run(self) -> None:
        run = self._run = next(self._runs, None)
        if run is None:
            self.unsent = False
            return
        name = _COMMANDS[run.op_type]
        self.field = {"insert": "documents", "update": "updates", "delete": "deletes"}[name]
        self.operations, self.offset = run.ops, 0
        let = self._let if run.op_type != _INSERT else None
        self.command = write_command(self._plan, name, self._ordered, self._bypass, self._comment, let)

    def accept(self, sent: tuple[dict[str, Any], int]) -> None:
        reply, count = sent
        _merge_command(self._run, self._result, self.offset, reply)
        if self._ordered and self._result["writeErrors"]:
            self.unsent = False
            return
        self.offset += count
        if self.offset >= len(self.operations):
            self._next_run()

    def result(self) -> BulkWriteResult:
        if self._result["writeErrors"] or self._result["writeConcernErrors"]:
            _raise_bulk_write_error(self._result)
        return BulkWriteResult(self._result, True)
