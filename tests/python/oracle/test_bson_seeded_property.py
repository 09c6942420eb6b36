# The large property tests, one seed per document: both codecs agree on bytes, values and errors. No servers.
from bson.codec_options import CodecOptions
from bson_outcomes import Outcome, assert_same, both_decode, both_encode
from bson_peer import amount, ours, theirs
from bson_random_values import Documents
from hypothesis import given, settings
from hypothesis import strategies as st

STANDARD = CodecOptions(uuid_representation=4)
seeds = st.integers(0, 2**64 - 1)


@settings(max_examples=amount(2_000, 100_000))
@given(seeds)
def test_legal_documents_there_and_back(seed):
    generate = Documents(seed)
    document = generate.document()
    data = both_encode(ours, theirs, document, codec_options=STANDARD)
    assert data is not None
    both_decode(ours, theirs, data, generate.options())
    value = both_decode(ours, theirs, data, STANDARD)
    if value is not None:
        both_encode(ours, theirs, value, codec_options=STANDARD)


@settings(max_examples=amount(1_000, 50_000))
@given(seeds)
def test_any_document_with_any_options(seed):
    generate = Documents(seed, legal=False)
    document, options = generate.document(), generate.options()
    data = both_encode(ours, theirs, document, generate.boolean(), options)
    if data is not None:
        both_decode(ours, theirs, data, options)


@settings(max_examples=amount(200, 5_000))
@given(seeds)
def test_batches(seed):
    generate = Documents(seed, legal=seed % 4 != 0, depth=2)
    documents = [generate.document() for _ in range(generate.random.randrange(12))]
    options = generate.options()
    mine = Outcome(ours.encode_many, documents, codec_options=options)
    other = Outcome(lambda: b"".join(theirs.encode(document, codec_options=options) for document in documents))
    assert_same(mine, other)
    if mine.error is None:
        assert_same(Outcome(ours.decode_all, mine.value, options), Outcome(theirs.decode_all, mine.value, options))
