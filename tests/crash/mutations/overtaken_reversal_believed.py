"""Rule 8: a reversal that overtook its request is taken as done."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.traits import OperationTraits
from giftcard_gateway.ledger import settling
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.settling import Judgement


def apply(patch: pytest.MonkeyPatch) -> None:
    """Hear DONE where the provider did not know the request yet."""
    judge = settling.judge

    def believe(
        entry: Entry, told: Acknowledgement, traits: OperationTraits, wait: timedelta, at: datetime
    ) -> Judgement:
        if told.receipt is Receipt.NO_SUCH_TRANSACTION and entry.state is State.REVERSING:
            told = msgspec.structs.replace(told, receipt=Receipt.DONE)
        return judge(entry, told, traits, wait, at)

    patch.setattr(settling, "judge", believe)
