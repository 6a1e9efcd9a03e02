"""Intents whose write was not answered: the caller was told that nothing is accepted, and nothing was sent.

Such a row may be in the journal all the same. Left to the sweep it would be ended as an unknown, at
worst by a person. This process knows better for as long as it lives, and ends it as FAILED (rule 3).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from giftcard_adapters.model import Outcome, Verdict
from giftcard_gateway import lifecycle
from giftcard_gateway.journal.journal import JournalClosed

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.entry import Entry
    from giftcard_gateway.journal.journal import Row
    from giftcard_gateway.observer import Observer
    from giftcard_gateway.records import Records

_MOST = 20_000
"""Rows remembered at a time, some 20 MB; what an outage brings beyond is left to the sweep."""
_JOURNAL_RETRY_S = 0.5
_NOT_SENT = Outcome(
    verdict=Verdict.FAILED,
    evidence="the journal went away before it could say that this was written down; nothing was sent",
)


class Doubts:
    """What this process tried to write down and may have."""

    def __init__(self, *, records: Records, clock: Clock, observer: Observer) -> None:
        """Doubt nothing."""
        self._records = records
        self._clock = clock
        self._observer = observer
        self._rows: dict[bytes, tuple[Entry, Row]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, entry: Entry, row: Row) -> None:
        """Find out about `row`, the sealed `entry`, when the journal is back."""
        if len(self._rows) < _MOST:
            self._rows[row.document] = (entry, row)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leave what is still in doubt to the sweep."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while self._rows:
            document, (entry, row) = next(iter(self._rows.items()))
            try:
                await self._end(entry, row)
            except JournalClosed:
                await self._clock.sleep(_JOURNAL_RETRY_S)
                continue
            except Exception as fault:  # noqa: BLE001 - a doubt that cannot be ended is left to the sweep
                self._observer.faulted("doubts", fault)
            self._rows.pop(document)
        self._task = None

    async def _end(self, entry: Entry, row: Row) -> None:
        # Only the very row this process wrote: sealed anew each time, its bytes are its own.
        if not await self._records.holds(row):
            return
        at = self._clock.now()
        failed = lifecycle.answered(entry, _NOT_SENT, confirm_by=at, at=at)
        if await self._records.write(failed) is not None:
            self._observer.wrote(entry, failed)
