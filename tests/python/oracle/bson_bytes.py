# BSON written by hand, byte by byte: every element type incl. deprecated ones, broken text, and seeded mutations. No codec.
import random
import struct

from bson_peer import EXACT


def int32(value):
    return struct.pack("<i", value)


def cstring(text):
    return (text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")) + b"\0"


def string(text):
    body = cstring(text)
    return int32(len(body)) + body


def element(kind, name, payload=b""):
    return bytes([kind]) + cstring(name) + payload


def document(*elements):
    body = b"".join(elements)
    return int32(len(body) + 5) + body + b"\0"


def array(*payloads, names=None):
    """`payloads` are (kind, bytes); names default to 0, 1, 2, ..."""
    names = names or [str(index) for index in range(len(payloads))]
    return document(*(element(kind, name, payload) for name, (kind, payload) in zip(names, payloads)))


def binary(subtype, data):
    if subtype == 2:
        return int32(len(data) + 4) + b"\2" + int32(len(data)) + data
    return int32(len(data)) + bytes([subtype]) + data


def code_with_scope(code, scope):
    body = string(code) + scope
    return int32(len(body) + 4) + body


NAMES = ("a", "b", "_id", "name", "", "0", "$ref", "$id", "$db", "x.y", "é", "ключ", "k" * 40, "k" * 300)
TEXTS = ("", "ascii", "naïve", "汉字😀", "a\0b", "t" * 130, b"\xff\xfe", b"ok\x80bad", b"\xed\xa0\x80", b"\xf0\x9f\x98")
CLEAN_TEXTS = TEXTS[:6]
SPECIAL_MILLIS = (0, -1, 999, -62135596800000, -62135596800001, 253402300799999, 253402300800000, 2**63 - 1, -(2**63) + 1000)
KINDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 255, 127)


class Generator:
    """Random well-formed documents from a seed; `clean=False` adds text that is not UTF-8."""

    def __init__(self, seed, clean=True, depth=4):
        self.random = random.Random(seed)
        self.texts = CLEAN_TEXTS if clean else TEXTS
        self.depth = depth

    def document(self, depth=0):
        return document(*(self.element(self.random.choice(NAMES), depth) for _ in range(self.random.randrange(8))))

    def reference(self, depth):
        """A sub-document that looks like a DBRef, mostly a legal one."""
        pick = self.random.random
        elements = []
        if pick() < 0.9:
            elements.append(element(2, "$ref", string("coll")) if pick() < 0.8 else self.element("$ref", depth))
        if pick() < 0.9:
            elements.append(self.element("$id", depth))
        if pick() < 0.5:
            elements.append(element(2, "$db", string("db")) if pick() < 0.8 else self.element("$db", depth))
        if pick() < 0.5:
            elements.append(self.element("extra", depth))
        self.random.shuffle(elements)
        return document(*elements)

    def element(self, name, depth):
        kind = self.random.choice(KINDS)
        if depth >= self.depth and kind in (3, 4, 15):
            kind = 16
        return element(kind, name, self.payload(kind, depth))

    def payload(self, kind, depth):
        rnd = self.random
        if kind == 1:
            return rnd.choice((struct.pack("<d", rnd.uniform(-1e9, 1e9)), rnd.randbytes(8)))
        if kind in (2, 13, 14):
            return string(rnd.choice(self.texts))
        if kind == 3:
            return self.reference(depth + 1) if rnd.random() < 0.25 else self.document(depth + 1)
        if kind == 4:
            kinds = [rnd.choice(KINDS[:2] + KINDS[4:14]) if depth + 1 >= self.depth else rnd.choice(KINDS)
                     for _ in range(rnd.randrange(14))]
            items = [(k, self.payload(k, depth + 1)) for k in kinds]
            if rnd.random() < 0.1:
                return array(*items, names=[rnd.choice(NAMES) for _ in items])
            return array(*items)
        if kind == 5:
            subtype = rnd.choice((0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 127, 128, 255))
            size = 16 if subtype in (3, 4) and (rnd.random() < 0.8 or not EXACT) else rnd.randrange(30)
            return binary(subtype, rnd.randbytes(size))
        if kind in (7,):
            return rnd.randbytes(12)
        if kind == 8:
            return rnd.choice((b"\0", b"\1"))
        if kind == 9:
            return struct.pack("<q", rnd.choice((rnd.randrange(-(10**13), 10**13), rnd.choice(SPECIAL_MILLIS))))
        if kind == 11:
            return cstring(rnd.choice(("a.*", "é", ""))) + cstring(rnd.choice(("", "i", "ilmsux", "zz")))
        if kind == 12:
            return string(rnd.choice(CLEAN_TEXTS)) + rnd.randbytes(12)
        if kind == 15:
            return code_with_scope(rnd.choice(self.texts), self.document(depth + 1))
        if kind == 16:
            return struct.pack("<i", rnd.choice((0, 1, -1, rnd.randrange(-(2**31), 2**31))))
        if kind == 17:
            return rnd.randbytes(8)
        if kind == 18:
            return struct.pack("<q", rnd.choice((0, -1, rnd.randrange(-(2**63), 2**63))))
        if kind == 19:
            return rnd.randbytes(16)
        return b""


def corpus(count, seed=20240229, clean=True, limit=1500):
    """`count` documents of at most `limit` bytes."""
    generator = Generator(seed, clean)
    found = []
    while len(found) < count:
        candidate = generator.document()
        if len(candidate) <= limit:
            found.append(candidate)
    return found


def mutated(rnd, data):
    """`data` with one to three changes: bit flips, replaced bytes, changed lengths, cuts, insertions, swapped parts."""
    data = bytearray(data)
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        if not data:
            break
        where = rnd.randrange(len(data))
        action = rnd.randrange(8)
        if action == 0:
            data[where] ^= 1 << rnd.randrange(8)
        elif action == 1:
            data[where] = rnd.choice((0, 1, 2, 3, 4, 5, 7, 8, 11, 13, 15, 16, 0x7F, 0x80, 0xFF, rnd.randrange(256)))
        elif action == 2 and where + 4 <= len(data):
            value = struct.unpack_from("<i", data, where)[0] + rnd.choice((-5, -1, 1, 4, 5, 256))
            data[where:where + 4] = struct.pack("<I", value & 0xFFFFFFFF)
        elif action == 3 and where + 4 <= len(data):
            data[where:where + 4] = struct.pack("<i", rnd.choice((0, -1, 4, 5, 2**31 - 1, -(2**31), len(data))))
        elif action == 4:
            del data[where:where + rnd.randrange(1, 6)]
        elif action == 5:
            data[where:where] = rnd.randbytes(rnd.randrange(1, 6))
        elif action == 6:
            other = rnd.randrange(len(data))
            size = rnd.randrange(1, 9)
            data[where:where + size] = data[other:other + size]
        else:
            data[where] = 0
    if rnd.random() < 0.6 and len(data) >= 5:
        # Keep the outer length right most of the time: the interesting errors lie deeper.
        data[:4] = struct.pack("<i", len(data))
        data[-1] = 0
    return bytes(data)
