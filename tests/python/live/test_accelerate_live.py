# Unchanged PyMongo, PyMongo Async and Motor programs on a real server, plain and accelerated: equal results. No timing.
import asyncio
import datetime
import os
import subprocess
import sys
import uuid

import bson
import gridfs
import pymongo
import pytest
from barewire import _core
from barewire.bson import accelerate, is_accelerated, restore
from bson import Binary, Code, Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne, message
from pymongo.errors import BulkWriteError, DocumentTooLarge, DuplicateKeyError, InvalidDocument

WHEN = datetime.datetime(2024, 2, 29, 1, 2, 3, 4000)


@pytest.fixture(params=[False, True], ids=["plain", "accelerated"])
def switched(request):
    restore()
    if request.param:
        accelerate()
    yield request.param
    restore()


def documents(count):
    return [
        {"name": f"User{i}", "email": f"user{i}@example.com", "age": 20 + i % 50, "score": i * 1.5, "active": i % 2 == 0, "n": i}
        for i in range(count)
    ]


def script(client, database_name):
    """One program that touches most of PyMongo; returns everything that it saw, ids left out."""
    seen = []
    collection = client[database_name]["c"]
    given = documents(2500)
    result = collection.insert_many(given)
    seen.append(len(result.inserted_ids) == 2500 and [d["_id"] for d in given] == result.inserted_ids)
    seen.append(len(set(result.inserted_ids)) == 2500)
    seen.append([list(d) for d in given[:2]])
    seen.append(list(collection.find({}, {"_id": 0}).sort("n").batch_size(300)))
    seen.append([type(d["_id"]) for d in collection.find().limit(3)])
    one = {
        "when": WHEN, "dec": Decimal128("1.5"), "bin": Binary(b"x", 5), "re": Regex("a", "i"), "code": Code("c", {"a": 1}), "long": Int64(5),
        "ts": Timestamp(1, 2), "nested": {"list": [1, {"x": [None, True]}], "empty": {}}, "_id": "special", "é": "汉字", "bytes": b"\0\1",
    }
    seen.append(collection.insert_one(one).inserted_id)
    seen.append(collection.find_one("special"))
    seen.append(collection.update_one({"_id": "special"}, {"$set": {"a": [1, 2]}, "$unset": {"when": 1}}).modified_count)
    seen.append(collection.find_one_and_update({"_id": "special"}, {"$push": {"a": 3}}, return_document=True)["a"])
    seen.append(list(collection.aggregate([{"$group": {"_id": "$age", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}])))
    seen.append(collection.count_documents({"active": True}))
    seen.append(sorted(collection.distinct("age")))
    bulk = collection.bulk_write([
        InsertOne({"_id": 1}), UpdateOne({"_id": 1}, {"$set": {"x": 1}}), ReplaceOne({"_id": 2}, {"y": 1}, upsert=True),
        UpdateMany({"age": 20}, {"$inc": {"age": 1}}), DeleteOne({"_id": 1}), InsertOne({"z": 1}),
    ])
    seen.append((bulk.inserted_count, bulk.modified_count, bulk.deleted_count, bulk.upserted_ids))
    for ordered in (True, False):
        try:
            collection.insert_many([{"_id": 10}, {"_id": 11}, {"_id": 10}, {"_id": 12}], ordered=ordered)
        except BulkWriteError as error:
            details = error.details
            seen.append((details["nInserted"], [(e["index"], e["code"], e["op"]) for e in details["writeErrors"]]))
        collection.delete_many({"_id": {"$in": [10, 11, 12]}})
    for bad in ({"a": object}, {"a": 2**70}, {"_id": 5, "b": {1: 1}}, {"s": "\ud800"}, {"a\0b": 1}):
        for call in (collection.insert_one, lambda d: collection.insert_many([{}, d]), collection.find_one):
            try:
                call(bad)
            except Exception as error:
                seen.append((type(error), str(error)))
    try:
        collection.insert_one({"_id": "special"})
    except DuplicateKeyError as error:
        seen.append((error.code, error.details["keyValue"]))
    for call in (collection.insert_one, lambda d: collection.insert_many([d])):
        try:
            call({"_id": "big", "x": "x" * (16 * 1024 * 1024)})
        except (DocumentTooLarge, pymongo.errors.OperationFailure) as error:
            seen.append(type(error))
    raw = collection.with_options(CodecOptions(document_class=RawBSONDocument))
    found = raw.find_one("special")
    seen.append((type(found), type(found.raw), list(found), found["nested"]["list"][0]))
    raw.insert_many([RawBSONDocument(bson.encode({"_id": "raw", "a": {"b": 1}}))])
    seen.append(collection.find_one("raw"))
    ordered = collection.with_options(CodecOptions(document_class=SON, tz_aware=True, uuid_representation=4))
    value = uuid.UUID(int=77)
    ordered.insert_one(SON([("_id", value), ("when", WHEN)]))
    seen.append(ordered.find_one(value))
    batches = list(collection.find_raw_batches({"n": {"$lt": 10}}, {"_id": 0}).sort("n").batch_size(4))
    seen.append((b"".join(batches), len(batches)))
    unacknowledged = collection.with_options(write_concern=pymongo.WriteConcern(w=0))
    unacknowledged.insert_many([{"_id": f"w0-{n}"} for n in range(5)], ordered=False)
    with client.start_session() as session:
        with session.start_transaction():
            collection.insert_many([{"t": n} for n in range(3)], session=session)
            collection.update_one({"t": 1}, {"$set": {"u": 1}}, session=session)
    seen.append(collection.count_documents({"t": {"$exists": True}}))
    with collection.watch() as stream:
        collection.insert_one({"_id": "watched", "list": [1, 2]})
        change = next(stream)
        seen.append((change["operationType"], change["fullDocument"]))
    seen.append(client[database_name].command("dbStats")["db"] == database_name)
    bucket = gridfs.GridFSBucket(client[database_name])
    file_id = bucket.upload_from_stream("f", b"data" * 100_000)
    seen.append((type(file_id), bucket.open_download_stream(file_id).read() == b"data" * 100_000))
    return seen


def both_ways(uri, database_name, program):
    """What the program sees plain and accelerated, each on a fresh client and an empty database."""
    found = []
    for switch in (restore, accelerate):
        switch()
        try:
            with pymongo.MongoClient(uri) as client:
                client.drop_database(database_name)
                assert is_accelerated() == (switch is accelerate)
                found.append(program(client, database_name))
        finally:
            restore()
    return found


def test_a_pymongo_program(mongo_uri, database_name):
    plain, accelerated = both_ways(mongo_uri, database_name, script)
    assert len(plain) == len(accelerated) > 40
    for mine, other in zip(accelerated, plain):
        assert mine == other and type(mine) is type(other)


def test_splitting_of_large_batches(mongo_uri, database_name, switched):
    with pymongo.MongoClient(mongo_uri) as client:
        collection = client[database_name]["c"]
        large = [{"_id": n, "x": "x" * 15_000_000} for n in range(5)]
        assert collection.insert_many(large).inserted_ids == list(range(5))
        assert collection.count_documents({}) == 5
        collection.drop()
        many = [{"_id": n} for n in range(100_500)]
        assert collection.insert_many(many).inserted_ids == list(range(100_500))
        assert collection.count_documents({}) == 100_500


class Recorder(pymongo.monitoring.CommandListener):
    def __init__(self):
        self.events = []

    def started(self, event):
        if event.command_name in ("insert", "update", "find", "getMore"):
            self.events.append((event.command_name, sorted(event.command), event.command.get("documents"), event.command.get("updates")))

    succeeded = failed = lambda self, event: None


def test_listeners_see_the_same(mongo_uri, database_name):
    def program(_, database_name):
        recorder = Recorder()
        with pymongo.MongoClient(mongo_uri, event_listeners=[recorder]) as client:
            collection = client[database_name]["c"]
            collection.insert_many([{"_id": n} for n in range(5)])
            collection.update_one({"_id": 1}, {"$set": {"a": 1}})
            list(collection.find().batch_size(2))
        return recorder.events

    plain, accelerated = both_ways(mongo_uri, database_name, program)
    assert accelerated == plain and len(plain) == 5


async def test_an_async_program(mongo_uri, database_name, switched):
    async with pymongo.AsyncMongoClient(mongo_uri) as client:
        collection = client[database_name]["c"]
        result = await collection.insert_many(documents(1500))
        assert len(set(result.inserted_ids)) == 1500
        found = await collection.find({}, {"_id": 0}).sort("n").to_list()
        assert found == documents(1500)
        assert (await collection.insert_one({"a": 1})).inserted_id
        with pytest.raises(InvalidDocument):
            await collection.insert_one({"a": object})
        results = await asyncio.gather(*(collection.find_one({"n": n}) for n in range(50)))
        assert [document["n"] for document in results] == list(range(50))


def test_a_motor_program(mongo_uri, database_name, switched):
    motor_asyncio = pytest.importorskip("motor.motor_asyncio")

    async def program():
        client = motor_asyncio.AsyncIOMotorClient(mongo_uri)
        try:
            collection = client[database_name]["c"]
            result = await collection.insert_many(documents(1500))
            assert len(set(result.inserted_ids)) == 1500 and all(type(i) is ObjectId for i in result.inserted_ids)
            assert await collection.find({}, {"_id": 0}).sort("n").to_list(None) == documents(1500)
            assert await collection.count_documents({"active": True}) == 750
        finally:
            client.close()

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asyncio.run(program())


def test_the_program_really_runs_on_our_codec(mongo_uri, database_name):
    """Counted at the places themselves, with our functions wrapped."""
    accelerate()
    try:
        counts = {}

        def counted(place, name):
            function = getattr(place, name)

            def call(*arguments, **keywords):
                counts[name] = counts.get(name, 0) + 1
                return function(*arguments, **keywords)

            return function, call

        places = [(message, "_batched_op_msg"), (message, "_op_msg_uncompressed"), (bson, "_decode_all")]
        originals = []
        for place, name in places:
            function, call = counted(place, name)
            assert function.__self__ is _core
            originals.append((place, name, function))
            setattr(place, name, call)
        try:
            with pymongo.MongoClient(mongo_uri) as client:
                collection = client[database_name]["c"]
                collection.insert_many(documents(100))
                assert len(list(collection.find())) == 100
        finally:
            for place, name, function in originals:
                setattr(place, name, function)
        assert counts["_batched_op_msg"] == 1 and counts["_op_msg_uncompressed"] >= 1 and counts["_decode_all"] >= 2
    finally:
        restore()


@pytest.mark.parametrize("order", ["before", "after"])
def test_order_of_imports_in_a_fresh_program(mongo_uri, database_name, order):
    switch = "from barewire.bson import accelerate; accelerate()\n"
    program = (switch if order == "before" else "") + "import pymongo\n" + (switch if order == "after" else "") + (
        f"c = pymongo.MongoClient({mongo_uri!r})\n"
        f"d = [{{'n': n}} for n in range(500)]; c[{database_name!r}].x.insert_many(d)\n"
        f"assert list(c[{database_name!r}].x.find()) == d\n"
        "c.close()\n"
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    result = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    assert result.returncode == 0, result.stderr
