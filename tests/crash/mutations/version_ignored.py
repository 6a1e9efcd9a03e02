"""Rule 7: a decision is written over another that came in between."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_gateway.journal.records import Records
from giftcard_gateway.ledger.entry import Entry


def apply(patch: pytest.MonkeyPatch) -> None:
    """Write again over whatever version stands there."""
    write = Records.write

    async def overwrite(self: Records, entry: Entry) -> Entry | None:
        written = await write(self, entry)
        if written is not None:
            return written
        recorded = await self.get(entry.transaction_id)
        if recorded is None:
            return None
        return await write(self, msgspec.structs.replace(entry, version=recorded.version))

    patch.setattr(Records, "write", overwrite)
