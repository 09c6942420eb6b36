"""What cases on PostgreSQL have in common: one method per API, because the drivers' methods differ. No case lives here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .case import Case, Work
from .peers import POSTGRES_PEERS, Missing

if TYPE_CHECKING:
    from .peers import Peer


class PostgresCase(Case):
    """Has methods named after the ``api`` of its peers: ``psycopg(peer, connection, work)``, ``async asyncpg(...)``."""

    server = "postgres"
    peers = POSTGRES_PEERS

    def setup(self, peer: "Peer", target: Any) -> None:
        if not hasattr(self, peer.api):
            raise Missing(f"this case has no form for {peer.name}")

    def run_blocking(self, peer: "Peer", connection: Any, work: Work) -> Any:
        return getattr(self, peer.api)(peer, connection, work)

    async def run_asyncio(self, peer: "Peer", target: Any, work: Work) -> Any:
        return await getattr(self, peer.api)(peer, target, work)
