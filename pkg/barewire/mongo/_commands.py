# Command documents and result handling that the async and the blocking collections share. Nothing is sent from here.
"""Plans (what a collection's hot methods need, worked out once) and builders of the small command documents.

The commands are PyMongo's, key by key: a monitor sees the same from both. Source: the CRUD and Find specifications.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bson.codec_options import CodecOptions, TypeRegistry
from pymongo.errors import ConfigurationError, InvalidOperation
from pymongo.write_concern import WriteConcern

from barewire import _core
from barewire.mongo._seam import (
    _QUERY_OPTIONS,
    _fields_list_to_dict,
    _gen_find_command,
    _index_document,
    validate_boolean,
    validate_collation_or_none,
    validate_is_document_type,
    validate_is_mapping,
    validate_list,
    validate_list_or_none,
    validate_non_negative_integer_or_none,
    validate_ok_for_replace,
    validate_ok_for_update,
)

FIND_ONE = _core.SHAPE_FIRST | _core.CHECK_CURSOR | _core.RETRY_READ
FIND = _core.SHAPE_BATCH | _core.CHECK_CURSOR | _core.RETRY_READ
GET_MORE = _core.SHAPE_BATCH | _core.CHECK_CURSOR
AGGREGATE = _core.SHAPE_BATCH | _core.CHECK_CONCERN | _core.RETRY_READ
COUNT = _core.SHAPE_FIRST | _core.CHECK_MISSING_ALLOWED | _core.RETRY_READ
DISTINCT = _core.SHAPE_DOCUMENT | _core.CHECK_CONCERN | _core.RETRY_READ
INSERT_ONE = _core.SHAPE_NOTHING | _core.CHECK_WRITE | _core.RETRY_WRITE
WRITE_ONE = _core.SHAPE_DOCUMENT | _core.CHECK_WRITE | _core.RETRY_WRITE
WRITE_MANY = _core.SHAPE_DOCUMENT | _core.CHECK_WRITE
FIND_AND_MODIFY = _core.SHAPE_DOCUMENT | _core.CHECK_CONCERN | _core.RETRY_WRITE
COMMAND = _core.SHAPE_DOCUMENT | _core.CHECK_COMMAND
COMMAND_UNCHECKED = _core.SHAPE_DOCUMENT | _core.CHECK_NOTHING
BULK = _core.SHAPE_COUNTED | _core.CHECK_COMMAND
BULK_RETRYABLE = BULK | _core.RETRY_WRITE

# Set on a cursor: PyMongo's own machinery does these.
_CURSOR_OPTIONS_INHERITED = _QUERY_OPTIONS["tailable_cursor"] | _QUERY_OPTIONS["exhaust"]


def never() -> bool:
    """In the place of `MongoEngine.direct` where the fast path does not do what the options ask for."""
    return False


class Plan:
    """What the hot methods of one collection need; made on the first call and kept by the collection.

    `read_direct()` and `write_direct()` say whether a call may take the fast path now: the options allow it and no
    `pymongo.timeout()`, bound session, closed engine or debug logging of commands is in the way.
    """

    __slots__ = (
        "_collection",
        "_count",
        "_modify",
        "engine",
        "name",
        "plain_types",
        "read",
        "read_concern",
        "read_direct",
        "write",
        "write_concern",
        "write_direct",
    )

    def __init__(self, collection: Any, link: Any) -> None:
        self._collection = collection
        self._count = self._modify = None
        self.name = collection._name
        engine = self.engine = link.engine
        self.read_direct = self.write_direct = never
        if engine is None:
            return
        codec_options = collection.codec_options
        self.plain_types = not codec_options.type_registry._decoder_map
        preference = collection.read_preference
        if preference.max_staleness == -1:
            self.read_direct = engine.direct
            self.read = engine.target(collection._database.name, codec_options, codec_options, preference)
        concern = collection.read_concern
        self.read_concern = concern.document if concern.level else None
        if collection.write_concern.acknowledged:
            self.write_direct = engine.direct
            self.write_concern = write_concern_document(collection.write_concern)
            self.write = engine.target(collection._database.name, *self._write_codecs(), None)

    def _write_codecs(self) -> tuple[CodecOptions[Any], CodecOptions[Any]]:
        """To encode with, and to decode acknowledgements with: PyMongo uses type decoders for users' documents only."""
        options = self._collection._write_response_codec_options
        return options, options if self.plain_types else options.with_options(type_registry=TypeRegistry())

    @property
    def modify(self) -> _core.MongoTarget:
        """For findAndModify: the primary, the collection's own codec options."""
        if self._modify is None:
            options = self._collection.codec_options
            self._modify = self.engine.target(self._collection._database.name, options, options, None)
        return self._modify

    @property
    def count(self) -> _core.MongoTarget:
        """For counts: the collection's read preference, plain dicts."""
        if self._count is None:
            collection = self._collection
            self._count = self.engine.target(
                collection._database.name, *self._write_codecs(), collection.read_preference
            )
        return self._count


def write_concern_document(concern: WriteConcern) -> dict[str, Any] | None:
    return None if concern.is_server_default else concern.document or None


def _hint(hint: Any) -> Any:
    return hint if isinstance(hint, str) else _index_document(hint)


# --- reads -------------------------------------------------------------------------------------------------------------
def cursor_is_direct(cursor: Any) -> bool:
    """Whether a find cursor that has not started yet can be run by the engine."""
    if cursor._session is not None or cursor._explain or cursor._query_flags & _CURSOR_OPTIONS_INHERITED:
        return False
    return cursor._collection._open_plan().read_direct()


def find_command(cursor: Any) -> dict[str, Any]:
    """Raises InvalidOperation as PyMongo does for min/max without hint."""
    if (cursor._min or cursor._max) and not cursor._hint:
        raise InvalidOperation(
            "Passing a 'hint' is required when using the min/max query"
            " option to ensure the query utilizes the correct index"
        )
    return _gen_find_command(
        cursor._collection.name,
        cursor._query_spec(),
        cursor._projection,
        cursor._skip,
        cursor._limit,
        cursor._batch_size,
        cursor._query_flags,
        cursor._read_concern,
        cursor._collation,
        None,
        cursor._allow_disk_use,
    )


def find_more_command(cursor: Any) -> dict[str, Any]:
    batch_size = cursor._batch_size
    if cursor._limit:
        left = cursor._limit - cursor._retrieved
        batch_size = min(left, batch_size) if batch_size else left
    return more_command(cursor._id, cursor._collname, batch_size, cursor._max_await_time_ms, cursor._comment)


def more_command(
    cursor_id: int, name: str, batch_size: int, max_await_time_ms: int | None, comment: Any
) -> dict[str, Any]:
    command = {"getMore": cursor_id, "collection": name}
    if batch_size:
        command["batchSize"] = batch_size
    if max_await_time_ms is not None:
        command["maxTimeMS"] = max_await_time_ms
    if comment is not None:
        command["comment"] = comment
    return command


def count_command(plan: Plan, filter: Any, comment: Any, options: dict[str, Any]) -> dict[str, Any]:
    pipeline: list[Any] = [{"$match": filter}]
    if "skip" in options:
        pipeline.append({"$skip": options.pop("skip")})
    if "limit" in options:
        pipeline.append({"$limit": options.pop("limit")})
    if comment is not None:
        options["comment"] = comment
    pipeline.append({"$group": {"_id": 1, "n": {"$sum": 1}}})
    if "hint" in options:
        options["hint"] = _hint(options["hint"])
    collation = validate_collation_or_none(options.pop("collation", None))
    command = {"aggregate": plan.name, "pipeline": pipeline, "cursor": {}, **options}
    return _finish_read(plan, command, collation)


def distinct_command(
    plan: Plan, key: str, filter: Any, comment: Any, hint: Any, options: dict[str, Any]
) -> dict[str, Any]:
    if not isinstance(key, str):
        raise TypeError(f"key must be an instance of str, not {type(key)}")
    if filter is not None:
        if "query" in options:
            raise ConfigurationError("can't pass both filter and query")
        options["query"] = filter
    collation = validate_collation_or_none(options.pop("collation", None))
    command = {"distinct": plan.name, "key": key, **options}
    if comment is not None:
        command["comment"] = comment
    if hint is not None:
        command["hint"] = _hint(hint)
    return _finish_read(plan, command, collation)


class Aggregation:
    """A pipeline that only reads: its command and what its cursor has to know."""

    __slots__ = ("batch_size", "command", "comment", "max_await_time_ms")

    def __init__(self, plan: Plan, pipeline: Any, let: Any, comment: Any, options: dict[str, Any]) -> None:
        for name in ("aggregate", "pipeline"):
            if name in options:
                raise ConfigurationError(f"The {name} option cannot be specified as a keyword argument.")
        if let is not None:
            validate_is_mapping("let", let)
            options["let"] = let
        if comment is not None:
            options["comment"] = comment
        self.batch_size = validate_non_negative_integer_or_none("batchSize", options.pop("batchSize", None))
        options.setdefault("cursor", {})
        if self.batch_size is not None:
            options["cursor"]["batchSize"] = self.batch_size
        collation = validate_collation_or_none(options.pop("collation", None))
        self.max_await_time_ms = options.pop("maxAwaitTimeMS", None)
        self.comment = options.get("comment")
        self.command = {"aggregate": plan.name, "pipeline": pipeline, **options}
        _finish_read(plan, self.command, collation)


def pipeline_writes(pipeline: Any) -> bool:
    """Whether the pipeline ends in $out or $merge. Raises TypeError when it is no list."""
    validate_list("pipeline", pipeline)
    return bool(pipeline) and ("$out" in pipeline[-1] or "$merge" in pipeline[-1])


def _finish_read(plan: Plan, command: dict[str, Any], collation: Any) -> dict[str, Any]:
    if plan.read_concern is not None and "readConcern" not in command:
        command["readConcern"] = plan.read_concern
    if collation is not None:
        command["collation"] = collation
    return command


# --- writes ------------------------------------------------------------------------------------------------------------
def write_command(
    plan: Plan, name: str, ordered: bool = True, bypass: bool | None = None, comment: Any = None, let: Any = None
) -> dict[str, Any]:
    """`insert`, `update` or `delete` without its documents, which travel as a document sequence."""
    command = {name: plan.name, "ordered": ordered}
    if let is not None:
        command["let"] = let
    if comment is not None:
        command["comment"] = comment
    if bypass is not None:
        command["bypassDocumentValidation"] = bypass
    if plan.write_concern is not None:
        command["writeConcern"] = plan.write_concern
    return command


def check_filter(filter: Any) -> None:
    if type(filter) is not dict:
        validate_is_mapping("filter", filter)


def check_update(update: Any) -> None:
    """PyMongo's check, short for the usual case: a dict whose first key is an operator."""
    if type(update) is dict:
        for key in update:
            if key.startswith("$"):
                return
            break
    validate_ok_for_update(update)


def check_replacement(replacement: Any) -> None:
    validate_ok_for_replace(replacement)


def update_statement(
    criteria: Any, update: Any, upsert: bool, multi: bool, collation: Any, array_filters: Any, hint: Any, sort: Any
) -> dict[str, Any]:
    if upsert is not False and upsert is not True:
        validate_boolean("upsert", upsert)
    statement = {"q": criteria, "u": update, "multi": multi, "upsert": upsert}
    if collation is not None:
        statement["collation"] = validate_collation_or_none(collation)
    if array_filters is not None:
        statement["arrayFilters"] = array_filters
    if hint is not None:
        statement["hint"] = _hint(hint)
    if sort is not None:
        validate_is_mapping("sort", sort)
        statement["sort"] = sort
    return statement


def update_result(reply: dict[str, Any]) -> dict[str, Any]:
    """The raw result PyMongo makes of an update's acknowledgement."""
    upserted = reply.get("upserted")
    if upserted is None:
        reply["updatedExisting"] = bool(reply.get("n"))
    else:
        reply["updatedExisting"] = False
        reply["upserted"] = upserted[0]["_id"]
    return reply


def delete_statement(criteria: Any, limit: int, collation: Any, hint: Any) -> dict[str, Any]:
    statement = {"q": criteria, "limit": limit}
    if collation is not None:
        statement["collation"] = validate_collation_or_none(collation)
    if hint is not None:
        statement["hint"] = _hint(hint)
    return statement


def check_let(let: Any) -> None:
    if let is not None:
        validate_is_mapping("let", let)


def check_delete_let(let: Any) -> None:
    if let is not None:
        validate_is_document_type("let", let)


def check_array_filters(array_filters: Any) -> None:
    if array_filters is not None:
        validate_list_or_none("array_filters", array_filters)


def find_and_modify_command(
    plan: Plan,
    filter: Mapping[str, Any],
    projection: Mapping[str, Any] | Iterable[str] | None,
    sort: Any,
    upsert: bool | None,
    return_document: bool,
    array_filters: Sequence[Mapping[str, Any]] | None,
    hint: Any,
    let: Any,
    options: dict[str, Any],
) -> dict[str, Any] | None:
    """None when `options` bring a write concern of their own that asks for no acknowledgement."""
    validate_is_mapping("filter", filter)
    if not isinstance(return_document, bool):
        raise TypeError(
            f"return_document must be ReturnDocument.BEFORE or ReturnDocument.AFTER, not {type(return_document)}"
        )
    collation = validate_collation_or_none(options.pop("collation", None))
    if hint is not None:
        hint = _hint(hint)
    concern = plan.write_concern
    if options.get("writeConcern") is not None:
        own = WriteConcern(**options["writeConcern"])
        if not own.acknowledged:
            return None
        concern = write_concern_document(own)
    command: dict[str, Any] = {"findAndModify": plan.name, "query": filter, "new": return_document}
    if let is not None:
        validate_is_mapping("let", let)
        command["let"] = let
    command.update(options)
    if projection is not None:
        command["fields"] = _fields_list_to_dict(projection, "projection")
    if sort is not None:
        command["sort"] = _index_document(sort)
    if upsert is not None:
        validate_boolean("upsert", upsert)
        command["upsert"] = upsert
    if array_filters is not None:
        command["arrayFilters"] = list(array_filters)
    if hint is not None:
        command["hint"] = hint
    if concern is not None:
        command["writeConcern"] = concern
    if collation is not None:
        command["collation"] = collation
    return command


def is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)
