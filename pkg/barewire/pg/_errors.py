# Which exception a failure becomes: psycopg's own classes, by SQLSTATE, with `.diag` filled. Nowhere else is one chosen.
"""What the extension calls when something failed, and the few classes that psycopg has no equal of."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, NamedTuple

import psycopg
from psycopg import errors

from barewire._ranges import Ranges, merged
from barewire._ranges import text as positions

_SEVERITY = ord("S")
_SQLSTATE = ord("C")


class StatementTimeout(errors.QueryCanceled, TimeoutError):
    """The `timeout` of the call ran out. The statement was cancelled on the server; the connection is usable.

    A `psycopg.errors.QueryCanceled` as well as a `TimeoutError`.
    """


class UnsafeInsertError(psycopg.OperationalError):
    """A load over several connections of which a part was committed: the others could not be, after the first had been.

    Positions count from 0; ranges are (first, behind the last): `written`, `uncertain` (their COMMIT was sent, but no answer
    came) and `rolled_back`. `__cause__` is the error that COMMIT met.
    """

    written: Ranges
    uncertain: Ranges
    rolled_back: Ranges


def partial_insert(
    written: Ranges, uncertain: Ranges, rolled_back: Ranges, cause: BaseException
) -> UnsafeInsertError:
    parts, names = [merged(ranges) for ranges in (written, uncertain, rolled_back)], ("written", "uncertain", "rolled back")
    counted = [
        f"{sum(end - first for first, end in ranges)} rows {name}: {positions(ranges)}" for name, ranges in zip(names, parts)
    ]
    error = UnsafeInsertError("; ".join([*counted, f"because of {type(cause).__name__}: {cause}"]))
    error.written, error.uncertain, error.rolled_back = parts
    return error


class PoolTimeout(psycopg.OperationalError, TimeoutError):
    """No connection of the pool became free in time."""


class PoolClosed(psycopg.OperationalError):
    """The pool is closed, or was closed while this call waited for a connection."""


def _class_of(sqlstate: str) -> type[psycopg.Error]:
    try:
        return errors.lookup(sqlstate)
    except KeyError:
        return errors.get_base_exception(sqlstate)


def server_error(message: bytes, fields: dict[int, bytes]) -> psycopg.Error:
    """The exception of an ErrorResponse. `fields`: code letter (PG_DIAG_*) to raw text; text is UTF-8.

    The text is libpq's without its severity, as psycopg's.
    """
    text = message.decode("utf-8", "replace")
    severity = fields.get(_SEVERITY, b"").decode("utf-8", "replace")
    if severity and text.startswith(severity + ":"):
        text = text[len(severity) + 1 :]
    state = fields.get(_SQLSTATE, b"").decode("ascii", "replace")
    # Without a state it is libpq that speaks: the connection is lost.
    kind = _class_of(state) if state else psycopg.OperationalError
    # psycopg's Diagnostic looks every field up: what the server did not send is None.
    return kind(text.strip() or "no error details available", info=_Fields(fields))


class _Fields(dict):
    """Fields of an ErrorResponse; those that were not sent are None. A plain dict for pickle."""

    def __missing__(self, key: int) -> None:
        return None

    def __reduce__(self) -> Any:
        return (_Fields, (dict(self),))


_BY_KIND: dict[str, type[BaseException]] = {
    "network": psycopg.OperationalError,
    "network_timeout": errors.ConnectionTimeout,
    "statement_timeout": StatementTimeout,
    "wait_queue_timeout": PoolTimeout,
    "closed": psycopg.OperationalError,
    "pool_closed": PoolClosed,
    "cancelled": errors.QueryCanceled,
    "configuration": psycopg.ProgrammingError,
    "authentication": psycopg.OperationalError,
    "protocol": psycopg.OperationalError,
    "interrupted": KeyboardInterrupt,
    "out_of_memory": MemoryError,
}

_TEXTS = {"wait_queue_timeout": "no connection of the pool became free in time", "pool_closed": "the pool is closed"}


def failure(kind: str, message: str) -> BaseException:
    """The exception of a failure without a server's error: connecting, sending, closing, waiting for a connection."""
    if kind == "protocol" and message.endswith("needs a copy operation"):
        return psycopg.ProgrammingError("COPY ... FROM STDIN needs copy_from, COPY ... TO STDOUT needs copy_to")
    parts = [_TEXTS.get(kind, ""), message.strip() if kind != "pool_closed" else ""]  # why a pool cannot connect, for one
    return _BY_KIND.get(kind, psycopg.OperationalError)(": ".join(filter(None, parts)))


def batch_error(error: BaseException, position: int, results: list[Any], run: int) -> BaseException:
    """The first error of a batch, with what became of every statement. From `run` on none was run but the failed one."""
    for place in range(run, len(results)):
        if place != position:
            results[place] = errors.PipelineAborted(f"not run: statement {position} of the batch failed")
    _note(error, f"statement {position} of a batch of {len(results)}")
    error.batch_position = position  # type: ignore[attr-defined]
    error.batch_results = results  # type: ignore[attr-defined]
    return error


def _note(error: BaseException, text: str) -> None:
    if hasattr(error, "add_note"):  # CPython 3.11
        error.add_note(text)


def notice(handlers: list[Any], fields: dict[int, bytes]) -> None:
    """Calls the handlers of notices; what they raise goes to sys.unraisablehook, and the others are still called."""
    diagnostic = errors.Diagnostic(_Fields(fields), "utf-8")
    for handler in list(handlers):
        try:
            handler(diagnostic)
        except Exception as error:
            sys.unraisablehook(_Unraisable(type(error), error, error.__traceback__, "in a notice handler", handler))


class _Unraisable(NamedTuple):
    """What sys.unraisablehook takes; its own class cannot be made from Python."""

    exc_type: type[BaseException]
    exc_value: BaseException | None
    exc_traceback: TracebackType | None
    err_msg: str | None
    object: Any
