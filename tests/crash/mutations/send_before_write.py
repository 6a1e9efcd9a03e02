"""Rule 2: the request goes out before its intent is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.pipeline.driver import Driver


def apply(patch: pytest.MonkeyPatch) -> None:
    """Send first, write then."""

    async def send_then_open(
        self: Driver,
        entry: Entry,
        opening: Callable[[Entry], Awaitable[Entry | None]],
        opened: asyncio.Future[Entry | None],
    ) -> Entry:
        task = self.drive(entry)
        await asyncio.sleep(0.001)
        opened.set_result(await opening(entry))
        return await task

    patch.setattr(Driver, "_begin", send_then_open)
