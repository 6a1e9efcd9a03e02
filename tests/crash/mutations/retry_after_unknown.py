"""Rule 3: a request without an answer is sent again where the provider promises no idempotency."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from giftcard_adapters.values.traits import Ending, OperationTraits
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry


def apply(patch: pytest.MonkeyPatch) -> None:
    """End every unknown by sending the same again for a few minutes."""
    ending = lifecycle.ending

    def send_again(entry: Entry, traits: OperationTraits, at: datetime) -> Ending:
        is_young = at - entry.created_at < timedelta(minutes=5)
        return Ending.RESEND if is_young else ending(entry, traits, at)

    patch.setattr(lifecycle, "ending", send_again)
