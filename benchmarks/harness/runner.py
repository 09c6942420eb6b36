"""Runs one case: peers alternate within every repetition, in rotated order, each in its own process.

No statistics and no printing here.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Protocol

from . import process
from .case import Case, Work
from .clocks import Sample
from .correctness import difference
from .peers import PEERS, Missing
from .process import PeerFailed, PeerProcess
from .program import ProgramFailed
from .results import CaseResult, PeerResult
from .stage import Stage
from .stage_postgres import PostgresStage
from .worker import Assignment


class Watcher(Protocol):
    """Told about progress; see progress.py."""

    def begin(self, case: Case, steps: int) -> None: ...

    def step(self, text: str) -> None: ...


@dataclasses.dataclass
class Options:
    """How a case is run; None takes the case's own number."""

    quick: bool = False
    repetitions: int | None = None
    loop: str = "asyncio"
    peers: tuple[str, ...] | None = None

    def repetitions_of(self, case: Case) -> int:
        return self.repetitions or (case.quick_repetitions if self.quick else case.repetitions)


def order_of(peers: list[str], repetition: int) -> list[str]:
    """Rotated by one per repetition; every second round of rotations runs backwards, so neighbours change too."""
    if not peers:
        return []
    turn, start = divmod(repetition, len(peers))
    rotated = peers[start:] + peers[:start]
    return rotated[::-1] if turn % 2 else rotated


class _CaseRun:
    def __init__(self, case: Case, stage: Stage | PostgresStage | None, options: Options) -> None:
        self.case, self.stage, self.options = case, stage, options
        names = [name for name in case.peers if options.peers is None or name in options.peers]
        self.result = CaseResult(
            name=case.name,
            question=case.question,
            unit=case.unit,
            count=case.count or 0,
            peers={name: PeerResult() for name in names},
            bars=list(case.bars_on(options.loop)),
            loop=options.loop,
            started=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        )
        self.processes: dict[str, PeerProcess] = {}
        self.reference: dict[str, Any] | None = None
        self.token = 0

    def live(self) -> list[str]:
        """Peers still in the run; those of ours come last, so that an incumbent sets count and reference."""
        names = [name for name, peer in self.result.peers.items() if peer.status == "measured"]
        return sorted(names, key=lambda name: (PEERS[name].ours, PEERS[name].kind == "native"))

    def start(self, name: str) -> bool:
        assignment = Assignment(self.case.name, name, loop=self.options.loop)
        if self.stage is not None:
            assignment.uri, assignment.database = self.stage.uri, self.stage.name
            assignment.server_pid = self.stage.server_pid
        try:
            self.processes[name] = process.start(PEERS[name], self.case, assignment)
            return True
        except Missing as error:
            self.result.peers[name].reject("missing", str(error))
        except PeerFailed as error:
            self.result.peers[name].reject("failed", str(error))
        return False

    def stop(self, name: str) -> None:
        peer = self.processes.pop(name, None)
        if peer is not None:
            peer.close()

    def one(self, name: str, count: int, thorough: bool) -> tuple[Sample, dict[str, Any]] | None:
        """One run of one peer; None when it failed and is out."""
        self.token += 1
        work = Work(count, self.token, thorough)
        if name not in self.processes and not self.start(name):
            return None
        if self.stage is not None:
            self.case.before(self.stage, work)
        try:
            sample, outcome = self.processes[name].run(work)
            if self.stage is not None:
                outcome = {**outcome, **self.case.after(self.stage, PEERS[name], work)}
        except (PeerFailed, ProgramFailed) as error:
            self.result.peers[name].reject("failed", str(error))
            self.stop(name)
            return None
        finally:
            if self.case.fresh_process:
                self.stop(name)
        expected = self.case.expected(work)
        if expected is None:
            if thorough and self.reference is None:
                self.reference = outcome
            expected = self.reference
        # Without an expectation the warm-up repetition makes the reference; calibration before it compares nothing.
        wrong = difference(outcome, expected) if expected is not None else ""
        if wrong:
            self.result.peers[name].reject("incorrect", wrong)
            self.stop(name)
            return None
        if thorough:
            self.result.outcome = outcome
        return sample, outcome

    def calibrate(self) -> int:
        """The count that keeps the first incumbent and the server busy for about ``target_seconds`` in all.

        Busy is CPU, not wall: under load wall would choose a count so small that every run starts cold.
        """
        case = self.case
        target = case.target_seconds * (0.5 if self.options.quick else 1.0)
        count = case.count_multiple
        for name in self.live():
            while (done := self.one(name, count, thorough=False)) is not None:
                busy = max(done[0].cpu_ns + (done[0].server_ns or 0), 1) / 1e9
                if busy >= target / 4 or count >= case.count_limit:
                    wanted = int(count * target / busy)
                    rounded = max(wanted // case.count_multiple, 1) * case.count_multiple
                    return min(rounded, case.count_limit)
                count = min(count * 4, case.count_limit)
        return count


def run_case(case: Case, stage: Stage | PostgresStage | None, options: Options, watcher: Watcher) -> CaseResult:
    """Run ``case`` and return what was measured; on Ctrl-C what was measured so far, marked as interrupted.

    One warm-up repetition is dropped. It and the last repetition check contents thoroughly, the others the cheap
    parts of the outcome. A peer that is missing, fails or is incorrect once has no figure in the result.
    """
    run = _CaseRun(case, stage, options)
    repetitions = options.repetitions_of(case)
    try:
        watcher.begin(case, len(run.result.peers) * (repetitions + 1))
        if stage is not None:
            case.prepare(stage)
        if not case.fresh_process:
            for name in run.live():
                run.start(name)
        count = case.count if case.count is not None else run.calibrate()
        run.result.count = count
        run.reference = None
        for repetition in range(-1, repetitions):
            warm_up = repetition < 0
            names = run.live() if warm_up else order_of(run.live(), repetition)
            for name in names:
                watcher.step(name)
                done = run.one(name, count, thorough=warm_up or repetition == repetitions - 1)
                if done is not None and not warm_up:
                    run.result.peers[name].samples.append(done[0])
    except KeyboardInterrupt:
        run.result.interrupted = True
    finally:
        for name in list(run.processes):
            run.stop(name)
    return run.result
