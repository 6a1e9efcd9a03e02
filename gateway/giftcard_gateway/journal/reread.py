"""Keeps in step with something small that the journal keeps and any process may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.journal.contract import JournalClosed

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable

    from giftcard_gateway.clock import Clock

EVERY_S = 1.0
"""How soon every process knows what one has written."""


async def keep_reading(
    read: Callable[[], Awaitable[None]], clock: Clock, log: logging.Logger, what: str
) -> None:
    """Read again and again until cancelled; while the journal is away all stays as it was."""
    while True:
        await try_to_read(read, log, what)
        await clock.sleep(EVERY_S)


async def try_to_read(read: Callable[[], Awaitable[None]], log: logging.Logger, what: str) -> None:
    """Read once; whatever fails, it is read again later."""
    try:
        await read()
    except JournalClosed:
        pass
    except Exception as fault:  # noqa: BLE001 - whatever fails, what was changed must come to be known
        log.warning("%s cannot be read", what, extra={"error_type": type(fault).__qualname__})
