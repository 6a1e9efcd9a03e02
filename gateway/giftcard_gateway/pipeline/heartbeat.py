"""Writes down that this process can write, and learns of times in which no gateway could (rule 10).

The sweep asks before it claims, and readiness asks every few seconds, so that a sweep with much to do is
not taken for an outage.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.ledger.grace import Outage
    from giftcard_gateway.ledger.observer import Observer

_EVERY = timedelta(seconds=2)
_SILENCE = timedelta(seconds=5)
"""No beat of any process for longer than this is an outage: one may come late by a slow disk."""


class Heartbeat:
    """The heartbeat of one process."""

    def __init__(self, journal: Journal, clock: Clock, observer: Observer) -> None:
        """Have written nothing yet."""
        self._observer = observer
        self._journal = journal
        self._clock = clock
        self.silence = _SILENCE
        self.outage: Outage | None = None
        """The last time in which no gateway could write, as of the last beat."""
        self._beat_at: datetime | None = None

    async def beat(self) -> None:
        """Beat unless that was done just now; raise JournalClosed when the journal is away."""
        now = self._clock.now()
        # A clock that was put back has not beaten just now, however far ahead it was.
        if self._beat_at is not None and timedelta() <= now - self._beat_at < _EVERY:
            return
        # Of a journal for one process, whoever starts knows that nobody has served since the last beat.
        is_alone = self._beat_at is None and not self._journal.is_shared
        silence = timedelta() if is_alone else self.silence
        outage = await self._journal.beat(now, silence=silence)
        if outage is not None and outage != self.outage:
            self._remind(outage, now)
        self.outage, self._beat_at = outage, now

    def _remind(self, outage: Outage, now: datetime) -> None:
        """Tell where the journal's last beat before an outage is older than one that this process wrote.

        Beats are durable and only grow: a copy of the journal that had not heard of it has taken its place.
        """
        if self._beat_at is not None and outage.since < self._beat_at <= now:
            self._observer.journal_forgot(outage.since, self._beat_at)
