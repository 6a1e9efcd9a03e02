"""Rule 7: a transaction that was reversed is confirmed."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.access.identities import Identity
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.pipeline.transactions import Transactions


def apply(patch: pytest.MonkeyPatch) -> None:
    """Take a reversed transaction for one that waits for a decision."""
    known = Transactions._known  # noqa: SLF001 -- a mutation reaches inside

    async def forgive(self: Transactions, operation: Operation, transaction_id: str, by: Identity) -> Entry:
        entry = await known(self, operation, transaction_id, by)
        if entry.state is State.REVERSED and entry.ask is not None:
            return msgspec.structs.replace(entry, state=State.APPROVED)
        return entry

    patch.setattr(Transactions, "_known", forgive)
