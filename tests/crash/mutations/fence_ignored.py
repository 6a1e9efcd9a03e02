"""Rule 14: a process that lost its lease writes over whoever has it now."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.pipeline.driver import Driver
from giftcard_gateway.pipeline.leases import LeaseLost


def apply(patch: pytest.MonkeyPatch) -> None:
    """Write on whatever stands there."""

    async def commit(self: Driver, entry: Entry, transition: Callable[[Entry], Entry]) -> Entry:
        for _ in range(3):
            written = await self._write(transition(entry))
            if written is not None:
                return written
            fresh = await self._insist(self._records.get, entry.transaction_id)
            if fresh is None:
                break
            entry = fresh
        raise LeaseLost

    patch.setattr(Driver, "_commit", commit)
