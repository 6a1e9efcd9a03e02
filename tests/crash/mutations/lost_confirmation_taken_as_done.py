"""Rule 8: a confirmation of what the provider does not know is taken as done."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry, State


def apply(patch: pytest.MonkeyPatch) -> None:
    """Hear DONE where the provider said that it knows no such transaction."""
    acknowledged = lifecycle.acknowledged

    def believe(entry: Entry, receipt: Acknowledgement, at: datetime) -> Entry:
        if entry.state is State.CONFIRMING and receipt.receipt is Receipt.NO_SUCH_TRANSACTION:
            receipt = msgspec.structs.replace(receipt, receipt=Receipt.DONE)
        return acknowledged(entry, receipt, at)

    patch.setattr(lifecycle, "acknowledged", believe)
