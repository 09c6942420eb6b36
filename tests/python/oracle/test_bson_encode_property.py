# Encoder property tests, any document and any options: both codecs give the same bytes or the same error. No servers.
import bson_values as values
import pytest
from bson import DEFAULT_CODEC_OPTIONS
from bson.codec_options import CodecOptions
from bson_outcomes import Outcome, assert_same, both_encode
from bson_peer import amount, ours, theirs
from hypothesis import given, settings
from hypothesis import strategies as st

STANDARD = CodecOptions(uuid_representation=4)


@settings(max_examples=amount(300, 10_000))
@given(values.documents(values.scalars))
def test_documents_with_every_type_give_the_same_bytes(document):
    data = both_encode(ours, theirs, document, codec_options=STANDARD)
    assert data is not None or any_surrogate_or_range_problem(document)


def any_surrogate_or_range_problem(document):
    """Documents of legal scalars may still be refused: DBRef and Code keep what they are given."""
    return Outcome(theirs.encode, document, codec_options=STANDARD).error is not None


@settings(max_examples=amount(200, 10_000))
@given(values.documents(st.one_of(values.scalars, values.custom)), values.codec_options(), st.booleans())
def test_any_options_give_the_same_bytes_or_error(document, options, check_keys):
    both_encode(ours, theirs, document, check_keys, options)


@settings(max_examples=amount(200, 10_000))
@given(values.documents(st.one_of(values.scalars, values.impossible, values.custom)), st.booleans())
def test_documents_that_cannot_be_encoded_give_the_same_error(document, check_keys):
    both_encode(ours, theirs, document, check_keys)


@settings(max_examples=amount(200, 5_000))
@given(st.one_of(values.scalars, values.custom, values.impossible, st.lists(st.integers()), values.raw_documents()))
def test_anything_as_document(thing):
    both_encode(ours, theirs, thing)


@settings(max_examples=amount(60, 2_000))
@given(st.lists(values.documents(values.scalars), max_size=5), values.codec_options())
def test_encode_many_is_the_documents_back_to_back(documents, options):
    mine = Outcome(ours.encode_many, documents, codec_options=options)
    other = Outcome(lambda: b"".join(theirs.encode(document, codec_options=options) for document in documents))
    assert_same(mine, other)
    assert_same(Outcome(ours.encode_many, iter(documents), False, options), other)


@settings(max_examples=amount(200, 5_000))
@given(values.raw_documents(), values.codec_options())
def test_raw_documents_pass_through(raw, options):
    both_encode(ours, theirs, raw, codec_options=options)
    both_encode(ours, theirs, {"a": raw, "list": [raw, {"b": raw}]}, codec_options=options)


@settings(max_examples=amount(100, 5_000))
@given(values.documents(values.scalars), values.codec_options())
def test_a_second_walk_over_the_same_objects_is_identical(document, options):
    """Caches keyed on keys, types or options must not change a result."""
    first = Outcome(ours.encode, document, codec_options=options)
    second = Outcome(ours.encode, document, codec_options=options)
    assert_same(first, second)
    default = Outcome(ours.encode, document, codec_options=DEFAULT_CODEC_OPTIONS)
    assert_same(default, Outcome(theirs.encode, document))


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001, 12345])
def test_array_index_names(size):
    both_encode(ours, theirs, {"a": [None] * size, "t": (1,) * size, "nested": [[i] for i in range(min(size, 300))]})


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 64, 255, 256, 4096, 70_000])
def test_wide_documents_and_long_values(width):
    both_encode(ours, theirs, {f"field{i}": i for i in range(width)})
    both_encode(ours, theirs, {"k" * width: "v" * width, "b": b"\xff" * width, "é" * width: "ü" * width})
