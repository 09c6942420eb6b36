# accelerate() and restore(): our codec under the installed bson and PyMongo. The list of what is touched is in _seam.py.
"""Putting Barewire's codec under an unchanged PyMongo, Motor or Beanie program."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from barewire import _core
from barewire.bson import _seam

__all__ = ["SeamError", "accelerate", "is_accelerated", "restore"]


class SeamError(RuntimeError):
    """The installed PyMongo is not one whose internals accelerate() knows; nothing was changed."""


_lock = threading.Lock()
# Function of the seam -> (what stood there, what stands there now); empty when nothing is replaced.
_replaced: dict[str, tuple[Any, Any]] = {}


def accelerate() -> None:
    """Puts this codec under the installed `bson` and PyMongo, for the whole process.

    Programs stay as they are: `bson.encode` and `decode`, PyMongo, Motor and what is built on them run on the native codec,
    messages are encoded in one pass, and new ObjectIds are made natively. Results, value types and errors are the same. Call
    it before or after importing PyMongo, from any thread; a second call does nothing. `ObjectId` no longer counts in its
    private `_inc` while this is on.

    Raises SeamError, with nothing changed, if PyMongo is not of a known release (4.13 to 4.20), has no C extension, or has been
    changed by another library.
    """
    with _lock:
        if _replaced:
            return
        originals = _check()
        replacements = _replacements(originals)
        for place in _places():
            place.set(replacements[place.function])
        _replaced.update({name: (original, replacements[name]) for name, original in originals.items()})


def restore() -> None:
    """Undoes accelerate(): everything stands as before. Without accelerate() it does nothing.

    A name that something else replaced in the meantime is left to it.
    """
    with _lock:
        for place in _seam.PLACES:
            if place.function not in _replaced or not place.loaded:
                continue
            original, ours = _replaced[place.function]
            if place.get() is ours:
                place.set(original)
        _replaced.clear()


def is_accelerated() -> bool:
    """Whether accelerate() is in force."""
    return bool(_replaced)


def _release() -> tuple[int, int]:
    import pymongo

    return (pymongo.version_tuple[0], pymongo.version_tuple[1])


def _places() -> list[_seam.Place]:
    """The places of the installed release that are to be replaced now."""
    release = _release()
    return [place for place in _seam.PLACES if place.exists_in(release) and (place.loaded or not place.on_demand)]


def _check() -> dict[str, Any]:
    """The functions that stand at the places of the installed release, each known and the same at all of its places."""
    import bson
    import pymongo

    if not _seam.FIRST_KNOWN <= _release() < _seam.FIRST_UNKNOWN:
        first = ".".join(map(str, _seam.FIRST_KNOWN))
        last = f"{_seam.FIRST_UNKNOWN[0]}.{_seam.FIRST_UNKNOWN[1] - 1}"
        raise SeamError(f"accelerate() knows PyMongo {first} to {last}, not {pymongo.version}; nothing was changed")
    if not (bson.has_c() and pymongo.has_c()):
        raise SeamError("accelerate() needs PyMongo with its C extension; nothing was changed")
    originals: dict[str, Any] = {}
    for place in _places():
        found = place.get()
        where = f"{place.owner.replace(':', '.')}.{place.name}"
        if found is None:
            raise SeamError(f"PyMongo {pymongo.version} has no {where}; nothing was changed")
        if not _seam.FUNCTIONS[place.function].matches(found) or originals.setdefault(place.function, found) is not found:
            raise SeamError(f"{where} is not what PyMongo {pymongo.version} puts there; nothing was changed")
    return originals


def _replacements(originals: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    return {
        "dict_to_bson": _core.seam_dict_to_bson,
        "bson_to_dict": _core.decode,
        "decode_all": _core.decode_all,
        "element_to_dict": _core.seam_element_to_dict,
        "array_of_documents_to_buffer": _core.seam_array_of_documents_to_buffer,
        "raw_to_dict": _raw_to_dict(originals["raw_to_dict"]),
        "op_msg": _core.seam_op_msg,
        "batched_op_msg": _core.seam_batched_op_msg,
        "encode_batched_op_msg": _core.seam_encode_batched_op_msg,
        "encode_batched_write_command": _core.seam_encode_batched_write_command,
        "object_id_init": _object_id_init(originals["object_id_init"]),
        "validate_is_document_type": _validate_is_document_type(originals["validate_is_document_type"]),
    }


def _raw_to_dict(original: Callable[..., Any]) -> Callable[..., Any]:
    decode_into = _core.raw_to_dict

    @functools.wraps(original)
    def _raw_to_dict(data: Any, position: int, obj_end: int, opts: Any, result: Any, raw_array: bool = False) -> Any:
        return decode_into(data, position, obj_end, opts, result, raw_array)

    return _raw_to_dict


def _object_id_init(original: Callable[..., None]) -> Callable[..., None]:
    new_bytes = _core.object_id_bytes

    @functools.wraps(original)
    def __init__(self: Any, oid: Any = None) -> None:
        if oid is None:
            self._ObjectId__id = new_bytes()
        else:
            original(self, oid)

    return __init__


def _validate_is_document_type(original: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
    @functools.wraps(original)
    def validate_is_document_type(option: str, value: Any) -> None:
        if type(value) is not dict:
            original(option, value)

    return validate_is_document_type
