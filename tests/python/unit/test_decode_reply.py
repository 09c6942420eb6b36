"""Replies of the server: batches, their cursor, and type decoders that apply to the batch only."""

from __future__ import annotations

import decimal

import bson
import pytest
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from bson.son import SON

from barewire import _core


class Upper(TypeDecoder):
    bson_type = str

    def transform_bson(self, value):
        return value.upper()


class ToDecimal(TypeDecoder):
    bson_type = bson.Decimal128

    def transform_bson(self, value):
        return value.to_decimal()


REGISTRY = TypeRegistry([Upper(), ToDecimal()])
DOCUMENTS = [{"_id": i, "name": f"n{i}", "price": bson.Decimal128("1.5"), "inner": {"s": ["a", {"t": "b"}]}} for i in range(3)]


def reply(key="firstBatch", documents=DOCUMENTS, cursor_id=77):
    return bson.encode({"cursor": {key: documents, "id": bson.Int64(cursor_id), "ns": "db.things"}, "ok": 1.0,
                        "text": "left alone", "$clusterTime": {"clusterTime": bson.Timestamp(1, 2)}})


@pytest.mark.parametrize("key", ["firstBatch", "nextBatch"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_batch_with_its_cursor(key, count):
    assert _core.decode_batch(reply(key, DOCUMENTS[:count])) == (DOCUMENTS[:count], 77, "db.things")


def test_batch_by_document_class():
    documents, _, _ = _core.decode_batch(reply(), CodecOptions(document_class=SON))
    assert documents == DOCUMENTS
    assert all(type(document) is SON and type(document["inner"]) is SON for document in documents)
    data = bytearray(reply())
    documents, _, _ = _core.decode_batch(data, CodecOptions(document_class=RawBSONDocument))
    data[:] = bytes(len(data))  # the documents have bytes of their own
    assert [type(document) for document in documents] == [RawBSONDocument] * 3
    assert [bson.decode(document.raw) for document in documents] == DOCUMENTS


def test_type_decoders_apply_to_the_batch_only():
    options = CodecOptions(type_registry=REGISTRY)
    wanted = bson._decode_all_selective(reply(), options, {"cursor": {"firstBatch": 1, "nextBatch": 1}})[0]
    got = _core.decode_reply(reply(), options)
    assert got["cursor"]["firstBatch"] == wanted["cursor"]["firstBatch"]
    assert got["cursor"]["firstBatch"][1]["name"] == "N1"
    assert got["cursor"]["firstBatch"][1]["price"] == decimal.Decimal("1.5")
    assert got["cursor"]["firstBatch"][1]["inner"] == {"s": ["A", {"t": "B"}]}
    assert got["text"] == wanted["text"] == "left alone"
    assert got["cursor"]["ns"] == wanted["cursor"]["ns"] == "db.things"
    assert got["$clusterTime"] == {"clusterTime": bson.Timestamp(1, 2)}
    documents, _, _ = _core.decode_batch(reply(), options)
    assert documents == wanted["cursor"]["firstBatch"]


def test_raw_documents_with_type_decoders():
    options = CodecOptions(document_class=RawBSONDocument, type_registry=REGISTRY)
    got = _core.decode_reply(reply(), options)
    assert type(got) is dict
    assert [type(document) for document in got["cursor"]["firstBatch"]] == [RawBSONDocument] * 3


def test_without_type_decoders_the_reply_is_decoded_as_it_is():
    for options in (None, CodecOptions(document_class=SON)):
        assert _core.decode_reply(reply(), options) == bson.decode(reply(), options)
    assert type(_core.decode_reply(reply(), CodecOptions(document_class=SON))["cursor"]) is SON


def test_batches_that_are_none():
    for wrong in (bson.encode({"ok": 1.0}), bson.encode({"cursor": 5})):
        with pytest.raises(bson.errors.InvalidBSON):
            _core.decode_batch(wrong)
    with pytest.raises(bson.errors.InvalidBSON):
        _core.decode_batch(reply(documents=[1, 2]))
    for cut in range(len(reply())):
        with pytest.raises(bson.errors.InvalidBSON):
            _core.decode_batch(reply()[:cut])
