"""Watches the journal, and tells health checks and the log whether this process can accept work.

Callers are refused by the journal itself, call by call. What lives here only keeps new ones from being
sent this way while it is away, and says when that began and ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.journal.contract import JournalClosed

if TYPE_CHECKING:
    from datetime import datetime

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.pipeline.heartbeat import Heartbeat
    from giftcard_gateway.rpc.admission import Admission
    from giftcard_gateway.rpc.server import Server

_WELL_S = 2.0
"""How long the journal is trusted: asking costs it a commit, and balancers ask us no oftener."""
_AWAY_S = 0.5


class Readiness:
    """Watches the journal of one process."""

    def __init__(
        self,
        *,
        journal: Journal,
        heartbeat: Heartbeat,
        server: Server,
        admission: Admission,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Start with the journal available, since it has just been opened."""
        self._journal = journal
        self._heartbeat = heartbeat
        self._server = server
        self._admission = admission
        self._clock = clock
        self._observer = observer
        self._away_since: datetime | None = None

    @property
    def away_s(self) -> float:
        """Return for how many seconds the journal has been away, 0 while it is there."""
        since = self._away_since
        return (self._clock.now() - since).total_seconds() if since else 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._clock.sleep(_WELL_S if self._away_since is None else _AWAY_S)
            try:
                await self.look()
            except Exception as fault:  # noqa: BLE001 - whatever fails, the journal must go on being watched
                self._observer.faulted("readiness", fault)

    async def look(self) -> None:
        """Check the journal once and report a change; a process that leaves or drains stays NOT_SERVING."""
        try:
            await self._journal.check()
            await self._heartbeat.beat()
        except JournalClosed as fault:
            await self._lost(fault)
        else:
            await self._found()

    async def _lost(self, fault: JournalClosed) -> None:
        if self._away_since is None:
            self._away_since = self._clock.now()
            self._observer.journal_lost(str(fault))
            await self._server.pause()

    async def _found(self) -> None:
        if self._away_since is not None:
            self._observer.journal_found((self._clock.now() - self._away_since).total_seconds())
            self._away_since = None
            if not self._admission.is_closed:
                await self._server.serve()
