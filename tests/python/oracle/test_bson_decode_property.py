# Decoder property tests, any well-formed bytes and any options: both codecs build indistinguishable values. No servers.
import random

import bson_bytes
import bson_values as values
import pytest
from bson import DEFAULT_CODEC_OPTIONS
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson_outcomes import Outcome, assert_same, both_decode, difference
from bson_peer import amount, ours, theirs
from hypothesis import given, settings

STANDARD = CodecOptions(uuid_representation=4)


def encoded(document):
    return Outcome(theirs.encode, document, codec_options=STANDARD).value


@settings(max_examples=amount(300, 10_000))
@given(values.documents(values.scalars), values.codec_options())
def test_every_option_gives_the_same_values(document, options):
    data = encoded(document)
    if data is None:
        return
    both_decode(ours, theirs, data, options)
    both_decode(ours, theirs, data)
    many = data * 3
    assert_same(Outcome(ours.decode_all, many, options), Outcome(theirs.decode_all, many, options))


OPTIONS = [
    DEFAULT_CODEC_OPTIONS,
    *(CodecOptions(uuid_representation=r) for r in values.UUID_REPRESENTATIONS[1:]),
    *(CodecOptions(unicode_decode_error_handler=h) for h in values.ERROR_HANDLERS),
    *(CodecOptions(tz_aware=True, tzinfo=z, datetime_conversion=c) for z in (None, *values.TZINFOS) for c in (1, 2, 3, 4)),
    *(CodecOptions(datetime_conversion=c) for c in (2, 3, 4)),
    *(CodecOptions(document_class=c) for c in (values.SON, values.OrderedDict, values.UserMapping, values.Mapped, RawBSONDocument)),
    *(CodecOptions(type_registry=r) for r in values.REGISTRIES if r),
    CodecOptions(document_class=values.UserMapping, type_registry=values.REGISTRIES[4]),
]


@pytest.mark.parametrize("options", OPTIONS, ids=[str(i) for i in range(len(OPTIONS))])
@pytest.mark.parametrize("clean", [True, False])
def test_hand_written_documents(options, clean):
    generator = bson_bytes.Generator(7 if clean else 8, clean)
    for _ in range(amount(60, 3_000)):
        both_decode(ours, theirs, generator.document(), options)


@pytest.mark.parametrize("options", OPTIONS[::4])
def test_streams_of_documents(options):
    generator = bson_bytes.Generator(9)
    documents = [generator.document() for _ in range(amount(100, 2_000))]
    stream = b"".join(documents)
    assert_same(Outcome(ours.decode_all, stream, options), Outcome(theirs.decode_all, stream, options))
    mine = Outcome(lambda: list(ours.decode_iter(stream, options)))
    assert_same(mine, Outcome(lambda: list(theirs.decode_iter(stream, options))))


def test_key_cache_does_not_confuse_names():
    """Names that differ late, collide in length, or repeat after thousands of others."""
    rnd = random.Random(5)
    pool = ["".join(rnd.choices("ab", k=rnd.randrange(1, 24))) for _ in range(3000)] + ["x" * n for n in range(400)]
    for _ in range(amount(300, 5_000)):
        names = rnd.sample(pool, 40)
        data = bson_bytes.document(*(bson_bytes.element(16, name, bson_bytes.int32(i)) for i, name in enumerate(names)))
        assert difference(ours.decode(data), dict.fromkeys(names) | {n: i for i, n in enumerate(names)}) is None


def test_duplicate_names_keep_the_last_value_and_the_first_place():
    data = bson_bytes.document(*(
        bson_bytes.element(16, name, bson_bytes.int32(i)) for i, name in enumerate(["a", "b", "a", "c", "b", "a"])
    ))
    for options in OPTIONS:
        both_decode(ours, theirs, data, options)


def test_no_value_is_shared_between_documents():
    data = theirs.encode({"list": [], "doc": {}, "s": "x"})
    first, second = ours.decode_all(data * 2)
    first["list"].append(1)
    first["doc"]["a"] = 1
    assert second == {"list": [], "doc": {}, "s": "x"}
