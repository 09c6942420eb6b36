# Running one call on both codecs and comparing the outcomes: values, exact types, order, exceptions. No test data here.
import copyreg
import datetime
import enum
import re
import struct
import uuid
from collections.abc import Mapping
from decimal import Decimal

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.errors import InvalidDocument
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument
from bson.regex import Regex
from bson.timestamp import Timestamp
from bson_peer import EXACT


def shown(value, limit=2000):
    """repr for a failure message; some values of the tests refuse to be shown."""
    try:
        return repr(value)[:limit]
    except Exception as error:
        return f"<{type(value).__name__}, repr raises {type(error).__name__}>"


class Outcome:
    """What one call did: returned `value` or raised `error`."""

    def __init__(self, function, *args, **kwargs):
        self.value = self.error = None
        try:
            self.value = function(*args, **kwargs)
        except Exception as error:
            self.error = error

    def __repr__(self):
        if self.error is None:
            return f"returned {shown(self.value)}"
        return f"raised {type(self.error).__module__}.{type(self.error).__qualname__}: {self.error}"


def difference(a, b, path="value"):
    """The first difference between two decoded values as text, or None. Types must be identical, not only equal."""
    if type(a) is not type(b):
        return f"{path}: type {type(a)!r} against {type(b)!r} ({a!r} against {b!r})"
    if isinstance(a, enum.Enum):
        return None if a is b else f"{path}: {a!r} against {b!r}"
    if isinstance(a, float):
        if struct.pack("<d", a) != struct.pack("<d", b):
            return f"{path}: {a!r} against {b!r}"
        return None
    if isinstance(a, RawBSONDocument):
        return _raw_difference(a, b, path)
    if isinstance(a, Mapping):
        return _mapping_difference(a, b, path)
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return f"{path}: {len(a)} items against {len(b)}"
        for index, (x, y) in enumerate(zip(a, b)):
            found = difference(x, y, f"{path}[{index}]")
            if found:
                return found
        return None
    if isinstance(a, Code):
        if str.__str__(a) != str.__str__(b):
            return f"{path}: code {str(a)!r} against {str(b)!r}"
        return difference(a.scope, b.scope, f"{path}.scope") or _state_difference(a, b, path)
    if isinstance(a, DBRef):
        return difference(a.as_doc(), b.as_doc(), f"{path}.as_doc()") or _state_difference(a, b, path)
    if isinstance(a, datetime.datetime):
        same = (
            a.replace(tzinfo=None) == b.replace(tzinfo=None)
            and a.fold == b.fold
            and a.tzinfo is b.tzinfo
        )
        return None if same else f"{path}: {a!r} fold={a.fold} against {b!r} fold={b.fold}"
    if isinstance(a, (Binary, ObjectId, Regex, Timestamp, Decimal128, DatetimeMS, uuid.UUID)):
        return _state_difference(a, b, path) or (None if a == b else f"{path}: {a!r} against {b!r}")
    if isinstance(a, Decimal):
        return None if a.as_tuple() == b.as_tuple() else f"{path}: {a!r} against {b!r}"
    if isinstance(a, re.Pattern):
        return None if a is b else f"{path}: {a!r} against {b!r}"
    if a != b:
        return f"{path}: {a!r} against {b!r}"
    return _state_difference(a, b, path)


def _mapping_difference(a, b, path):
    # The user-made classes of the tests may misbehave on purpose; what they hold is in `inner`.
    a, b = getattr(a, "inner", a), getattr(b, "inner", b)
    if list(a) != list(b):
        return f"{path}: keys {list(a)!r} against {list(b)!r}"
    for x, y in zip(a, b):
        if type(x) is not type(y):
            return f"{path}: key type {type(x)!r} against {type(y)!r}"
    for key in a:
        found = difference(a[key], b[key], f"{path}.{key}")
        if found:
            return found
    return None


def _raw_difference(a, b, path):
    if type(a.raw) is not type(b.raw):
        return f"{path}.raw: type {type(a.raw)!r} against {type(b.raw)!r}"
    if bytes(a.raw) != bytes(b.raw):
        return f"{path}.raw: {bytes(a.raw)!r} against {bytes(b.raw)!r}"
    if isinstance(a.raw, memoryview) and (a.raw.readonly, a.raw.format) != (b.raw.readonly, b.raw.format):
        return f"{path}.raw: {a.raw!r} against {b.raw!r}"
    options = "_RawBSONDocument__codec_options"
    if getattr(a, options) is not getattr(b, options):
        return f"{path}: codec options differ"
    return None


def state(value):
    """Everything an instance stores: its dictionary and every slot of its classes, unset slots left out."""
    def read(name, default):
        # Not getattr(): a DBRef answers to the keys of its document too, and one may be called "__dict__".
        try:
            return object.__getattribute__(value, name)
        except AttributeError:
            return default

    unset = object()
    stored = dict(read("__dict__", {}))
    for name in copyreg._slotnames(type(value)):
        found = unset if name == "__weakref__" else read(name, unset)
        if found is not unset:
            stored[name] = found
    return stored


def _state_difference(a, b, path):
    mine, other = state(a), state(b)
    if list(mine) != list(other):
        return f"{path}: attributes {list(mine)} against {list(other)}"
    for name in mine:
        if isinstance(mine[name], Mapping) or mine[name] is None:
            if type(mine[name]) is not type(other[name]):
                return f"{path}.{name}: {mine[name]!r} against {other[name]!r}"
            continue
        found = difference(mine[name], other[name], f"{path}.{name}")
        if found:
            return found
    return None


def error_difference(mine, other, texts=True):
    """The first difference between two exceptions as text, or None: class, text, arguments, `.document`."""
    if type(mine) is not type(other):
        return f"{type(mine)!r} ({mine}) against {type(other)!r} ({other})"
    if isinstance(mine, SystemError):
        return None  # a fault of the peer that is kept; the text names its function
    if texts and str(mine) != str(other):
        return f"text {str(mine)!r} against {str(other)!r}"
    if texts and len(mine.args) != len(other.args):
        return f"args {mine.args!r} against {other.args!r}"
    if isinstance(mine, InvalidDocument):
        # `.document` exists from PyMongo 4.16 on.
        if getattr(mine, "document", None) is not getattr(other, "document", None):
            return f".document {shown(mine.document)} against {shown(other.document)}"
    if isinstance(mine, UnicodeError) and mine.args != other.args:
        return f"args {mine.args!r} against {other.args!r}"
    return None


def assert_same(mine: Outcome, other: Outcome, texts=True, hint=""):
    """Fails unless both calls returned indistinguishable values or raised indistinguishable exceptions."""
    if not EXACT and isinstance(other.error, SystemError):
        return  # faults of older releases, mended since (Binary of subtype 255)
    if (mine.error is None) != (other.error is None):
        raise AssertionError(f"ours {mine!r}\npeer {other!r}\n{shown(hint)}")
    if mine.error is not None:
        found = error_difference(mine.error, other.error, texts)
    elif isinstance(mine.value, bytes) and isinstance(other.value, bytes):
        found = None if mine.value == other.value and type(mine.value) is type(other.value) else "bytes differ"
    else:
        found = difference(mine.value, other.value)
    if found:
        raise AssertionError(f"{found}\nours {mine!r}\npeer {other!r}\n{shown(hint)}")


def both_encode(ours, theirs, document, *args, texts=True, **kwargs):
    """Encodes with both, compares, returns the bytes (None when both refused)."""
    mine = Outcome(ours.encode, document, *args, **kwargs)
    other = Outcome(theirs.encode, document, *args, **kwargs)
    assert_same(mine, other, texts=texts, hint=document)
    return mine.value


def both_decode(ours, theirs, data, *args, texts=True, **kwargs):
    """Decodes with both, compares, returns our value (None when both refused)."""
    mine = Outcome(ours.decode, data, *args, **kwargs)
    other = Outcome(theirs.decode, data, *args, **kwargs)
    assert_same(mine, other, texts=texts, hint=data)
    return mine.value
