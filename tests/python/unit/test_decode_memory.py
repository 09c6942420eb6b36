"""Memory of decoded documents: reference counts stay flat, cycles through documents are collected, threads do not mix."""

from __future__ import annotations

import gc
import sys
import threading
import weakref

import bson
import pytest
from bson.binary import Binary
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from bson.son import SON

from barewire import _core

OID = bson.ObjectId("507f1f77bcf86cd799439011")


class Text(TypeDecoder):
    bson_type = str

    def transform_bson(self, value):
        if value == "refuse":
            raise ValueError(value)
        return value


FULL = bson.encode({
    "_id": OID, "n": 2**40, "s": "text", "l": [1, "two", {"three": 3.0}, [OID]], "d": bson.Decimal128("1"), "t": bson.Timestamp(1, 2),
    "r": bson.Regex("a", "i"), "c": bson.Code("f", {"x": 1}), "ref": bson.DBRef("c", OID, "db"), "b": Binary(b"x", 5), "u": Binary(bytes(16), 4),
    "ms": bson.DatetimeMS(5), "min": bson.MinKey(), "nested": {"a": {"b": {"_id": OID}}}})
OPTIONS = {
    "default": None,
    "aware-uuid": CodecOptions(tz_aware=True, uuid_representation=4),
    "son": CodecOptions(document_class=SON),
    "raw": CodecOptions(document_class=RawBSONDocument),
    "decoder": CodecOptions(type_registry=TypeRegistry([Text()])),
    "milliseconds-replace": CodecOptions(datetime_conversion=3, unicode_decode_error_handler="replace"),
}
BROKEN = [FULL[:-7] + b"\0\0", FULL.replace(b"three", b"thr\0e"), FULL.replace(b"two", b"\xff\xffo"), FULL.replace(b"\x08", b"\x55")]
BROKEN += [bson.encode({"a": 1, "l": [1, {"s": "refuse"}]}), bson.encode({"a": [1, 2, {"b": b"x" * 16}]}).replace(b"x", b"\x00")]


@pytest.fixture
def only_new_objects():
    """Everything that lives already is left out of collections: hundreds of them would each walk all modules."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def blocks(work, rounds: int) -> int:
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(rounds):
        work()
    gc.collect()
    return sys.getallocatedblocks() - before


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_nothing_is_left_behind(options):
    def work():
        for data in (FULL, *BROKEN):
            try:
                _core.decode(data, options)
                _core.decode_all(data * 2, options)
            except (bson.errors.InvalidBSON, ValueError):
                pass

    for _ in range(200):
        work()
    gc.collect()
    counts = sys.getrefcount(OID), sys.getrefcount(None), sys.getrefcount(bson.ObjectId), sys.getrefcount(options)
    assert blocks(work, 500) < 100
    after = sys.getrefcount(OID), sys.getrefcount(None), sys.getrefcount(bson.ObjectId), sys.getrefcount(options)
    assert max(abs(a - b) for a, b in zip(counts, after)) < 250, (counts, after)


@pytest.mark.parametrize("document", [
    {}, {"a": 1}, {"_id": OID, "s": "x", "f": 1.5}, {"a": {}}, {"a": []}, {"_id": OID, "a": {"b": 1}}, {"d": bson.Decimal128("1"), "t": bson.Timestamp(1, 1)},
    {"b": Binary(b"x", 5)}, {"r": bson.Regex("a")}, {"ref": bson.DBRef("c", 1)}, {"c": bson.Code("f", {})}], ids=str)
def test_cycles_are_collected(document, only_new_objects):
    """A cycle made through any part of a decoded document is found by the garbage collector."""
    class Marker:
        pass

    def hang_on(part, marker):
        if isinstance(part, dict):
            part["marker"] = marker
        elif isinstance(part, list):
            part.append(marker)
        elif isinstance(part, bson.Regex):
            part.pattern = marker
        elif isinstance(part, bson.DBRef):
            part._DBRef__kwargs["marker"] = marker
        elif isinstance(part, (Binary, bson.Code)):
            part.marker = marker
        else:
            return False
        return True

    data = bson.encode(document)
    for path in [None, *document]:
        for _ in range(5):
            decoded = _core.decode(data)
            marker = Marker()
            if not hang_on(decoded if path is None else decoded[path], marker):
                continue
            marker.document = decoded
            seen = weakref.ref(marker)
            del marker, decoded
            gc.collect()
            assert seen() is None, (document, path)


def test_documents_of_atoms_are_not_tracked():
    if sys.version_info >= (3, 14):
        pytest.skip("dicts are always tracked")
    data = bson.encode({"_id": OID, "a": 1, "s": "x", "d": bson.Decimal128("1"), "n": None})
    for _ in range(5):
        document = _core.decode(data)
        assert not gc.is_tracked(document)
    document["list"] = []
    assert gc.is_tracked(document)
    for _ in range(5):
        assert gc.is_tracked(_core.decode(bson.encode({"_id": OID, "a": {"b": 1}})))
        assert gc.is_tracked(_core.decode(bson.encode({"_id": OID, "a": [1]})))


@pytest.mark.parametrize("enabled", [True, False])
def test_collector_is_as_it_was(enabled):
    data = bson.encode({"a": "x" * 5000})
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        _core.decode_all(data * 5)
        with pytest.raises(bson.errors.InvalidBSON):
            _core.decode_all(data * 5 + b"\x05")
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_threads_with_documents_of_their_own():
    class Yielding(TypeDecoder):
        bson_type = int

        def transform_bson(self, value):
            switch.wait(0.0001)  # another thread decodes now
            return value

    switch = threading.Event()
    options = CodecOptions(type_registry=TypeRegistry([Yielding()]))
    wrong = []

    def work(number: int) -> None:
        document = {f"key{number}_{i}": {"n": number, "same": "x" * number} for i in range(8)}
        data = bson.encode(document)
        for _ in range(20):
            if _core.decode(data, options) != document or _core.decode_all(data * 3) != [document] * 3:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_many_shapes_and_keys():
    """More shapes and keys than are remembered: forgetting them changes nothing."""
    for start in range(0, 3000, 100):
        documents = [{f"k{start + i}": {"inner": {f"x{(start + i) % 7}": i}}, "_id": i, f"long{'x' * (i % 80)}": 1} for i in range(100)]
        documents += documents[:20] * 3
        assert _core.decode_all(b"".join(map(bson.encode, documents))) == documents
