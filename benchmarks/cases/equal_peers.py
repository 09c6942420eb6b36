"""Question: what does the method say of two peers that are the same? A ratio away from 1 here is the method's own error."""

from __future__ import annotations

from benchmarks.harness.bars import Bar

from .codec import EncodeOne


class EqualPeers(EncodeOne):
    peers = ("bson", "bson-again")

    def __init__(self) -> None:
        super().__init__("flat")
        self.name = "equal_peers"
        self.question = "What ratio does the method find between two equal peers?"
        self.bars = [Bar("bson-again", ("bson",), "wall", None), Bar("bson-again", ("bson",), "cpu", None)]


CASES = [EqualPeers()]
