"""Document classes, type decoders, Unicode error handlers, raw documents and arguments of the decoding functions."""

from __future__ import annotations

import array
import collections
import io
import struct

import bson
import pymongo
import pytest
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from bson.son import SON

import barewire.bson
from barewire import _core

NESTED = {"a": {"b": [1, {"c": "x"}], "r": bson.DBRef("c", 1, "d", extra={"e": 1})}, "s": "text", "n": 1}


class Mapping(collections.abc.MutableMapping):
    def __init__(self):
        self.inner = {}

    def __getitem__(self, key):
        return self.inner[key]

    def __setitem__(self, key, value):
        self.inner[key] = value

    def __delitem__(self, key):
        del self.inner[key]

    def __iter__(self):
        return iter(self.inner)

    def __len__(self):
        return len(self.inner)


class Refusing(Mapping):
    def __setitem__(self, key, value):
        if key == "c":
            raise KeyError("refused")
        super().__setitem__(key, value)


class DictSubclass(dict):
    pass


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error), str(error)


def plain(value):
    """Nested (class name, content) so that classes are compared too."""
    if isinstance(value, bson.DBRef):
        return "DBRef", value.collection, plain(value.id), value.database, plain(value._DBRef__kwargs)
    if isinstance(value, collections.abc.Mapping):
        return type(value).__name__, [(key, plain(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [plain(item) for item in value]
    return type(value).__name__, value


@pytest.mark.parametrize("document_class", [dict, SON, Mapping, DictSubclass, collections.OrderedDict])
def test_document_classes(document_class):
    data, options = bson.encode(NESTED), CodecOptions(document_class=document_class)
    for _ in range(5):
        assert plain(_core.decode(data, options)) == plain(bson.decode(data, options))


@pytest.mark.skipif(pymongo.version_tuple < (4, 20), reason="older releases ignore a failing __setitem__")
def test_document_class_that_refuses():
    data, options = bson.encode(NESTED), CodecOptions(document_class=Refusing)
    assert outcome(_core.decode, data, options) == outcome(bson.decode, data, options)
    data = bson.encode({"c": 1})
    assert outcome(_core.decode, data, options) == outcome(bson.decode, data, options) == (KeyError, "'refused'")


@pytest.mark.parametrize("size", [0, 10, 4000, 4096, 5000])
@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_raw_documents(size, wrap):
    data = bson.encode({"a": {"b": {"c": "x" * size}}, "d": 1})
    options = CodecOptions(document_class=RawBSONDocument)
    got, wanted = _core.decode(wrap(data), options), bson.decode(wrap(data), options)
    assert type(got) is RawBSONDocument
    assert got == wanted and type(got.raw) is type(wanted.raw)
    assert got["a"]["b"]["c"] == "x" * size and got["d"] == 1
    many, wanted_many = _core.decode_all(wrap(data * 3), options), bson.decode_all(wrap(data * 3), options)
    assert many == wanted_many
    assert [type(document.raw) for document in many] == [type(document.raw) for document in wanted_many]
    assert repr(got) == repr(wanted)


def test_raw_document_subclass_is_made_by_its_constructor():
    class Mine(RawBSONDocument):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.seen = True

    document = _core.decode(bson.encode({"a": 1}), CodecOptions(document_class=Mine))
    assert type(document) is Mine and document.seen and document["a"] == 1


@pytest.mark.skipif(not hasattr(bson._cbson, "_raw_to_dict"), reason="this release of bson does it in Python")
def test_raw_to_dict():
    data = bson.encode({"a": [1, 2], "b": {"c": 1}})
    options = CodecOptions(document_class=RawBSONDocument)
    for raw_arrays in (False, True):
        wanted = bson._cbson._raw_to_dict(data, 4, len(data) - 1, options, {}, raw_arrays)
        assert _core.raw_to_dict(data, 4, len(data) - 1, options, {}, raw_arrays) == wanted
    for position, end in ((4, len(data)), (4, 0), (len(data), len(data) - 1), (4, len(data) - 2)):
        wanted = outcome(bson._cbson._raw_to_dict, data, position, end, options, {}, False)
        assert outcome(_core.raw_to_dict, data, position, end, options, {}, False) == wanted


class Text(TypeDecoder):
    bson_type = str

    def transform_bson(self, value):
        if value == "boom":
            raise LookupError("no such text")
        return value, "seen"


class Number(TypeDecoder):
    bson_type = int

    def transform_bson(self, value):
        return value + 1


class Whole(TypeDecoder):
    bson_type = dict

    def transform_bson(self, value):
        return sorted(value)


DOCUMENTS = [NESTED, {"s": "boom"}, {"a": {"s": "boom"}}, {"l": ["boom"]}, {"l": ["x", 1, True, None, {"y": "z"}]}]


@pytest.mark.parametrize("codecs", [[Text()], [Number()], [Whole()], [Text(), Number()]])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_type_decoders(codecs, document):
    options, data = CodecOptions(type_registry=TypeRegistry(codecs)), bson.encode(document)
    for _ in range(4):
        assert plain(outcome(_core.decode, data, options)) == plain(outcome(bson.decode, data, options))


def test_decoder_that_decodes():
    class Again(TypeDecoder):
        bson_type = bytes

        def transform_bson(self, value):
            return barewire.bson.decode(value, options)

    options = CodecOptions(type_registry=TypeRegistry([Again()]))
    inner = bson.encode({"x": bson.encode({"y": 1}), "z": 2})
    for _ in range(5):
        assert _core.decode_all(bson.encode({"a": inner, "b": inner, "c": 3}) * 2, options) == [
            {"a": {"x": {"y": 1}, "z": 2}, "b": {"x": {"y": 1}, "z": 2}, "c": 3}] * 2


def test_decoder_that_changes_the_buffer():
    class Wreck(TypeDecoder):
        bson_type = str

        def transform_bson(self, value):
            data[5:] = bytes([255]) * (len(data) - 5)
            return value

    data = bytearray(bson.encode({"a": "x", "l": ["a", "b"], "d": {"e": "f"}}))
    with pytest.raises(bson.errors.InvalidBSON):
        _core.decode(data, CodecOptions(type_registry=TypeRegistry([Wreck()])))


# Option letters that are not UTF-8; releases before 4.20 do not look at them.
REGEX_OPTIONS = [b"\x0b\0\0\0\x0bk\0a\0\xff\0\0"] if pymongo.version_tuple >= (4, 20) else []


@pytest.mark.parametrize("handler", ["strict", "replace", "ignore", "backslashreplace", "surrogateescape"])
def test_unicode_error_handlers(handler):
    options = CodecOptions(unicode_decode_error_handler=handler)
    for data in (b"\x0e\0\0\0\x02k\0\x02\0\0\0\xff\0\0", b"\x0f\0\0\0\x02k\xffk\0\x02\0\0\0x\0", b"\x0b\0\0\0\x0bk\0\xff\0\0\0",
                 *REGEX_OPTIONS):
        data = len(data).to_bytes(4, "little") + data[4:]
        if data[-1] or data[4] == 2 and len(data) == 15:
            data = (len(data) + 1).to_bytes(4, "little") + data[4:] + b"\0"
        for _ in range(4):
            assert outcome(_core.decode, data, options) == outcome(bson.decode, data, options)


def test_keys_that_become_equal_by_an_error_handler():
    data = b"\x02\xfe\0\x02\0\0\0x\0\x02\xff\0\x02\0\0\0y\0"
    data = (len(data) + 5).to_bytes(4, "little") + data + b"\0"
    for handler in ("replace", "ignore", "backslashreplace"):
        options = CodecOptions(unicode_decode_error_handler=handler)
        for _ in range(4):
            assert list(_core.decode(data, options).items()) == list(bson.decode(data, options).items())


def test_duplicate_keys():
    element = b"\x10a\0\x01\0\0\0\x10b\0\x02\0\0\0\x10a\0\x03\0\0\0"
    data = (len(element) + 5).to_bytes(4, "little") + element + b"\0"
    for _ in range(5):
        assert list(_core.decode(data).items()) == [("a", 3), ("b", 2)]


@pytest.mark.parametrize("depth", [50, 400, 900, 1100, 5000])
@pytest.mark.parametrize("kind", [3, 4])
def test_nesting(depth, kind):
    data = b"\x05\0\0\0\0"
    for _ in range(depth):
        key = b"0" if kind == 4 else b"a"
        data = (len(data) + 8).to_bytes(4, "little") + bytes([kind]) + key + b"\0" + data + b"\0"
    if depth < 901:
        assert outcome(_core.decode, data) == outcome(bson.decode, data)
    else:
        got, wanted = outcome(_core.decode, data), outcome(bson.decode, data)
        assert (type(got), got[0] if isinstance(got, tuple) else 0) == (type(wanted), wanted[0] if isinstance(wanted, tuple) else 0)


@pytest.mark.parametrize("argument", [None, 5, "text", [], array.array("i", [5, 0]), memoryview(b"\x05\0\0\0\0")[::2], b"", bytearray()])
@pytest.mark.parametrize("name", ["decode", "decode_all"])
def test_wrong_data(name, argument):
    if name == "decode_all" and argument in (b"", bytearray()):
        assert _core.decode_all(argument) == bson.decode_all(argument) == []
        return
    got, wanted = outcome(getattr(_core, name), argument), outcome(getattr(bson, name), argument)
    assert got == wanted


@pytest.mark.parametrize("options", [5, "x", dict, object()])
@pytest.mark.parametrize("name", ["decode", "decode_all"])
def test_wrong_options(name, options):
    data = bson.encode({})
    assert outcome(getattr(_core, name), data, options) == outcome(getattr(bson, name), data, options)
    assert outcome(getattr(_core, name), data, options)[0] is TypeError


def test_false_options_are_the_defaults_for_one_document_only():
    data = bson.encode({"a": 1})
    for options in (0, (), ""):
        assert _core.decode(data, options) == bson.decode(data, options) == {"a": 1}
        assert outcome(_core.decode_all, data, options) == outcome(bson.decode_all, data, options)


def test_keywords():
    data = bson.encode({"a": 1})
    assert _core.decode(data=data, codec_options=None) == {"a": 1}
    for call in (lambda: _core.decode(), lambda: _core.decode(data, other=1), lambda: _core.decode(data, data=data), lambda: _core.decode(data, None, 1)):
        with pytest.raises(TypeError):
            call()


def test_is_valid():
    data = bson.encode({"a": 1})
    assert barewire.bson.is_valid(data) is True
    assert barewire.bson.is_valid(data[:-1]) is False
    assert barewire.bson.is_valid(b"") is False
    for wrong in (bytearray(data), "x", None):
        assert outcome(barewire.bson.is_valid, wrong) == outcome(bson.is_valid, wrong)


def test_iterators():
    documents = [{"a": i, "s": "x" * i} for i in range(5)]
    data = b"".join(map(bson.encode, documents))
    assert list(barewire.bson.decode_iter(data)) == documents
    assert list(barewire.bson.decode_file_iter(io.BytesIO(data))) == documents
    for cut in range(len(data)):
        assert outcome(list, barewire.bson.decode_iter(data[:cut])) == outcome(list, bson.decode_iter(data[:cut]))
        assert outcome(list, barewire.bson.decode_file_iter(io.BytesIO(data[:cut]))) == outcome(list, bson.decode_file_iter(io.BytesIO(data[:cut])))
    with pytest.raises(TypeError):
        next(barewire.bson.decode_iter(data, 5))
    with pytest.raises(struct.error):
        list(barewire.bson.decode_iter(data + b"\x05\0"))
