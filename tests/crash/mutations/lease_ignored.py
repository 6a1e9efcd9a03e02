"""Rule 14: a transaction is claimed although another hand's lease has not ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from giftcard_gateway.journal.records import Records
from giftcard_gateway.ledger.entry import Entry


def apply(patch: pytest.MonkeyPatch) -> None:
    """Claim as if it were an hour later."""
    claim = Records.claim

    async def claim_early(
        self: Records, *, now: datetime, lease_until: datetime, driver: str, limit: int
    ) -> Sequence[Entry]:
        later = now + timedelta(hours=1)
        return await claim(self, now=later, lease_until=lease_until, driver=driver, limit=limit)

    patch.setattr(Records, "claim", claim_early)
