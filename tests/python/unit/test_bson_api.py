# The public face of barewire.bson: signatures, defaults, encode_many, internals; quick, without property tests.
import datetime
import io
import subprocess
import sys
import threading
import uuid

import bson as peer
import pytest
from barewire import _core
from barewire import bson as codec
from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.errors import InvalidBSON, InvalidDocument

DOCUMENT = {
    "_id": ObjectId(), "name": "User1", "email": "user1@example.com", "age": 21, "score": 1.5, "active": True, "none": None,
    "tags": ["a", "b", {"c": [1, 2, 3]}], "when": datetime.datetime(2024, 2, 29, 12, 30, 15, 123000), "blob": b"\0\1\2",
}


@pytest.mark.parametrize("name", ["encode", "encode_many", "decode", "decode_all", "decode_iter", "decode_file_iter", "is_valid"])
def test_functions_are_documented(name):
    assert getattr(codec, name).__doc__
    assert name in codec.__all__


def test_keywords_are_the_peers():
    """By call, not by inspect.signature: a function in C cannot show a default that is an object."""
    data, options = peer.encode(DOCUMENT), CodecOptions()
    for one in (codec, peer):
        assert one.encode(document=DOCUMENT, check_keys=False, codec_options=options) == data
        assert one.encode(DOCUMENT, False, options) == data
        assert one.decode(data=data, codec_options=options) == one.decode(data, options) == one.decode(data, None) == DOCUMENT
        assert one.decode_all(data=data, codec_options=None) == one.decode_all(data, options) == [DOCUMENT]
        assert list(one.decode_iter(data=data, codec_options=options)) == list(one.decode_iter(data, None)) == [DOCUMENT]
        assert list(one.decode_file_iter(file_obj=io.BytesIO(data), codec_options=options)) == [DOCUMENT]
        assert one.is_valid(data) is True
    assert codec.encode_many([DOCUMENT], check_keys=False, codec_options=options) == data
    assert codec.encode_many([DOCUMENT], False, options) == data


def test_there_and_back():
    data = codec.encode(DOCUMENT)
    assert data == peer.encode(DOCUMENT)
    assert codec.decode(data) == DOCUMENT == peer.decode(data)
    assert codec.is_valid(data) and not codec.is_valid(data[:-1])
    with pytest.raises(TypeError):
        codec.is_valid("text")


def test_id_comes_first_at_the_top_only():
    document = {"a": {"b": 1, "_id": 2}, "_id": 3}
    data = codec.encode(document)
    assert list(codec.decode(data)) == ["_id", "a"]
    assert list(codec.decode(data)["a"]) == ["b", "_id"]
    assert list(document) == ["a", "_id"]


def test_encode_many():
    documents = [dict(DOCUMENT, n=n) for n in range(1000)]
    data = codec.encode_many(documents)
    assert type(data) is bytes
    assert data == b"".join(peer.encode(document) for document in documents)
    assert codec.decode_all(data) == documents
    assert codec.encode_many(document for document in documents) == data
    assert codec.encode_many(tuple(documents)) == data
    assert codec.encode_many([]) == b""
    assert codec.encode_many(iter([])) == b""
    assert codec.encode_many({1: {}}.values()) == peer.encode({})


def test_encode_many_options():
    value = {"u": uuid.uuid4()}
    options = CodecOptions(uuid_representation=4)
    assert codec.encode_many([value] * 2, codec_options=options) == peer.encode(value, codec_options=options) * 2
    with pytest.raises(ValueError):
        codec.encode_many([value])
    with pytest.raises(InvalidDocument):
        codec.encode_many([{}, {"$a": 1}], check_keys=True)
    assert codec.encode_many([{"$a": 1}], False) == peer.encode({"$a": 1})
    with pytest.raises(TypeError):
        codec.encode_many(5)
    with pytest.raises(TypeError):
        codec.encode_many([{}, 5])
    with pytest.raises(TypeError):
        codec.encode_many([{}], codec_options="text")


def test_an_error_leaves_nothing_behind():
    """After a failure the reused buffer starts clean."""
    for _ in range(3):
        with pytest.raises(InvalidDocument):
            codec.encode({"a": "x" * 5000, "b": object()})
        with pytest.raises(InvalidDocument):
            codec.encode_many([DOCUMENT, {"b": object()}])
        assert codec.encode({"a": 1}) == peer.encode({"a": 1})
        with pytest.raises(InvalidBSON):
            codec.decode(peer.encode(DOCUMENT)[:-1])
        assert codec.decode(peer.encode({"a": 1})) == {"a": 1}


def test_large_documents():
    document = {"text": "x" * 20_000_000, "list": list(range(200_000)), "docs": [{"a": n} for n in range(50_000)]}
    data = codec.encode(document)
    assert data == peer.encode(document)
    assert codec.decode(data) == document
    # The buffer of the large call must not be kept whole, nor change what follows.
    assert codec.encode({"a": 1}) == peer.encode({"a": 1})


def test_many_different_keys():
    for start in range(0, 200_000, 50_000):
        document = {f"key-{n}": n for n in range(start, start + 50_000)}
        data = codec.encode(document)
        assert data == peer.encode(document)
        assert codec.decode(data) == document


def test_files():
    documents = [DOCUMENT, {}, {"a": 1}]
    file = io.BytesIO(codec.encode_many(documents))
    assert list(codec.decode_file_iter(file)) == documents
    assert list(codec.decode_iter(file.getvalue())) == documents
    assert list(codec.decode_iter(b"")) == []


def test_threads():
    """The per-thread state of the codec is per thread: many threads, results compared in each."""
    documents = [{f"k{n}-{i}": i * n for i in range(20)} | {"s": "x" * n * 50} for n in range(30)]
    expected = [peer.encode(document) for document in documents]
    problems = []

    def work():
        try:
            for _ in range(60):
                for document, data in zip(documents, expected):
                    assert codec.encode(document) == data
                    assert codec.decode(data) == document
                assert codec.encode_many(documents) == b"".join(expected)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def test_internals_are_reported():
    internals = _core.internals()
    assert isinstance(internals, dict) and internals
    # Whatever path is on, a second look says the same and the result is the caller's own.
    internals.clear()
    assert _core.internals()


def test_import_alone_brings_in_no_driver():
    """The codec needs bson's value types, never pymongo."""
    program = "import sys, barewire.bson; assert 'pymongo' not in sys.modules, 'pymongo was imported'"
    run = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert not run.stderr


def test_use_right_after_import_in_a_fresh_interpreter():
    program = (
        "import barewire.bson as b, bson, datetime, uuid\n"
        "d = {'_id': bson.ObjectId(), 'd': datetime.datetime(2024, 1, 1), 'x': bson.Decimal128('1'), 'r': bson.Regex('a'), 'e': 1}\n"
        "assert b.decode(b.encode(d)) == d\n"
    )
    run = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
