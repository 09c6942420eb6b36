"""Question: what does a round trip cost that does nothing?"""

from __future__ import annotations

from typing import Any

from benchmarks.harness.bars import near_native
from benchmarks.harness.case import Case, Work


class Ping(Case):
    name = "ping"
    question = "What does one round trip cost that does nothing?"
    unit = "ping"
    count = None
    native = ("ping", 0)
    bars = near_native("barewire", "barewire-async", threshold=None)

    def run_blocking(self, peer: Any, collection: Any, work: Work) -> Any:
        command = collection.database.client.admin.command
        return [command("ping") for _ in range(work.count)]

    async def run_asyncio(self, peer: Any, collection: Any, work: Work) -> Any:
        command = collection.database.client.admin.command
        return [await command("ping") for _ in range(work.count)]

    def outcome(self, peer: Any, work: Work, result: Any) -> dict[str, Any]:
        return {"digest": f"{sum(reply['ok'] == 1 for reply in result)}:0"}

    def expected(self, work: Work) -> dict[str, Any]:
        return {"digest": f"{work.count}:0"}


CASES = [Ping()]
