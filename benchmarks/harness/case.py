"""What a case is: the question, the peers, the bars, and the few hooks a run calls. No case lives here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .bars import Bar

if TYPE_CHECKING:
    from .peers import Peer
    from .stage import Stage

MONGO_PEERS = ("pymongo", "pymongo-async", "motor", "barewire", "barewire-async", "native")


@dataclasses.dataclass
class Work:
    """One request to a peer: how often, which token marks this run, and whether to check contents thoroughly."""

    count: int
    token: int
    thorough: bool
    input: Any = None


class Case:
    """One question, asked of several peers.

    Per run the controller calls ``before``, the peer's process calls ``load`` (untimed), ``run_blocking``,
    ``run_asyncio`` or ``run_local`` (timed) and ``outcome`` (untimed); then the controller calls ``after``. The two
    outcomes together must equal ``expected``, or those of the first incumbent where a case has no expectation.
    """

    name: str
    question: str
    unit: ClassVar[str] = "call"
    peers: tuple[str, ...] = MONGO_PEERS
    bars: list[Bar] = []
    #: operations per timed run; None lets the runner choose the count that takes about target_seconds
    count: int | None = 1
    count_multiple: int = 1
    count_limit: int = 10_000
    target_seconds: float = 0.25
    repetitions: int = 15
    quick_repetitions: int = 5
    #: the kind of server it asks; None for none
    server: Literal["mongo", "postgres"] | None = "mongo"
    #: a new process for every run, so that its peak memory belongs to the run alone
    fresh_process: bool = False
    #: program in benchmarks/cpp and the operation and size it is asked for
    native: tuple[str, int] | None = None
    #: how many connections an asyncio peer of PostgreSQL gets; None: one, not in a list
    connection_count: int | None = None
    #: connections of an asyncio peer's pool
    pool_size: int = 10
    #: name of the collection or table the peers get
    collection: str = "users"

    def bars_on(self, loop: str) -> list[Bar]:
        """What is demanded when asyncio peers run on this event loop."""
        return self.bars

    # -- controller side -------------------------------------------------------------------------------------------
    def prepare(self, stage: "Stage") -> None:
        """Put the fixtures in place, once per case."""

    def before(self, stage: "Stage", work: Work) -> None:
        """Bring the server into the same state before every run."""

    def after(self, stage: "Stage", peer: "Peer", work: Work) -> dict[str, Any]:
        """What the controller sees on the server after a run, through PyMongo."""
        return {}

    def expected(self, work: Work) -> dict[str, Any] | None:
        """The only right outcome, where it can be computed; else None."""
        return None

    # -- peer side -------------------------------------------------------------------------------------------------
    def setup(self, peer: "Peer", collection: Any) -> None:
        """Once per process, after the connection is made; may raise Missing."""

    def load(self, peer: "Peer", work: Work) -> Any:
        """Build the input of one run."""
        return None

    def run_blocking(self, peer: "Peer", collection: Any, work: Work) -> Any:
        raise NotImplementedError(f"{self.name} has no blocking form")

    async def run_asyncio(self, peer: "Peer", collection: Any, work: Work) -> Any:
        raise NotImplementedError(f"{self.name} has no asyncio form")

    def run_local(self, peer: "Peer", work: Work) -> Any:
        raise NotImplementedError(f"{self.name} has no local form")

    def latencies(self, result: Any) -> list[int] | None:
        """Nanoseconds of every single operation of a run, where the case keeps them."""
        return None

    def outcome(self, peer: "Peer", work: Work, result: Any) -> dict[str, Any]:
        """What the peer produced, reduced to something that can be compared across peers."""
        return {}
