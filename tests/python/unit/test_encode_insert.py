# Documents of an insert: "_id" made, written back or not, batches cut at every limit. No server.
import collections
import threading
import time

import bson
import pytest
from bson import SON, ObjectId
from bson.raw_bson import RawBSONDocument

from barewire._core import insert_batches


def decoded(batches):
    return [document for data, _, _ in batches for document in bson.decode_all(data)]


def test_ids_are_written_back_at_the_end_and_encoded_first():
    documents = [{"a": i} for i in range(10)]
    batches, ids = insert_batches(documents)
    assert [(count, why) for _, count, why in batches] == [(10, "exhausted")]
    assert [list(document) for document in documents] == [["a", "_id"]] * 10
    assert [document["_id"] for document in documents] == ids
    assert all(type(one) is ObjectId for one in ids)
    assert batches[0][0] == b"".join(map(bson.encode, documents))
    assert [list(document) for document in decoded(batches)] == [["_id", "a"]] * 10


def test_without_write_back_the_documents_stay_as_they_are():
    documents = [{"a": i} for i in range(10)] + [SON(b=1), collections.UserDict(c=1)]
    copies = [dict(document) for document in documents]
    batches, ids = insert_batches(documents, write_back=False)
    assert [dict(document) for document in documents] == copies
    assert decoded(batches) == [{"_id": one, **document} for one, document in zip(ids, copies, strict=True)]


def test_existing_ids_are_kept_whatever_they_are():
    documents = [{"a": 1, "_id": 5}, {"_id": None}, {"_id": {"x": 1}}, SON(_id="s"), collections.UserDict(_id=2.5)]
    batches, ids = insert_batches(documents)
    assert ids == [5, None, {"x": 1}, "s", 2.5]
    assert batches[0][0] == b"".join(map(bson.encode, documents))


def test_mappings_get_their_id_through_their_own_methods():
    son, user, default = SON([("a", 1)]), collections.UserDict(a=1), collections.defaultdict(list, a=1)
    batches, ids = insert_batches((son, user, default))
    assert [son["_id"], user["_id"], default["_id"]] == ids
    assert list(son) == ["a", "_id"]
    assert decoded(batches) == [{"_id": one, "a": 1} for one in ids]


def test_raw_documents_go_as_they_are_and_have_no_id_here():
    raw = RawBSONDocument(bson.encode({"z": 1}))
    batches, ids = insert_batches([raw, {"_id": 1}])
    assert ids == [1]
    assert batches[0][0] == raw.raw + bson.encode({"_id": 1})


@pytest.mark.parametrize("wrap", [list, tuple, iter])
def test_a_limit_of_documents_cuts_batches(wrap):
    documents = [{"_id": i} for i in range(10)]
    batches, ids = insert_batches(wrap(documents), max_documents=4)
    assert [count for _, count, _ in batches] == [4, 4, 2]
    assert batches[-1][2] == "exhausted"
    assert ids == list(range(10))
    assert decoded(batches) == documents


def test_a_full_last_batch_of_a_list_ends_it():
    batches, _ = insert_batches([{"_id": i} for i in range(8)], max_documents=4)
    assert [(count, why) for _, count, why in batches] == [(4, "documents"), (4, "exhausted")]


@pytest.mark.parametrize("wrap", [list, tuple, iter])
def test_a_limit_of_bytes_cuts_batches_between_documents(wrap):
    documents = [{"_id": i, "t": "x" * (i * 10)} for i in range(20)]
    batches, ids = insert_batches(wrap(documents), max_bytes=300)
    assert all(len(data) <= 300 for data, _, _ in batches)
    assert {why for _, _, why in batches[:-1]} == {"bytes"}
    assert decoded(batches) == documents
    assert ids == list(range(20))


def test_a_generated_id_survives_the_cut():
    documents = [{"t": "x" * 100} for _ in range(10)]
    batches, ids = insert_batches(documents, max_bytes=250)
    assert [document["_id"] for document in documents] == ids
    assert [document["_id"] for document in decoded(batches)] == ids
    assert len(set(ids)) == 10


def test_a_document_that_is_too_large_ends_it():
    documents = [{"_id": 1}, {"_id": 2, "t": "x" * 1000}, {"_id": 3}]
    batches, ids = insert_batches(documents, max_document_size=500)
    assert [(count, why) for _, count, why in batches] == [(1, "too_large")]
    assert ids == [1]
    assert batches[0][0] == bson.encode({"_id": 1})
    batches, ids = insert_batches(documents, max_bytes=500)
    assert [why for _, _, why in batches] == ["bytes", "too_large"]


@pytest.mark.parametrize("wrong", [5, None, "text", [], (1, 2), ObjectId()])
def test_what_is_no_mapping_is_refused(wrong):
    with pytest.raises(TypeError, match="document must be an instance of dict, bson.son.SON"):
        insert_batches([{"a": 1}, wrong])


def test_errors_are_those_of_encode():
    with pytest.raises(bson.InvalidDocument, match="Invalid document.*cannot encode object") as caught:
        insert_batches([{"a": 1}, {"a": [object()]}])
    if hasattr(bson.InvalidDocument, "document"):  # PyMongo 4.16 and later
        assert list(caught.value.document) == ["a", "_id"]
    with pytest.raises(TypeError, match="not iterable"):
        insert_batches(5)


def test_ids_have_the_time_and_are_unique_across_threads():
    before = int(time.time())
    found = []

    def work():
        found.extend(insert_batches([{} for _ in range(2000)])[1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = int(time.time())
    assert len(set(found)) == 8000
    assert all(before <= one.generation_time.timestamp() <= after for one in found)
    assert len({one.binary[4:9] for one in found}) == 1
