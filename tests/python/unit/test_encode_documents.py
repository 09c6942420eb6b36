# Encoding of documents: order of "_id", batches, arguments, subclasses and mutation by user code. No server.
import collections
import threading

import bson
import pytest
from bson import SON, CodecOptions, ObjectId
from bson.codec_options import TypeEncoder, TypeRegistry
from bson.raw_bson import RawBSONDocument

from barewire import _core
from barewire.bson import encode, encode_many


def test_a_fixed_document_has_the_bytes_of_the_specification():
    # bsonspec.org, "Examples".
    assert encode({"hello": "world"}) == b"\x16\x00\x00\x00\x02hello\x00\x06\x00\x00\x00world\x00\x00"
    assert encode({"BSON": ["awesome", 5.05, 1986]}) == (
        b"1\x00\x00\x00\x04BSON\x00&\x00\x00\x00\x020\x00\x08\x00\x00\x00awesome\x00"
        b"\x011\x00333333\x14@\x102\x00\xc2\x07\x00\x00\x00\x00"
    )
    assert encode({}) == b"\x05\x00\x00\x00\x00"


@pytest.mark.parametrize("mapping", [dict, SON, collections.OrderedDict, collections.UserDict, collections.ChainMap])
def test_id_comes_first_at_top_level_only(mapping):
    inner = mapping({"a": 1, "_id": 2})
    document = mapping({"x": inner, "_id": 7, "y": [inner]})
    assert encode(document) == bson.encode(document)
    decoded = bson.decode(encode(document), CodecOptions(document_class=SON))
    assert list(decoded)[0] == "_id"
    assert list(decoded["x"]) == list(inner)


def test_a_missing_id_is_not_made_up():
    document = collections.defaultdict(ObjectId, a=1)
    assert encode(document) == bson.encode({"a": 1})
    assert list(document) == ["a"]


@pytest.mark.parametrize("length", [*range(0, 40), 63, 64, 65, 200])
def test_keys_of_every_length(length):
    for key in ("k" * length, "é" * length, "\x01" * length, "k" * length + "\x7f"):
        assert encode({key: 1, "z": [key]}) == bson.encode({key: 1, "z": [key]})
        for at in {0, length // 2, length}:
            broken = key[:at] + "\0" + key[at:]
            with pytest.raises(bson.InvalidDocument, match="Key names must not contain the NULL byte"):
                encode({broken: 1})
            with pytest.raises(bson.InvalidDocument, match="Key names must not contain the NULL byte"):
                encode({broken: "text"})


def test_many_documents_are_encoded_back_to_back():
    documents = [{"i": i, "t": "x" * (i % 50)} for i in range(500)]
    expected = b"".join(map(bson.encode, documents))
    assert encode_many(documents) == expected
    assert encode_many(tuple(documents)) == expected
    assert encode_many(iter(documents)) == expected
    assert encode_many(d for d in documents) == expected
    assert encode_many([]) == b""


def test_one_bad_document_fails_the_whole_batch():
    with pytest.raises(bson.InvalidDocument) as caught:
        encode_many([{"a": 1}, {"b": object()}])
    assert "cannot encode object" in str(caught.value)

    def broken():
        yield {"a": 1}
        raise LookupError("source")

    with pytest.raises(LookupError, match="source"):
        encode_many(broken())
    with pytest.raises(TypeError):
        encode_many(5)
    with pytest.raises(TypeError, match="encoder expected a mapping type but got: 5"):
        encode_many([{}, 5])


def test_arguments_by_position_and_name():
    options = CodecOptions(uuid_representation=4)
    assert encode({"a": 1}, False, options) == encode(document={"a": 1}, check_keys=False, codec_options=options)
    with pytest.raises(bson.InvalidDocument, match=r"key 'a\.b' must not contain '\.'"):
        encode({"a.b": 1}, True)
    with pytest.raises(bson.InvalidDocument, match=r"key '\$a' must not start with '\$'"):
        encode_many([{"$a": 1}], check_keys=True)
    for wrong in (lambda: encode(), lambda: encode({}, nothing=1), lambda: encode({}, document={}),
                  lambda: encode({}, False, options, 1), lambda: encode({}, codec_options=None),
                  lambda: encode({}, codec_options=5)):
        with pytest.raises(TypeError):
            wrong()


def test_a_long_array_counts_its_keys():
    document = {"a": list(range(100_002))}
    assert encode(document) == bson.encode(document)


def test_the_note_names_the_path_and_not_the_value():
    with pytest.raises(bson.InvalidDocument) as caught:
        encode({"items": [{}, {"price": {1, 2}}]})
    if hasattr(bson.InvalidDocument, "document"):  # PyMongo 4.16 and later
        assert caught.value.document == {"items": [{}, {"price": {1, 2}}]}
    if hasattr(caught.value, "add_note"):
        assert caught.value.__notes__ == ["at items[1].price"]


def encoder_of(python_class, transform):
    class Encoder(TypeEncoder):
        python_type = python_class

        def transform_python(self, value):
            return transform(value)

    return CodecOptions(type_registry=TypeRegistry([Encoder()]))


class Foreign:
    pass


def test_a_dict_that_grows_while_it_is_walked_is_refused():
    document = {"a": Foreign(), "b": 1}

    def grow(value):
        for i in range(100):
            document[f"new{i}"] = i
        return 1

    with pytest.raises(RuntimeError, match="dictionary changed size during iteration"):
        encode(document, codec_options=encoder_of(Foreign, grow))


def test_a_nested_container_dropped_by_user_code_stays_alive():
    def build(replacement):
        document = {"outer": {"inner": [Foreign(), {"deep": "x" * 100}], "rest": 1}, "end": 2}

        def drop(value):
            document["outer"] = replacement
            return "gone"

        return document, encoder_of(Foreign, drop)

    document, options = build(None)
    assert bson.decode(encode(document, codec_options=options)) == {
        "outer": {"inner": ["gone", {"deep": "x" * 100}], "rest": 1}, "end": 2}


def test_a_list_that_shrinks_while_it_is_walked_is_refused():
    items = [Foreign(), "x" * 50, "y" * 50]

    def shrink(value):
        items.clear()
        return 1

    with pytest.raises(RuntimeError, match="list changed size during iteration"):
        encode({"a": items}, codec_options=encoder_of(Foreign, shrink))


def test_encoding_inside_an_encoder():
    options = encoder_of(Foreign, lambda value: encode({"inside": [1, 2, 3]}))
    assert bson.decode(encode({"a": Foreign(), "b": 2}, codec_options=options)) == {
        "a": encode({"inside": [1, 2, 3]}), "b": 2}


def test_a_failed_document_leaves_nothing_behind():
    for _ in range(3):
        with pytest.raises(bson.InvalidDocument):
            encode({"a": "x" * 1000, "b": object()})
        assert encode({"a": 1}) == bson.encode({"a": 1})


def test_threads_have_buffers_of_their_own():
    documents = [{"thread": n, "data": "x" * (n * 1000)} for n in range(8)]
    expected = [bson.encode(document) for document in documents]
    failures = []

    def work(n):
        for _ in range(300):
            if encode(documents[n]) != expected[n]:
                failures.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_raw_documents_are_spliced_in():
    raw = RawBSONDocument(bson.encode({"z": 1, "_id": 5}))
    assert encode(raw) == raw.raw
    assert encode({"a": raw, "b": [raw]}) == bson.encode({"a": raw, "b": [raw]})


def test_internals_say_what_is_in_use():
    found = _core.internals()
    assert found["dict"] in ("3.10", "3.11", "public")
    assert found["dict_tables"] is (found["dict"] != "public")
