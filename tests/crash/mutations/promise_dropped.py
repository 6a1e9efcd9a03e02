"""Rule 8: an advice is given up after a few tries."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry


def apply(patch: pytest.MonkeyPatch) -> None:
    """Owe nothing more after the third try."""
    postpone = lifecycle.postpone

    def give_up(entry: Entry, *, due_at: datetime, evidence: str, at: datetime) -> Entry:
        after = postpone(entry, due_at=due_at, evidence=evidence, at=at)
        return msgspec.structs.replace(after, due_at=None) if after.attempts >= 3 else after

    patch.setattr(lifecycle, "postpone", give_up)
