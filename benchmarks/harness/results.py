"""The saved form of a run: plain data, written as JSON and read back. Nothing is computed here."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

from .bars import Bar
from .clocks import Sample
from .paths import without_folders

FORMAT = 1

Status = Literal["measured", "missing", "failed", "incorrect"]


@dataclasses.dataclass
class PeerResult:
    """All timed runs of one peer. Only a peer that is "measured" has samples: an incorrect one has no figure."""

    status: Status = "measured"
    reason: str = ""
    samples: list[Sample] = dataclasses.field(default_factory=list)

    def reject(self, status: Status, reason: str) -> None:
        self.status, self.reason = status, reason
        self.samples.clear()


@dataclasses.dataclass
class CaseResult:
    """One case as it was run."""

    name: str
    question: str
    unit: str
    count: int
    peers: dict[str, PeerResult]
    bars: list[Bar]
    loop: str = "asyncio"
    started: str = ""
    interrupted: bool = False
    outcome: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Run:
    """Everything that one command measured, with the conditions it was measured under."""

    environment: dict[str, Any]
    cases: list[CaseResult] = dataclasses.field(default_factory=list)


def save(run: Run, file: Path) -> None:
    """Write ``run``, without folders of this machine; a reader never sees half a file."""
    fresh = file.with_name(file.name + ".new")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    data = without_folders({"format": FORMAT, **dataclasses.asdict(run)})
    fresh.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    fresh.replace(file)


def load(file: Path) -> Run:
    """Read a saved run; raises ValueError for a file of another format."""
    data = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"{file} is not a saved run of format {FORMAT}")
    return Run(data["environment"], [_case(case) for case in data["cases"]])


def _case(data: dict[str, Any]) -> CaseResult:
    peers = {
        name: PeerResult(peer["status"], peer["reason"], [Sample(**sample) for sample in peer["samples"]])
        for name, peer in data["peers"].items()
    }
    bars = [Bar(**{**bar, "against": tuple(bar["against"])}) for bar in data["bars"]]
    return CaseResult(**{**data, "peers": peers, "bars": bars})
