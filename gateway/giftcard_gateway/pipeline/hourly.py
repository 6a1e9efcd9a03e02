"""What a gateway does to its journal once an hour: erases card numbers, and purges what is old.

Every process of a gateway does it; what one has done the others do not find.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from giftcard_gateway.errors import OperatorError
from giftcard_gateway.journal.contract import JournalClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.ledger.observer import Observer

_EVERY_S = 3600.0
_BATCH = 200
_BREATH_S = 0.2
"""Between batches: calls come first."""
_MOST_UNTOLD = 10_000
"""Rows and events: about as many can be deleted without a word when the process is killed."""
_MOST_AHEAD = timedelta(hours=1)


class ClockAhead(OperatorError):
    """By a clock so far ahead of the journal's what is young looks old; the text says how far."""


async def must_not_be_ahead(journal: Journal, clock: Clock) -> None:
    """Raise ClockAhead for a clock more than an hour ahead of the journal's, if that has one.

    By a clock that is years ahead a whole history is old, and its ids are new again once it is gone.
    """
    there = await journal.now()
    if there is not None and (ahead := clock.now() - there) > _MOST_AHEAD:
        raise ClockAhead(
            f"this machine's clock is {ahead} ahead of the journal's: nothing is erased or purged by it"
        )


async def every_hour(
    passes: Mapping[str, Callable[[], Awaitable[None]]], clock: Clock, observer: Observer
) -> None:
    """Do each of `passes`, by its name, now and every hour from now, until cancelled."""
    while True:
        for name, one in passes.items():
            try:
                await one()
            except JournalClosed:
                pass
            except Exception as fault:  # noqa: BLE001 - whatever fails, it must be tried again
                observer.faulted(name, fault)
        await clock.sleep(_EVERY_S)


async def purge(journal: Journal, before: datetime, clock: Clock, gone: Callable[[int], None]) -> None:
    """Delete what finished before a time: whole spans at once where the journal has them, then in batches.

    `gone` hears how many rows and events that was, now and then and when it ends, also if it is cut short:
    the audit has what was deleted though the journal went away over it, or the process was told to stop.
    """
    count = 0
    before = await journal.drop(before=before)
    try:
        while done := await journal.purge(before=before, limit=_BATCH):
            count += done
            if count >= _MOST_UNTOLD:
                gone(count)
                count = 0
            await clock.sleep(_BREATH_S)
    finally:
        gone(count)
