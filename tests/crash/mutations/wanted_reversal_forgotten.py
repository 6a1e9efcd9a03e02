"""Rule 9: a reversal that comes while the request is in flight is accepted and forgotten."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry, WantedReversal


def apply(patch: pytest.MonkeyPatch) -> None:
    """Write down that something was touched, not what was wanted."""

    def forget(entry: Entry, _wanted: WantedReversal, at: datetime) -> Entry:
        return msgspec.structs.replace(entry, updated_at=at)

    patch.setattr(lifecycle, "want_reversal", forget)
