"""Rule 7: a reversal is sent and answered without being written down first."""

from __future__ import annotations

import pytest

from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.pipeline.transactions import Transactions


def apply(patch: pytest.MonkeyPatch) -> None:
    """Drive a reversal straight away."""
    write = Transactions._write  # noqa: SLF001 -- a mutation reaches inside

    async def write_or_drive(self: Transactions, before: Entry, after: Entry) -> Entry | None:
        if after.state is not State.REVERSING:
            return await write(self, before, after)
        self._driver.drive(after)
        return after

    patch.setattr(Transactions, "_write", write_or_drive)
