"""Rule 7: only a part is reversed of what was never approved, so that REVERSED means two things."""

from __future__ import annotations

import pytest

from giftcard_adapters.values.advices import ReversalReason
from giftcard_gateway.ledger.entry import Entry, WantedReversal
from giftcard_gateway.pipeline.driver import Driver
from giftcard_gateway.providers.connections import Connection


def apply(patch: pytest.MonkeyPatch) -> None:
    """Reverse as much as the caller wanted."""

    def reverse_part(self: Driver, connection: Connection, entry: Entry, reason: ReversalReason) -> Entry:
        return self.promises.reversed(
            connection, entry, entry.wanted_reversal or WantedReversal(reason=reason)
        )

    patch.setattr(Driver, "_reverse_unknown", reverse_part)
