"""Rule 8: a duplicate is taken as done, whenever its first copy came."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.traits import OperationTraits
from giftcard_gateway.ledger import settling
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.ledger.settling import Judgement


def apply(patch: pytest.MonkeyPatch) -> None:
    """Hear DONE where the provider only said that it had seen the advice."""
    judge = settling.judge

    def believe(
        entry: Entry, told: Acknowledgement, traits: OperationTraits, wait: timedelta, at: datetime
    ) -> Judgement:
        if told.receipt is Receipt.DUPLICATE:
            told = msgspec.structs.replace(told, receipt=Receipt.DONE)
        return judge(entry, told, traits, wait, at)

    patch.setattr(settling, "judge", believe)
