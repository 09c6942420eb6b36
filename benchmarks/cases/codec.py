"""Question: how fast does the codec turn dicts into BSON and back, against bson's C extension?"""

from __future__ import annotations

import importlib
import itertools
from typing import Any

from bson.codec_options import DEFAULT_CODEC_OPTIONS

from benchmarks.data.documents import SHAPES
from benchmarks.harness.bars import Bar, faster
from benchmarks.harness.case import Case, Work
from benchmarks.harness.digest import bytes_digest, objects_digest
from benchmarks.harness.peers import Missing

ENCODE_BATCH = {"flat": 50_000}
ENCODE_BATCH_OTHERS = 5_000
DECODE_BATCH = 1_000

ENCODE_BARS = {"flat": 6, "nested": 5, "tweet": 5, "aware_times": 3, "uuids": 3, "decimals": 3, "object_ids": 3}
ENCODE_MANY_BARS = {**ENCODE_BARS, "flat": 12}
DECODE_BARS = {"flat": 2, "nested": 1.6, "tweet": None, "aware_times": 3, "uuids": 3, "decimals": 3, "object_ids": 3}


def _bars(demand: float | None) -> list[Bar]:
    # A codec waits for nothing, so its CPU is its wall on a quiet machine and holds still on a loaded one.
    return [*(faster("barewire-bson", "bson", cpu=demand)), Bar("barewire-bson", ("bson",), "wall", None)]


class Codec(Case):
    peers = ("bson", "barewire-bson")
    unit = "document"
    count = None
    count_limit = 10_000_000
    target_seconds = 0.2
    repetitions = 25
    quick_repetitions = 7
    server = None

    def __init__(self, operation: str, shape: str, demand: float | None) -> None:
        self.name = f"codec/{operation}/{shape}"
        self.shape = shape
        self.bars = _bars(demand)
        self._codec: Any = None

    def setup(self, peer: Any, collection: Any) -> None:
        try:
            self._codec = importlib.import_module("barewire.bson" if peer.ours else "bson")
        except ImportError as error:
            raise Missing(f"barewire.bson: {error}") from error

    def documents(self, count: int) -> list[dict[str, Any]]:
        make, _ = SHAPES[self.shape]
        return [make(index) for index in range(count)]

    def encoded(self, count: int) -> bytes:
        """The batch as bytes, always made by bson, so that both peers decode the same."""
        import bson

        _, options = SHAPES[self.shape]
        return b"".join(bson.encode(document, codec_options=options) for document in self.documents(count))


class EncodeOne(Codec):
    def __init__(self, shape: str) -> None:
        super().__init__("encode", shape, ENCODE_BARS[shape])
        self.question = f"How fast is encode(document), one call per document, {shape}?"

    def load(self, peer: Any, work: Work) -> Any:
        return self.documents(min(work.count, 1_000))

    def run_local(self, peer: Any, work: Work) -> Any:
        encode, options, documents = self._codec.encode, SHAPES[self.shape][1], work.input
        wanted = itertools.islice(itertools.cycle(documents), work.count)
        if options == DEFAULT_CODEC_OPTIONS:
            for document in wanted:
                encode(document)
        else:
            for document in wanted:
                encode(document, codec_options=options)

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        _, options = SHAPES[self.shape]
        encoded = b"".join(self._codec.encode(document, codec_options=options) for document in work.input)
        return {"bytes": bytes_digest(encoded)}


class EncodeMany(Codec):
    def __init__(self, shape: str) -> None:
        super().__init__("encode_many", shape, ENCODE_MANY_BARS[shape])
        self.batch = ENCODE_BATCH.get(shape, ENCODE_BATCH_OTHERS)
        self.count = self.batch
        self.question = f"How fast is a batch of {self.batch:,} encoded back to back, {shape}? (bson: join of encode)"
        self.repetitions = 15

    def load(self, peer: Any, work: Work) -> Any:
        return self.documents(self.batch)

    def run_local(self, peer: Any, work: Work) -> Any:
        _, options = SHAPES[self.shape]
        if peer.ours:
            return self._codec.encode_many(work.input, codec_options=options)
        encode = self._codec.encode
        if options == DEFAULT_CODEC_OPTIONS:
            return b"".join(map(encode, work.input))
        return b"".join([encode(document, codec_options=options) for document in work.input])

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return {"bytes": bytes_digest(result)}


class DecodeBatch(Codec):
    count_multiple = DECODE_BATCH

    def __init__(self, shape: str) -> None:
        super().__init__("decode_all", shape, DECODE_BARS[shape])
        self.question = f"How fast is decode_all of a batch of {DECODE_BATCH:,}, {shape}?"
        self._batch = b""

    def load(self, peer: Any, work: Work) -> Any:
        self._batch = self._batch or self.encoded(DECODE_BATCH)
        return self._batch

    def run_local(self, peer: Any, work: Work) -> Any:
        decode_all, options, batch = self._codec.decode_all, SHAPES[self.shape][1], work.input
        for _ in range(work.count // DECODE_BATCH):
            found = decode_all(batch, options)
        return found

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return {"objects": objects_digest(result)}


CASES = [kind(shape) for kind in (EncodeOne, EncodeMany, DecodeBatch) for shape in SHAPES]
