"""Rule 9: two tenants that make the same id meet at the provider, which is sent the caller's id."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.pipeline import driver
from giftcard_gateway.providers import exchanges


def apply(patch: pytest.MonkeyPatch) -> None:
    """Send every request, advice and look-up under the caller's id."""
    ask_of = exchanges.ask_of

    def with_the_callers_id(entry: Entry) -> object:
        return msgspec.structs.replace(ask_of(entry), transaction_id=entry.callers_id)

    for module in (exchanges, driver):
        if hasattr(module, "ask_of"):
            patch.setattr(module, "ask_of", with_the_callers_id)
