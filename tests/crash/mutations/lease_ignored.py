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
        self: Records,
        *,
        now: datetime,
        lease_until: datetime,
        driver: str,
        limit: int,
        provider: str,
        states: Sequence[str],
    ) -> Sequence[Entry]:
        return await claim(
            self,
            now=now + timedelta(hours=1),
            lease_until=lease_until,
            driver=driver,
            limit=limit,
            provider=provider,
            states=states,
        )

    patch.setattr(Records, "claim", claim_early)
