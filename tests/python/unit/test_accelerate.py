# accelerate() without a server: the replaced functions against those of bson._cbson and pymongo._cmessage, byte for byte.
import copy
import os
import pickle
import random
import struct
import sys
import threading
from types import SimpleNamespace

import bson
import pymongo
import pytest
from barewire import _core
from barewire.bson import SeamError, _seam, accelerate, is_accelerated, restore
from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.errors import InvalidId
from bson.raw_bson import RawBSONDocument
from pymongo import _cmessage, common, message

_cbson = bson._cbson
OPTIONS = CodecOptions()
# Older C modules read outside broken input: they cannot be asked about it.
PEER_TAKES_BROKEN_BYTES = pymongo.version_tuple >= (4, 20)


@pytest.fixture(autouse=True)
def put_back():
    restore()
    yield
    restore()


@pytest.fixture
def accelerated():
    accelerate()


def outcome(function, *arguments, **keywords):
    try:
        return "returned", function(*arguments, **keywords)
    except Exception as error:
        return "raised", type(error), str(error)


def same(mine, other):
    if other[:2] == ("raised", SystemError):
        # A fault of older releases: an error without an exception. Ours names the reason.
        assert mine[0] == "raised"
        return mine
    assert mine == other
    return mine


# --- switching ---------------------------------------------------------------------------------------------------------


def test_twice_is_harmless():
    original = bson._dict_to_bson
    accelerate()
    ours = bson._dict_to_bson
    accelerate()
    assert bson._dict_to_bson is ours is not original and is_accelerated()
    restore()
    assert bson._dict_to_bson is original and not is_accelerated()
    restore()
    accelerate()
    assert bson._dict_to_bson is ours
    assert issubclass(SeamError, RuntimeError)


def test_what_others_replaced_meanwhile_is_left():
    def theirs(*arguments):
        return original(*arguments)

    original = bson._dict_to_bson
    accelerate()
    bson._dict_to_bson = theirs
    restore()
    try:
        assert bson._dict_to_bson is theirs
        assert message._dict_to_bson is original
    finally:
        bson._dict_to_bson = original


def test_threads_switch_and_encode():
    documents = [{"n": n, "s": "x" * n, "id": ObjectId()} for n in range(50)]
    expected = [bson.encode(document) for document in documents]
    problems = []
    stop = threading.Event()

    def encode():
        while not stop.is_set():
            for document, data in zip(documents, expected):
                if bson.encode(document) != data or bson.decode(data) != document:
                    problems.append(document)
            ObjectId()
            common.validate_is_document_type("document", {})

    threads = [threading.Thread(target=encode) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        accelerate()
        restore()
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems and not is_accelerated()


# --- the functions of bson._cbson -----------------------------------------------------------------------------------------

DOCUMENTS = [
    {}, {"a": 1, "_id": 2}, {"_id": {"_id": 1}}, {"$a": {"b.c": [1, "x", None]}}, {"a": object}, {"_id": object}, {1: 1}, [1], None, "x",
    RawBSONDocument(bson.encode({"r": 1})), {"r": RawBSONDocument(bson.encode({"r": 1}))}, {"a": 2**70}, {"s": "\ud800"},
]


@pytest.mark.parametrize("index", range(len(DOCUMENTS)))
@pytest.mark.parametrize("check_keys", [False, True])
@pytest.mark.parametrize("top_level", [(), (True,), (False,)])
def test_dict_to_bson(index, check_keys, top_level):
    document = DOCUMENTS[index]
    arguments = (document, check_keys, OPTIONS, *top_level)
    same(outcome(_core.seam_dict_to_bson, *arguments), outcome(_cbson._dict_to_bson, *arguments))


def test_dict_to_bson_arguments():
    for arguments in ((), ({},), ({}, False), ({}, False, None), ({}, False, OPTIONS, True, 1), ({}, False, 5)):
        assert outcome(_core.seam_dict_to_bson, *arguments)[:2] == ("raised", TypeError)


VALUES = bson.encode({
    "a": 1, "text": "é" * 20, "list": [1, {"x": [2]}], "doc": {"y": {"z": 1.5}}, "id": ObjectId(), "none": None, "b": b"x" * 40,
    "regex": bson.Regex("a", "i"), "code": bson.Code("x", {"s": 1}), "min": bson.MinKey(), "t": bson.Timestamp(1, 2), "": True,
})
RAW = CodecOptions(document_class=RawBSONDocument)


@pytest.mark.parametrize("options", [OPTIONS, CodecOptions(tz_aware=True), RAW], ids=["dict", "aware", "raw"])
@pytest.mark.parametrize("raw_array", [False, True])
def test_element_to_dict(options, raw_array):
    position, end = 4, len(VALUES) - 1
    while position < end:
        arguments = (VALUES, position, end, options, raw_array)
        result = same(outcome(_core.seam_element_to_dict, *arguments), outcome(_cbson._element_to_dict, *arguments))
        position = result[1][2]
    assert position == end


def test_element_to_dict_of_broken_bytes():
    rnd = random.Random(1)
    for _ in range(3000):
        data = bytearray(VALUES)
        for _ in range(rnd.randrange(1, 4)):
            data[rnd.randrange(4, len(data) - 1)] = rnd.randrange(256)
        data = bytes(data)
        arguments = (data, 4, len(data) - 1, OPTIONS, False)
        mine = outcome(_core.seam_element_to_dict, *arguments)
        if PEER_TAKES_BROKEN_BYTES:
            assert mine[:2] == outcome(_cbson._element_to_dict, *arguments)[:2]
    for arguments in ((bytearray(VALUES), 4, 10, OPTIONS, False), (VALUES, 4, 5, OPTIONS, False)):
        same(outcome(_core.seam_element_to_dict, *arguments)[:2], outcome(_cbson._element_to_dict, *arguments)[:2])
    # Bounds outside the data, which the peer does not check.
    for position, end in ((4, 10**6), (500, 4), (len(VALUES), len(VALUES))):
        assert outcome(_core.seam_element_to_dict, VALUES, position, end, OPTIONS, False)[0] == "raised"


def array_bytes(*documents):
    return bson.encode({"a": list(documents)})[7:-1]


def test_array_of_documents_to_buffer():
    rnd = random.Random(2)
    good = array_bytes({}, {"a": 1}, {"b": "x" * 300}, *({"n": n} for n in range(20)))
    cases = [good, array_bytes(), memoryview(good), bytearray(good), b"", b"1234", good[:-1], good + b"\0", array_bytes(1), array_bytes({}, 5)]
    for _ in range(2000):
        data = bytearray(good)
        for _ in range(rnd.randrange(1, 3)):
            data[rnd.randrange(len(data))] = rnd.choice((0, 3, 5, 255, rnd.randrange(256)))
        cases.append(bytes(data))
    for data in cases:
        mine = outcome(_core.seam_array_of_documents_to_buffer, data)
        if PEER_TAKES_BROKEN_BYTES or data == good:
            same(mine, outcome(_cbson._array_of_documents_to_buffer, data))
    assert outcome(_core.seam_array_of_documents_to_buffer, 5)[1] is TypeError


def raw_tree(document):
    found = [(type(document), type(document.raw), bytes(document.raw), list(document))]
    for value in document.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, RawBSONDocument):
                found += raw_tree(item)
            else:
                found.append((type(item), item))
    return found


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview], ids=["bytes", "bytearray", "memoryview"])
def test_raw_documents(make):
    data = bson.encode({"big": {"text": "x" * 9000, "in": {"a": 1}}, "small": {"a": {"b": 1}}, "list": [{"t": "y" * 9000}, 1, {"z": 2}]})

    def trees():
        return [raw_tree(document) for document in (bson.decode(make(data), RAW), *bson.decode_all(make(data + data), RAW))]

    plain = trees()
    accelerate()
    assert trees() == plain
    assert dict(RawBSONDocument(data)).keys() == {"big", "small", "list"}


def test_the_functions_of_bson(accelerated):
    document = {"_id": ObjectId(), "a": [1, {"b": None}], "s": "text"}
    data = _cbson._dict_to_bson(document, False, OPTIONS)
    assert bson.encode(document) == data == bson.BSON.encode(document)
    assert bson.decode(data) == document == bson.BSON(data).decode()
    assert bson.decode_all(data * 2) == [document] * 2
    assert list(bson.decode_iter(data * 2)) == [document] * 2
    assert bson.is_valid(data) and not bson.is_valid(data[:-1])
    with pytest.raises(bson.InvalidDocument, match="cannot encode object"):
        bson.encode({"a": object()})


# --- ids ---------------------------------------------------------------------------------------------------------------------


def test_new_ids(accelerated):
    ids = [ObjectId() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    one = ids[0]
    assert type(one.binary) is bytes and len(one.binary) == 12
    assert abs(one.generation_time.timestamp() - __import__("time").time()) < 60
    assert {i.binary[4:9] for i in ids} == {one.binary[4:9]}
    counters = [int.from_bytes(i.binary[9:], "big") for i in ids]
    assert all((after - before) % 2**24 == 1 for before, after in zip(counters, counters[1:]))
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one


def test_given_ids_and_errors():
    cases = [("0" * 24,), (b"0" * 12,), (ObjectId("1" * 24),), ("x" * 24,), ("1" * 23,), (b"1",), (5,), ("  " * 12,), (None,), (1, 2)]
    plain = [outcome(ObjectId, *case) for case in cases]
    accelerate()
    for case, expected in zip(cases, plain):
        result = outcome(ObjectId, *case)
        if case == (None,):
            assert isinstance(result[1], ObjectId)
        elif len(case) == 1:
            assert result == expected
        else:
            assert result[:2] == expected[:2]
    assert ObjectId(oid="2" * 24) == ObjectId("2" * 24)
    with pytest.raises(InvalidId):
        ObjectId("nonsense")
    assert not ObjectId.is_valid("nonsense") and ObjectId.is_valid("3" * 24)

    class MyId(ObjectId):
        def __init__(self, oid=None):
            super().__init__(oid)
            self.extra = 1

    assert MyId().extra == 1 and len(MyId().binary) == 12


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_ids_after_fork(accelerated):
    before = ObjectId()
    reader, writer = os.pipe()
    # os.fork in a process with threads warns from Python 3.12 on; the child only makes one id.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.write(writer, ObjectId().binary)
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 12)
    os.close(reader)
    os.close(writer)
    assert len(theirs) == 12 and theirs[4:9] != before.binary[4:9]
    assert ObjectId().binary[4:9] == before.binary[4:9]


def test_check_of_documents():
    from collections import OrderedDict, UserDict

    cases = [{}, OrderedDict(), UserDict(), bson.SON(), RawBSONDocument(bson.encode({})), [], 5, None, "x", type]
    plain = [outcome(common.validate_is_document_type, "document", case) for case in cases]
    accelerate()
    assert [outcome(common.validate_is_document_type, "document", case) for case in cases] == plain


# --- the functions of pymongo._cmessage ------------------------------------------------------------------------------------


def without_request_id(result):
    """The message with the request id cut out, after checking that it is the one returned."""
    if result[0] == "raised":
        return result
    request_id, data, *rest = result[1]
    assert struct.unpack_from("<i", data, 4)[0] == request_id and request_id >= 0
    assert struct.unpack_from("<i", data, 0)[0] == len(data)
    return data[:4], data[8:], rest


COMMANDS = [
    (0, {"ping": 1, "$db": "admin"}, "", None),
    (2, {"insert": "c", "$db": "d"}, "documents", [{"_id": 1}, {"x": "y" * 1000, "_id": 2}]),
    (0, {"update": "c", "_id": 7}, "updates", []),
    (0, {"delete": "c"}, "deletes", ({"q": {}} for _ in range(3))),
    (65536, {"a": object}, "", None),
    (0, {"insert": "c"}, "documents", [{"a": object}]),
    (0, {"insert": "c"}, "documents", 5),
    (0, {"insert": "c"}, "documents", [5]),
    (0, RawBSONDocument(bson.encode({"r": 1})), "documents", [RawBSONDocument(bson.encode({"r": 1}))]),
]


@pytest.mark.parametrize("index", range(len(COMMANDS)))
def test_op_msg(index):
    flags, command, identifier, documents = COMMANDS[index]
    documents = list(documents) if hasattr(documents, "__next__") else documents
    arguments = (flags, command, identifier, documents, OPTIONS)
    same(without_request_id(outcome(_core.seam_op_msg, *arguments)), without_request_id(outcome(_cmessage._op_msg, *arguments)))


def limits(bson_size=16777216, batch=100000, size=48000000, split=16777216):
    return SimpleNamespace(max_bson_size=bson_size, max_write_batch_size=batch, max_message_size=size, max_split_size=split)


BATCHES = [
    ([{"_id": n, "s": "x" * 50} for n in range(100)], limits()),
    ([{"s": "x" * 50, "_id": n} for n in range(100)], limits(batch=7)),
    ([{"s": "x" * 50} for n in range(100)], limits(size=1000)),
    ([{"s": "x" * 50} for n in range(100)], limits(size=1000, bson_size=40)),
    ([{"s": "x" * 2000}], limits(size=1000)),
    ([{"s": "x"}, {"s": "x" * 2000}], limits(size=1000, bson_size=100)),
    ([{"s": "x" * 20_000}, {}], limits(bson_size=100, split=100)),
    ([{"s": "x" * 50} for n in range(100)], limits(split=1000)),
    ([], limits()),
    ([{"a": object}], limits()),
    ([{}, 5], limits()),
    (5, limits()),
    ([{"_id": n} for n in range(1200)], limits(batch=1100)),
    ([RawBSONDocument(bson.encode({"r": 1}))] * 3, limits()),
    ([{}], SimpleNamespace(max_bson_size="x", max_write_batch_size=1, max_message_size=1, max_split_size=1)),
]


@pytest.mark.parametrize("index", range(len(BATCHES)))
@pytest.mark.parametrize("operation", [0, 1, 2, 3])
@pytest.mark.parametrize("acknowledged", [True, False])
def test_batched_messages(index, operation, acknowledged):
    documents, context = BATCHES[index]
    command = {"insert": "c", "ordered": True, "_id": 3, "lsid": {"id": b"x" * 16}}

    def fresh():
        return iter(documents) if isinstance(documents, list) and index % 2 else documents

    def call(function):
        return outcome(function, operation, command, fresh(), acknowledged, OPTIONS, context)

    same(without_request_id(call(_core.seam_batched_op_msg)), without_request_id(call(_cmessage._batched_op_msg)))
    mine = same(call(_core.seam_encode_batched_op_msg), call(_cmessage._encode_batched_op_msg))
    if mine[0] == "returned":
        assert all(a is b for a, b in zip(mine[1][1], documents))

    def call_command(function):
        return outcome(function, "db.$cmd", operation, command, fresh(), OPTIONS, context)

    same(call_command(_core.seam_encode_batched_write_command), call_command(_cmessage._encode_batched_write_command))


def test_messages_are_built_by_ours(accelerated):
    for name in ("_op_msg_uncompressed", "_batched_op_msg", "_encode_batched_op_msg", "_encode_batched_write_command"):
        assert getattr(message, name).__self__ is _core
    request_id, data, size, largest = message._op_msg(0, {"ping": 1}, "admin", None, OPTIONS)
    assert data[21:] == bson.encode({"ping": 1, "$db": "admin"}) and size == len(data) - 21 and largest == 0


def test_references_stay_flat():
    documents = [{"_id": n, "s": "text"} for n in range(20)]
    context = limits()
    command = {"insert": "c"}
    things = [documents[0], command, context, OPTIONS, None, True]

    def work():
        for _ in range(300):
            _core.seam_batched_op_msg(0, command, documents, True, OPTIONS, context)
            _core.seam_encode_batched_write_command("a.b", 0, command, iter(documents), OPTIONS, context)
            _core.seam_op_msg(0, command, "documents", documents, OPTIONS)
            outcome(_core.seam_batched_op_msg, 0, command, [{"a": object}], True, OPTIONS, context)
            outcome(_core.seam_batched_op_msg, 0, command, [{"a": "x" * 100}], True, OPTIONS, limits(size=50))
            _core.seam_element_to_dict(VALUES, 4, len(VALUES) - 1, OPTIONS, False)
            _core.object_id_bytes()

    work()
    before = [sys.getrefcount(thing) for thing in things]
    blocks = sys.getallocatedblocks()
    work()
    after = [sys.getrefcount(thing) for thing in things]
    assert all(abs(a - b) < 30 for a, b in zip(after, before)), (before, after)
    assert sys.getallocatedblocks() - blocks < 200


def test_the_list_of_places_is_complete_for_this_release():
    release = pymongo.version_tuple[:2]
    assert {place.function for place in _seam.PLACES if place.exists_in(release)} == set(_seam.FUNCTIONS)
