"""Journal writes that were never answered, whose callers were told that nothing was accepted.

They may be in the journal all the same. Left to the sweep an intent would be ended as an unknown, at
worst by a person, and a promise be kept only when its lease ends. As long as this process lives it
knows better, and goes on from what it finds when the journal is back.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING

from giftcard_gateway.journal.contract import JournalClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Row
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.observer import Observer

_MOST = 20_000
"""Rows remembered at a time, some 20 MB; what an outage brings beyond is left to the sweep."""
_JOURNAL_RETRY_S = 0.5


class InDoubtWrites:
    """The writes of this process whose fate is unknown."""

    def __init__(self, *, records: Records, clock: Clock, observer: Observer) -> None:
        """Start with no write in doubt."""
        self._records = records
        self._clock = clock
        self._observer = observer
        self._rows: dict[bytes, tuple[Row, Callable[[], Awaitable[None]]]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, row: Row, then: Callable[[], Awaitable[None]]) -> None:
        """Call `then` if `row` turns out to be in the journal, unchanged since this process wrote it."""
        if len(self._rows) < _MOST:
            # Sealed anew each time, a row's bytes are its own.
            self._rows[row.document] = (row, then)
        if self._task is None:
            # In no call's trace: what it ends may be many calls'.
            self._task = asyncio.create_task(self._run(), context=Context())

    async def stop(self) -> None:
        """Stop; the recovery sweep ends what is still in doubt."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while self._rows:
            document, (row, then) = next(iter(self._rows.items()))
            try:
                if await self._records.holds(row):
                    await then()
            except JournalClosed:
                await self._clock.sleep(_JOURNAL_RETRY_S)
                continue
            except Exception as fault:  # noqa: BLE001 - a doubt that cannot be ended is left to the sweep
                self._observer.faulted("in_doubt", fault)
            self._rows.pop(document)
        self._task = None
