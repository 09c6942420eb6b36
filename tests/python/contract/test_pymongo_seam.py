# Every private name of PyMongo that barewire.mongo touches, checked on the installed release (CI: oldest and newest).
from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pymongo
import pytest
from bson import CodecOptions
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.asynchronous.mongo_client import AsyncMongoClient
from pymongo.errors import AutoReconnect, DuplicateKeyError, NetworkTimeout, OperationFailure, WriteConcernError
from pymongo.hello import Hello
from pymongo.operations import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.read_preferences import SecondaryPreferred
from pymongo.server_description import ServerDescription
from pymongo.synchronous.collection import Collection
from pymongo.synchronous.command_cursor import CommandCursor
from pymongo.synchronous.cursor import Cursor
from pymongo.synchronous.database import Database
from pymongo.synchronous.mongo_client import MongoClient

import barewire.mongo as ours
from barewire.mongo import _seam

PACKAGE = Path(ours.__file__).parent
FACES = [
    (AsyncMongoClient, ours.AsyncMongoClient),
    (AsyncDatabase, ours.AsyncDatabase),
    (AsyncCollection, ours.AsyncCollection),
    (AsyncCursor, ours.AsyncCursor),
    (AsyncCommandCursor, ours.AsyncCommandCursor),
    (MongoClient, ours.MongoClient),
    (Database, ours.Database),
    (Collection, ours.Collection),
    (Cursor, ours.Cursor),
    (CommandCursor, ours.CommandCursor),
]
HOT = [
    "insert_one insert_many find find_one update_one update_many replace_one delete_one delete_many count_documents"
    " find_one_and_update find_one_and_replace find_one_and_delete aggregate distinct bulk_write".split()
][0]


def test_every_name_is_there():
    assert [name for name in _seam.__all__ if not hasattr(_seam, name)] == []


def test_private_names_are_imported_in_one_file_only():
    found = []
    for path in PACKAGE.glob("*.py"):
        if path.name == "_seam.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pymongo":
                found += [f"{path.name}: {a.name}" for a in node.names if a.name.startswith("_")]
    assert found == []


@pytest.mark.parametrize(("theirs", "mine"), FACES, ids=lambda c: c.__module__)
def test_faces_are_subclasses(theirs, mine):
    assert issubclass(mine, theirs)
    assert mine.__name__ == theirs.__name__


@pytest.mark.parametrize("name", HOT)
@pytest.mark.parametrize(("theirs", "mine"), [FACES[2], FACES[7]], ids=["async", "blocking"])
def test_hot_methods_take_the_same_arguments(theirs, mine, name):
    """Same names, order, kinds and defaults: positional calls must land in the same place."""
    expected = inspect.signature(getattr(theirs, name)).parameters
    got = inspect.signature(getattr(mine, name)).parameters
    assert [(p.name, p.kind, p.default) for p in expected.values()] == [
        (p.name, p.kind, p.default) for p in got.values()
    ]
    assert inspect.iscoroutinefunction(getattr(mine, name)) == inspect.iscoroutinefunction(getattr(theirs, name))


@pytest.mark.parametrize(("theirs", "mine"), [FACES[1], FACES[6]], ids=["async", "blocking"])
@pytest.mark.parametrize("name", ["command", "create_collection", "get_collection", "with_options"])
def test_database_methods_take_the_same_arguments(theirs, mine, name):
    expected = inspect.signature(getattr(theirs, name)).parameters
    got = inspect.signature(getattr(mine, name)).parameters
    assert [(p.name, p.kind, p.default) for p in expected.values()] == [
        (p.name, p.kind, p.default) for p in got.values()
    ]


# --- constructor seam --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("client_class", [AsyncMongoClient, MongoClient])
def test_pool_and_monitor_class_reach_the_topology_settings(client_class):
    pool, monitor = object(), object()
    client = client_class("mongodb://h:1", connect=False, _pool_class=pool, _monitor_class=monitor)
    assert client._topology_settings.pool_class is pool
    assert client._topology_settings.monitor_class is monitor
    assert "_pool_class" in client._init_kwargs


@pytest.mark.parametrize("client_class", [ours.AsyncMongoClient, ours.MongoClient])
def test_our_clients_hand_in_their_pool_and_monitor(client_class):
    client = client_class("mongodb://h:1")
    settings = client._topology_settings
    assert settings.pool_class.args == (client._link,)
    assert settings.monitor_class.args == (client._link,)
    assert "_pool_class" not in client._init_kwargs
    assert client._topology is not None and not client._opened


@pytest.mark.parametrize("client_class", [AsyncMongoClient, MongoClient])
def test_client_members(client_class):
    client = client_class("mongodb://h:1/db", connect=False)
    for name in ("_topology", "_topology_settings", "_resolve_srv_info", "_opened", "_closed", "_encrypter"):
        assert hasattr(client, name), name
    for name in ("_get_topology", "_kill_cursors", "_close_cursor_soon", "_process_kill_cursors"):
        assert callable(getattr(client, name)), name
    assert list(inspect.signature(client._kill_cursors).parameters) == ["cursor_ids", "address", "topology", "session"]
    assert list(inspect.signature(client._close_cursor_soon).parameters) == ["cursor_id", "address", "conn_mgr"]
    for name in (
        "load_balanced direct_connection replica_set_name server_selection_timeout heartbeat_frequency server_selector"
        " local_threshold_ms retry_reads retry_writes timeout pool_options _options"
    ).split():
        assert hasattr(client.options, name), name
    for name in (
        "_credentials _event_listeners connect_timeout socket_timeout wait_queue_timeout max_pool_size max_connecting"
        " max_idle_time_seconds server_api"
    ).split():
        assert hasattr(client.options.pool_options, name), name


@pytest.mark.parametrize("pool", [_seam.AsyncPool, _seam.Pool])
def test_pool_members(pool):
    assert list(inspect.signature(pool.connect).parameters) == ["self", "handler"]
    parameters = list(inspect.signature(pool.__init__).parameters)
    assert parameters == ["self", "address", "options", "is_sdam", "client_id"]
    made = pool(("h", 1), MongoClient(connect=False).options.pool_options)
    for name in ("lock", "next_connection_id", "active_contexts", "address", "opts", "is_sdam", "is_writable"):
        assert hasattr(made, name), name


@pytest.mark.parametrize(("connection", "pool"), [(_seam.AsyncConnection, _seam.AsyncPool), (_seam.Connection, _seam.Pool)])
def test_connection_members(connection, pool):
    made = pool(("h", 1), MongoClient(connect=False).options.pool_options)
    conn = connection(object(), made, ("h", 1), 1, False)
    for name in (
        "performed_handshake hello_ok ready socket_checker compression_settings cancel_context is_writable"
        " max_wire_version max_bson_size max_message_size max_write_batch_size supports_sessions is_mongos"
    ).split():
        assert hasattr(conn, name), name
    assert conn.hello_cmd()
    assert "publish_events: bool = True" in inspect.getsource(connection)


@pytest.mark.parametrize("topology", [_seam.AsyncTopology, _seam.Topology])
def test_topology_members(topology):
    source = inspect.getsource(topology)
    for call in ("_monitor.cancel_check()", "server_description=sd", "topology_settings=self._settings"):
        assert call in source
    assert list(inspect.signature(topology.on_change).parameters)[:2] == ["self", "server_description"]


# --- functions ---------------------------------------------------------------------------------------------------------
def test_gen_find_command():
    concern = MongoClient(connect=False).read_concern
    command = _seam._gen_find_command("c", {"a": 1}, {"b": 1}, 2, -3, 0, 0, concern, None, None, None)
    assert command == {"find": "c", "filter": {"a": 1}, "projection": {"b": 1}, "skip": 2, "limit": 3, "singleBatch": True}
    command = _seam._gen_find_command("c", {"$query": {}, "$orderby": {"a": 1}}, None, 0, 5, 5, 16, concern, None, None, True)
    assert command == {
        "find": "c", "filter": {}, "sort": {"a": 1}, "limit": 5, "batchSize": 6, "allowDiskUse": True, "noCursorTimeout": True
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"ok": 0, "errmsg": "E11000", "code": 11000}, DuplicateKeyError),
        ({"ok": 0, "errmsg": "no", "code": 1}, OperationFailure),
    ],
)
def test_check_command_response(reply, error):
    with pytest.raises(error):
        _seam._check_command_response(reply, 17, None, parse_write_concern_error=True)
    _seam._check_command_response({"ok": 0, "errmsg": "no", "code": 26}, 17, (26,))


def test_check_write_command_response():
    with pytest.raises(DuplicateKeyError):
        _seam._check_write_command_response({"writeErrors": [{"code": 11000, "errmsg": "x", "index": 0}]})
    with pytest.raises(WriteConcernError):
        _seam._check_write_command_response({"writeConcernError": {"code": 79, "errmsg": "x"}})


def test_connection_failure_texts():
    options = MongoClient(connect=False).options.pool_options
    details = _seam._get_timeout_details(options)
    with pytest.raises(AutoReconnect, match=r"h:1: boom \(configured timeouts: connectTimeoutMS: 20000.0ms\)"):
        _seam._raise_connection_failure(("h", 1), OSError("boom"), timeout_details=details)
    with pytest.raises(NetworkTimeout):
        _seam._raise_connection_failure(("h", 1), TimeoutError("timed out"))


def test_bulk_collector():
    collected = ours._bulk._Operations(True)
    for request in (
        InsertOne({"a": 1}),
        UpdateOne({}, {"$set": {"a": 1}}, upsert=True),
        UpdateMany({}, {"$set": {"a": 1}}, hint="a_1"),
        ReplaceOne({}, {"a": 2}),
        DeleteOne({}),
        DeleteMany({}, collation={"locale": "en"}),
    ):
        request._add_to_bulk(collected)
    assert [run.op_type for run in collected.gen_ordered()] == [0, 1, 2]
    assert not collected.is_retryable
    stock = _seam._Bulk(MongoClient(connect=False).a.b, True, None)
    for request in (UpdateOne({"x": 1}, {"$set": {"a": 1}}), DeleteOne({"y": 1})):
        request._add_to_bulk(stock)
    mine = ours._bulk._Operations(True)
    for request in (UpdateOne({"x": 1}, {"$set": {"a": 1}}), DeleteOne({"y": 1})):
        request._add_to_bulk(mine)
    assert mine.ops == stock.ops


def test_merge_command():
    run = _seam._Run(0)
    run.ops, run.index_map = [{"_id": 1}, {"_id": 2}], range(2)
    full = ours._bulk._empty_result()
    _seam._merge_command(run, full, 0, {"n": 1, "writeErrors": [{"index": 1, "code": 11000, "errmsg": "x"}]})
    assert full["writeErrors"] == [{"index": 1, "code": 11000, "errmsg": "x", "op": {"_id": 2}}]
    assert full["nInserted"] == 1


def test_topology_description_is_built_without_a_topology():
    client = MongoClient("mongodb://h:1", connect=False)
    settings = client._topology_settings
    description = _seam.TopologyDescription(
        settings.get_topology_type(), settings.get_server_descriptions(), settings.replica_set_name, None, None, settings
    )
    server = ServerDescription(("h", 1), Hello({"ok": 1, "ismaster": True, "maxWireVersion": 17}))
    assert _seam.updated_topology_description(description, server).has_known_servers


def test_read_preference_members():
    preference = SecondaryPreferred(tag_sets=[{"a": "b"}])
    assert (preference.mode, preference.max_staleness) == (3, -1)
    assert preference.tag_sets == [{"a": "b"}]
    assert preference.document == {"mode": "secondaryPreferred", "tags": [{"a": "b"}]}


def test_codec_options_members():
    assert CodecOptions().type_registry._decoder_map == {}


def test_find_cursor_members():
    cursor = Cursor(MongoClient(connect=False).a.b, {"x": 1})
    for name in (
        "_collection _id _data _killed _session _explain _query_flags _skip _limit _batch_size _projection _collation"
        " _allow_disk_use _read_concern _retrieved _empty _dbname _collname _comment _max_await_time_ms _min _max _hint"
        " _address _sock_mgr"
    ).split():
        assert hasattr(cursor, name), name
    assert cursor._query_spec() == {"x": 1}


def test_session_bound_to_the_context_only_where_pymongo_has_it():
    has_bind = hasattr(_seam.ClientSession, "bind")
    assert (_seam.BOUND_SESSION is not None) == has_bind, pymongo.version
    assert (_seam.ASYNC_BOUND_SESSION is not None) == has_bind


def test_blocking_faces_are_generated():
    import runpy
    import sys

    script = PACKAGE.parents[2] / "tools" / "gen_sync.py"
    if not script.exists():
        pytest.skip("not run from a checkout")
    argv, sys.argv = sys.argv, [str(script), "--check"]
    try:
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = argv
    assert ended.value.code == 0
