"""Rule 2: the request goes out before its intent is durable."""

from __future__ import annotations

import asyncio

import pytest

from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.pipeline.transactions import Transactions


def apply(patch: pytest.MonkeyPatch) -> None:
    """Send first, write then."""

    async def send_then_open(self: Transactions, entry: Entry) -> Entry | None:
        self._driver.drive(entry)
        await asyncio.sleep(0.001)
        return await self._open(entry)

    patch.setattr(Transactions, "_shielded_open", send_then_open)
