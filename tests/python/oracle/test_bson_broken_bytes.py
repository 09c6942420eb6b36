# Broken input: every truncation and seeded mutations of a corpus; same accept or refuse, same value, never a crash.
import random
import struct

import bson_bytes
import pytest
from bson.codec_options import CodecOptions
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from bson_bytes import array, binary, code_with_scope, cstring, document, element, int32, string
from bson_outcomes import Outcome, assert_same
from bson_peer import EXACT, amount, ours
from bson_peer import peer_for_broken_bytes as theirs

pytestmark = pytest.mark.skipif(not EXACT, reason="older releases take other malformed input")

OPTIONS = [
    CodecOptions(),
    CodecOptions(tz_aware=True, uuid_representation=4, datetime_conversion=4),
    CodecOptions(document_class=RawBSONDocument),
    CodecOptions(unicode_decode_error_handler="replace", datetime_conversion=2),
]


def compare(data, options, texts):
    assert_same(
        Outcome(ours.decode, data, options), Outcome(theirs.decode, data, options),
        texts=texts, hint=data,
    )


def test_every_truncation():
    for data in bson_bytes.corpus(amount(60, 600), clean=False):
        for size in range(len(data)):
            cut = data[:size]
            compare(cut, OPTIONS[0], texts=True)
            if size >= 5:
                # The same cut with a repaired length and terminator reaches the element readers.
                compare(int32(size) + cut[4:-1] + b"\0", OPTIONS[size % 4], texts=False)


def test_mutations():
    rnd = random.Random(1)
    sources = bson_bytes.corpus(200, seed=3, clean=False)
    accepted = 0
    for number in range(amount(5_000, 100_000)):
        data = bson_bytes.mutated(rnd, rnd.choice(sources))
        options = OPTIONS[number % 4]
        compare(data, options, texts=False)
        accepted += ours.is_valid(data)
    assert accepted, "mutations that stay valid are part of the test"


def test_mutated_streams():
    rnd = random.Random(2)
    sources = bson_bytes.corpus(100, seed=4)
    for _ in range(amount(500, 10_000)):
        data = bson_bytes.mutated(rnd, b"".join(rnd.sample(sources, 3)))
        assert_same(Outcome(ours.decode_all, data), Outcome(theirs.decode_all, data), texts=False, hint=data)
        mine = Outcome(lambda: list(ours.decode_iter(data)))
        assert_same(mine, Outcome(lambda: list(theirs.decode_iter(data))), texts=False, hint=data)


def test_random_bytes_never_crash():
    rnd = random.Random(3)
    for _ in range(amount(3_000, 50_000)):
        body = rnd.randbytes(rnd.randrange(40))
        data = int32(len(body) + 5) + body + b"\0"
        assert_same(Outcome(ours.decode, data), Outcome(theirs.decode, data), texts=False, hint=data)


BROKEN = {
    "empty": b"",
    "four bytes": b"\5\0\0\0",
    "size zero": int32(0) + b"\0",
    "size four": int32(4) + b"\0",
    "size negative": int32(-1) + b"\0\0\0",
    "size too large": int32(6) + b"\0",
    "size too small": int32(5) + b"\0\0",
    "no terminator": int32(5) + b"\1",
    "junk after the end": document() + b"x",
    "unknown type": document(element(0x22, "a", b"x")),
    "unknown type, broken name": document(element(0x22, b"\xff", b"x")),
    "unknown type quote": document(element(0x27, "a'b")),
    "unknown type zero": int32(8) + b"\0a\0\0",
    "unknown type 128": document(element(0x80, "a")),
    "unknown type newline": document(element(0x14, "a")),
    "name without end": int32(7) + b"\x10aa"[:2] + b"\0",
    "name to the end": int32(10) + b"\x10aaaa" + b"\0",
    "name not UTF-8": document(element(16, b"\xff", int32(1))),
    "name surrogate": document(element(16, b"\xed\xa0\x80", int32(1))),
    "bool 2": document(element(8, "a", b"\2")),
    "bool 255": document(element(8, "a", b"\xff")),
    "bool 2 nested": document(element(3, "d", document(element(8, "a", b"\2")))),
    "bool 2 in array": document(element(4, "l", array((8, b"\2")))),
    "bool missing": document(element(8, "a")),
    "double short": document(element(1, "a", b"1234567")),
    "int32 short": document(element(16, "a", b"123")),
    "int64 short": document(element(18, "a", b"1234567")),
    "date short": document(element(9, "a", b"1234567")),
    "timestamp short": document(element(17, "a", b"1234567")),
    "object id short": document(element(7, "a", b"12345678901")),
    "decimal short": document(element(19, "a", b"1" * 15)),
    "string size zero": document(element(2, "a", int32(0) + b"\0")),
    "string size negative": document(element(2, "a", int32(-1) + b"a\0")),
    "string too long": document(element(2, "a", int32(100) + b"a\0")),
    "string one too long": document(element(2, "a", int32(3) + b"a\0")),
    "string no end": document(element(2, "a", int32(2) + b"ab")),
    "string not UTF-8": document(element(2, "a", string(b"\xff"))),
    "string cut UTF-8": document(element(2, "a", string(b"ok\xe2\x82"))),
    "symbol not UTF-8": document(element(14, "a", string(b"\xff"))),
    "code not UTF-8": document(element(13, "a", string(b"\xff"))),
    "code size zero": document(element(13, "a", int32(0))),
    "document too short": document(element(3, "a", int32(4))),
    "document size negative": document(element(3, "a", int32(-5) + b"\0")),
    "document too long": document(element(3, "a", int32(50) + b"\0")),
    "document no end": document(element(3, "a", int32(5) + b"\1")),
    "document cut inside": document(element(3, "a", int32(8) + b"\x10a\0\0"[:4])),
    "array too long": document(element(4, "a", int32(50) + b"\0")),
    "array no end": document(element(4, "a", int32(5) + b"\1")),
    "array overrun": document(element(4, "a", int32(9) + element(16, "0") + b"\0\0" + b"\0" * 4)),
    "array unknown type": document(element(4, "a", array((0x22, b"")))),
    "array unknown type nested": document(element(4, "names", array((4, array((0x22, b"")))))),
    "binary short": document(element(5, "a", int32(0))),
    "binary too long": document(element(5, "a", int32(9) + b"\0abc")),
    "binary negative": document(element(5, "a", int32(-1) + b"\0abc")),
    "old binary no inner size": document(element(5, "a", int32(2) + b"\2ab")),
    "old binary wrong inner size": document(element(5, "a", int32(6) + b"\2" + int32(3) + b"ab")),
    "regex pattern no end": int32(9) + b"\x0ba\0x" + b"\0" * 1,
    "regex flags no end": document(element(11, "a", b"x\0")),
    "regex pattern not UTF-8": document(element(11, "a", cstring(b"\xff") + cstring("i"))),
    "regex flags not UTF-8": document(element(11, "a", cstring("x") + cstring(b"\xff"))),
    "reference string zero": document(element(12, "a", int32(0) + b"1" * 12)),
    "reference string too long": document(element(12, "a", int32(20) + b"a\0" + b"1" * 12)),
    "reference id short": document(element(12, "a", string("c") + b"1" * 11)),
    "reference not UTF-8": document(element(12, "a", string(b"\xff") + b"1" * 12)),
    "scope sizes differ": document(element(15, "a", int32(99) + string("x") + document())),
    "scope one off": document(element(15, "a", int32(15) + string("x") + document())),
    "scope code too long": document(element(15, "a", int32(15) + int32(50) + b"x\0" + document())),
    "scope code zero": document(element(15, "a", int32(14) + int32(0) + document() + b"\0")),
    "scope document short": document(element(15, "a", int32(14) + string("x") + int32(4))),
    "scope not a document": document(element(15, "a", code_with_scope("x", document(element(0x22, "y"))))),
    "scope negative code size": document(element(15, "a", int32(15) + int32(-2) + b"x\0" + document())),
    "date year 10000": document(element(9, "a", struct.pack("<q", 253402300800000))),
    "date year 0": document(element(9, "a", struct.pack("<q", -62135596800001))),
    "date lowest": document(element(9, "a", struct.pack("<q", -(2**63) + 1000))),
    "date highest": document(element(9, "a", struct.pack("<q", 2**63 - 1))),
    "uuid 15 bytes": document(element(5, "a", binary(4, b"1" * 15))),
    "legacy uuid 17 bytes": document(element(5, "a", binary(3, b"1" * 17))),
    "uuid empty": document(element(5, "a", binary(4, b""))),
}

ALL_OPTIONS = [
    *OPTIONS,
    CodecOptions(tz_aware=True),
    *(CodecOptions(uuid_representation=r) for r in (3, 4, 5, 6)),
    *(CodecOptions(unicode_decode_error_handler=h) for h in ("ignore", "backslashreplace", "surrogateescape", "no-such-handler")),
]


@pytest.mark.parametrize("name", BROKEN)
def test_classes_and_texts_of_broken_documents(name):
    data = BROKEN[name]
    for options in ALL_OPTIONS:
        compare(data, options, texts=True)
        nested = document(element(3, "outer", document(element(4, "list", array((3, data), (10, b""))))))
        # The peer reads past an array whose item lies about its size; texts then depend on what follows in memory.
        compare(nested, options, texts=False)
    assert_same(Outcome(ours.decode_all, data), Outcome(theirs.decode_all, data))
    assert_same(Outcome(ours.decode_all, document() + data), Outcome(theirs.decode_all, document() + data))
    assert ours.is_valid(data) is theirs.is_valid(data)


def test_the_last_second_of_int64():
    """The peer's own arithmetic overflows there, so that only its text is odd."""
    for millis in range(-(2**63), -(2**63) + 1000, 111):
        data = document(element(9, "a", struct.pack("<q", millis)))
        for options in ALL_OPTIONS:
            compare(data, options, texts=False)


def test_refusals_are_invalid_bson():
    for name in ("unknown type", "bool 2", "string no end", "name not UTF-8", "date year 10000"):
        with pytest.raises(InvalidBSON):
            ours.decode(BROKEN[name])


@pytest.mark.parametrize("depth", [1, 10, 100, 200])
def test_nesting_that_both_accept(depth):
    data = document()
    for _ in range(depth):
        data = document(element(3, "d", data))
    compare(data, OPTIONS[0], texts=True)
    data = array()
    for _ in range(depth):
        data = array((4, data))
    compare(document(element(4, "l", data)), OPTIONS[0], texts=True)


@pytest.mark.parametrize("depth", [20_000, 100_000])
def test_nesting_that_both_refuse(depth):
    data = document()
    # Built inside out by joining: repeated wrapping would copy quadratically.
    sizes = [5 + 8 * level for level in range(depth + 1)]
    head = b"".join(int32(size) + b"\3d\0" for size in reversed(sizes[1:]))
    data = head + data + b"\0" * depth
    compare(data, OPTIONS[0], texts=True)
    with pytest.raises(InvalidBSON, match="recursion"):
        ours.decode(data)
    head = b"".join(int32(size) + b"\x040\0" for size in reversed(sizes[1:]))
    compare(head + document() + b"\0" * depth, OPTIONS[0], texts=False)
