# Input of every buffer kind and the stream readers: same values, same refusals, nothing kept open. No fuzzing here.
import array
import ctypes
import io
import mmap
import struct

import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson_bytes import Generator
from bson_outcomes import Outcome, assert_same, difference
from bson_peer import EXACT, ours, theirs

DOCUMENT = {"_id": 5, "name": "text", "list": [1, 2.5, None], "d": {"b": b"bytes", "s": "é" * 20}}
DATA = theirs.encode(DOCUMENT)
LARGE = theirs.encode({"inner": {"text": "x" * 9000}, "small": {"a": 1}, "list": [{"text": "y" * 9000}]})
RAW = CodecOptions(document_class=RawBSONDocument)


def mapped(data):
    area = mmap.mmap(-1, len(data))
    area[:] = data
    return area


class Blob(bytes):
    pass


BUFFERS = {
    "bytes": lambda data: data,
    "subclass": Blob,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "memoryview of bytearray": lambda data: memoryview(bytearray(data)),
    "slice": lambda data: memoryview(b"xxx" + data + b"yyy")[3:-3],
    "mmap": mapped,
    "mmap view": lambda data: memoryview(mapped(data)),
    "array of bytes": lambda data: array.array("B", data),
    "array of signed bytes": lambda data: array.array("b", data),
    "ctypes": lambda data: (ctypes.c_ubyte * len(data)).from_buffer_copy(data),
    "cast": lambda data: memoryview(data).cast("c"),
    "array of shorts": lambda data: array.array("h", data + b"\0" * (-len(data) % 2)),
    "cast to ints": lambda data: memoryview(data + b"\0" * (-len(data) % 4)).cast("I"),
    "strided": lambda data: memoryview(b"".join(bytes((byte, 0)) for byte in data))[::2],
    "reversed": lambda data: memoryview(data[::-1])[::-1],
    "two dimensions": lambda data: memoryview(data).cast("B", (1, len(data))),
    "empty": lambda data: memoryview(b""),
    "str": lambda data: "text",
    "int": lambda data: 5,
    "None": lambda data: None,
    "list": lambda data: list(data),
    "released": lambda data: released(data),
    "BytesIO": io.BytesIO,
}


def released(data):
    view = memoryview(data)
    view.release()
    return view


@pytest.mark.parametrize("kind", BUFFERS)
@pytest.mark.parametrize("options", [CodecOptions(), RAW], ids=["dict", "raw"])
@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "large"])
def test_buffers(kind, options, data):
    if kind == "subclass" and options is RAW and not EXACT:
        pytest.skip("older releases copy a subclass of bytes")
    make = BUFFERS[kind]
    assert_same(Outcome(ours.decode, make(data), options), Outcome(theirs.decode, make(data), options))
    assert_same(Outcome(ours.decode_all, make(data * 2), options), Outcome(theirs.decode_all, make(data * 2), options))
    assert_same(Outcome(ours.is_valid, make(data)), Outcome(theirs.is_valid, make(data)))
    mine = Outcome(lambda: list(ours.decode_iter(make(data * 2), options)))
    assert_same(mine, Outcome(lambda: list(theirs.decode_iter(make(data * 2), options))))


def raw_tree(document):
    """A raw document and all raw documents below it, inflated."""
    found = [document]
    for value in document.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, RawBSONDocument):
                found += raw_tree(item)
    return found


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "slice", "mmap"])
def test_raw_documents_all_the_way_down(kind):
    for data in (DATA, LARGE):
        mine = raw_tree(ours.decode(BUFFERS[kind](data), RAW))
        other = raw_tree(theirs.decode(BUFFERS[kind](data), RAW))
        assert difference(mine, other) is None
        for a, b in zip(mine, other):
            assert a == b and dict(a).keys() == dict(b).keys()


def test_the_buffer_is_released():
    for options in (CodecOptions(), RAW):
        for data in (DATA, LARGE, DATA[:-1], DATA[:-1] + b"\1", b""):
            buffer = bytearray(data)
            Outcome(ours.decode, buffer, options)
            Outcome(ours.decode_all, buffer, options)
            buffer.append(0)  # BufferError while a view is held


def test_values_do_not_alias_the_buffer():
    buffer = bytearray(LARGE)
    value, raw = ours.decode(buffer), ours.decode(buffer, RAW)
    expected = theirs.decode(LARGE)
    buffer[:] = b"\xee" * len(buffer)
    assert value == expected
    assert bytes(raw.raw) == LARGE
    area = mapped(LARGE)
    raw = ours.decode(area, RAW)
    area.close()
    assert bytes(raw.raw) == LARGE


class Reader:
    """A file that returns at most `step` bytes at a time."""

    def __init__(self, data, step=10**9):
        self.file, self.step = io.BytesIO(data), step

    def read(self, size=-1):
        return self.file.read(min(size, self.step))


STREAMS = {
    "none": b"",
    "one": DATA,
    "many": b"".join(Generator(3).document() for _ in range(20)),
    "cut in the length": DATA + b"\5\0",
    "cut in the body": DATA + DATA[:-3],
    "cut after the length": DATA + DATA[:4],
    "length zero": DATA + b"\0\0\0\0\0",
    "length negative": DATA + b"\xff\xff\xff\xff" + DATA,
    "length too small": struct.pack("<i", len(DATA) - 1) + DATA[4:],
    "one byte more": DATA + b"\0",
    "bad terminator": DATA[:-1] + b"\1",
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("options", [None, CodecOptions(tz_aware=True), RAW], ids=["default", "aware", "raw"])
def test_streams(name, options):
    data = STREAMS[name]

    def collect(function, source):
        found = []
        try:
            for document in function(source, options):
                found.append(document)
        except Exception as error:
            return found, type(error), str(error)
        return found, None, None

    for make in (lambda: io.BytesIO(data), lambda: Reader(data), lambda: Reader(data, 7)):
        mine, other = collect(ours.decode_file_iter, make()), collect(theirs.decode_file_iter, make())
        assert difference(mine[0], other[0]) is None
        assert mine[1:] == other[1:]
    mine, other = collect(ours.decode_iter, data), collect(theirs.decode_iter, data)
    assert difference(mine[0], other[0]) is None
    assert mine[1:] == other[1:]


def test_file_iterators_are_lazy():
    file = io.BytesIO(DATA + b"\xff")
    documents = ours.decode_file_iter(file)
    assert file.tell() == 0
    assert next(documents) == theirs.decode(DATA)
    assert file.tell() == len(DATA)
    documents = ours.decode_iter(DATA + b"\5\0\0\0\1")
    assert next(documents) == theirs.decode(DATA)
    with pytest.raises(Exception):
        next(documents)
