"""Rule 10: an approval that nobody decides about hangs for ever."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from giftcard_adapters.values.outcomes import Outcome
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry, State


def apply(patch: pytest.MonkeyPatch) -> None:
    """Never make an approval due."""
    answered = lifecycle.answered

    def wait_for_ever(entry: Entry, outcome: Outcome, *, confirm_by: datetime, at: datetime) -> Entry:
        after = answered(entry, outcome, confirm_by=confirm_by, at=at)
        return msgspec.structs.replace(after, due_at=None) if after.state is State.APPROVED else after

    patch.setattr(lifecycle, "answered", wait_for_ever)
