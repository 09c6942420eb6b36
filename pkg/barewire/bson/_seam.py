# The private names of bson and PyMongo that accelerate() replaces, and in which releases they stand where. No replacing here.
"""The seam between Barewire's codec and PyMongo.

Everything that `barewire.bson.accelerate` reaches into is listed here and nowhere else; tests/python/contract/test_bson_seam.py
checks the list against an installed PyMongo, oldest and newest allowed.
"""

from __future__ import annotations

import sys
import types
from importlib import import_module
from typing import Any, NamedTuple

# PyMongo releases whose seam is known: from the first, up to but not including the second.
FIRST_KNOWN = (4, 13)
FIRST_UNKNOWN = (4, 21)


class Function(NamedTuple):
    """What is replaced. A function in C is known by its module and name, a Python function by its parameters."""

    c_module: str | None
    c_name: str | None
    parameters: tuple[str, ...] | None

    def matches(self, found: Any) -> bool:
        if self.c_module is not None:
            module = getattr(found, "__self__", None)
            return getattr(module, "__name__", None) == self.c_module and found.__name__ == self.c_name
        if not isinstance(found, types.FunctionType):
            return False
        code = found.__code__
        return code.co_varnames[: code.co_argcount] == self.parameters and not code.co_kwonlyargcount


def _in_c(module: str, name: str) -> Function:
    return Function(module, name, None)


def _in_python(*parameters: str) -> Function:
    return Function(None, None, parameters)


FUNCTIONS: dict[str, Function] = {
    "dict_to_bson": _in_c("bson._cbson", "_dict_to_bson"),
    "bson_to_dict": _in_c("bson._cbson", "_bson_to_dict"),
    "decode_all": _in_c("bson._cbson", "_decode_all"),
    "element_to_dict": _in_c("bson._cbson", "_element_to_dict"),
    "array_of_documents_to_buffer": _in_c("bson._cbson", "_array_of_documents_to_buffer"),
    "raw_to_dict": _in_python("data", "position", "obj_end", "opts", "result", "raw_array"),
    "op_msg": _in_c("pymongo._cmessage", "_op_msg"),
    "batched_op_msg": _in_c("pymongo._cmessage", "_batched_op_msg"),
    "encode_batched_op_msg": _in_c("pymongo._cmessage", "_encode_batched_op_msg"),
    "encode_batched_write_command": _in_c("pymongo._cmessage", "_encode_batched_write_command"),
    "object_id_init": _in_python("self", "oid"),
    "validate_is_document_type": _in_python("option", "value"),
}


class Place(NamedTuple):
    """Where a function is looked up: `name` in a module, or in a class written as module:Class."""

    owner: str
    name: str
    function: str
    first: tuple[int, int] = FIRST_KNOWN
    before: tuple[int, int] = FIRST_UNKNOWN
    # A module that PyMongo loads only when a program needs it: replaced if it is loaded, and put back in any case.
    on_demand: bool = False

    def exists_in(self, release: tuple[int, int]) -> bool:
        return self.first <= release < self.before

    @property
    def loaded(self) -> bool:
        return self.owner.partition(":")[0] in sys.modules

    def object(self) -> Any:
        """The module or class, imported if need be."""
        module, _, attribute = self.owner.partition(":")
        found = import_module(module)
        return getattr(found, attribute) if attribute else found

    def get(self) -> Any:
        """What stands there now; None if there is nothing of that name."""
        return vars(self.object()).get(self.name)

    def set(self, value: Any) -> None:
        setattr(self.object(), self.name, value)


# Names that other modules import by value are listed once for every such module; the first of each function is its source.
PLACES: tuple[Place, ...] = (
    # bson.encode, decode, decode_all, decode_iter, decode_file_iter, is_valid, the BSON class; replies of PyMongo
    Place("bson", "_dict_to_bson", "dict_to_bson"),
    Place("bson", "_bson_to_dict", "bson_to_dict"),
    Place("bson", "_decode_all", "decode_all"),
    Place("bson._cbson", "_element_to_dict", "element_to_dict"),
    # raw batches
    Place("bson", "_array_of_documents_to_buffer", "array_of_documents_to_buffer"),
    # RawBSONDocument
    Place("bson", "_raw_to_dict", "raw_to_dict"),
    Place("bson.raw_bson", "_raw_to_dict", "raw_to_dict"),
    # every message that PyMongo sends
    Place("pymongo.message", "_dict_to_bson", "dict_to_bson"),
    Place("pymongo.message", "_op_msg_uncompressed", "op_msg"),
    Place("pymongo.message", "_batched_op_msg", "batched_op_msg"),
    Place("pymongo.message", "_encode_batched_op_msg", "encode_batched_op_msg"),
    Place("pymongo.message", "_encode_batched_write_command", "encode_batched_write_command"),
    Place("pymongo.synchronous.change_stream", "_bson_to_dict", "bson_to_dict"),
    Place("pymongo.asynchronous.change_stream", "_bson_to_dict", "bson_to_dict"),
    Place("pymongo.synchronous.encryption", "_dict_to_bson", "dict_to_bson", on_demand=True),
    Place("pymongo.asynchronous.encryption", "_dict_to_bson", "dict_to_bson", on_demand=True),
    # the larger part of an insert that is not the codec: new ids, and the check that a document is a mapping
    Place("bson.objectid:ObjectId", "__init__", "object_id_init"),
    Place("pymongo.common", "validate_is_document_type", "validate_is_document_type"),
    Place("pymongo.bulk_shared", "validate_is_document_type", "validate_is_document_type", first=(4, 19)),
    Place("pymongo._client_bulk_shared", "validate_is_document_type", "validate_is_document_type", first=(4, 19)),
    Place("pymongo.synchronous.bulk", "validate_is_document_type", "validate_is_document_type", before=(4, 19)),
    Place("pymongo.asynchronous.bulk", "validate_is_document_type", "validate_is_document_type", before=(4, 19)),
    Place("pymongo.synchronous.client_bulk", "validate_is_document_type", "validate_is_document_type", before=(4, 19)),
    Place("pymongo.asynchronous.client_bulk", "validate_is_document_type", "validate_is_document_type", before=(4, 19)),
)
