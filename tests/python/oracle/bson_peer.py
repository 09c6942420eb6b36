# The two codecs that the oracle tests compare, and the amount of work to do. No comparison logic here.
import os

import bson as theirs
import pymongo

# Older releases differ in what malformed input they take (short UUIDs, unterminated patterns, ...); ours follows this one.
EXACT = pymongo.version_tuple >= (4, 20)

LONG = os.environ.get("BAREWIRE_LONG") == "1"


def amount(default: int, long: int) -> int:
    """How many documents, mutations or calls: `default` normally, `long` when BAREWIRE_LONG=1."""
    return long if LONG else default


SELF = os.environ.get("BAREWIRE_ORACLE") == "self"

if SELF:
    # The peer on both sides: checks the tests themselves (every comparison must hold).
    class ours:
        encode = staticmethod(theirs.encode)
        decode = staticmethod(theirs.decode)
        decode_all = staticmethod(theirs.decode_all)
        decode_iter = staticmethod(theirs.decode_iter)
        decode_file_iter = staticmethod(theirs.decode_file_iter)
        is_valid = staticmethod(theirs.is_valid)

        @staticmethod
        def encode_many(documents, check_keys=False, codec_options=theirs.DEFAULT_CODEC_OPTIONS):
            return b"".join(theirs.encode(document, check_keys, codec_options) for document in documents)
else:
    from barewire import bson as ours

# The peer reads past the end of some broken documents, which a sanitizer would report as ours: there ours is alone.
peer_for_broken_bytes = ours if os.environ.get("BAREWIRE_ORACLE") == "alone-on-broken-bytes" else theirs

__all__ = ["EXACT", "LONG", "SELF", "amount", "ours", "peer_for_broken_bytes", "theirs"]
