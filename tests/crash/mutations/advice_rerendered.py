"""Rule 8: each try of an advice is made anew, under a new id, instead of sending the same bytes."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_adapters.values.advices import AdviceKind
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.pipeline.driver import Driver
from giftcard_gateway.providers.connections import Connection
from giftcard_gateway.providers.exchanges import advice_of, ask_of


def apply(patch: pytest.MonkeyPatch) -> None:
    """Write the calls again before every delivery."""
    deliver = Driver._deliver  # noqa: SLF001 -- a mutation reaches inside

    async def write_and_deliver(self: Driver, connection: Connection, entry: Entry) -> Entry:
        advice = msgspec.structs.replace(advice_of(entry), advice_id=self._clock.uuid4())
        outcome = entry.outcome or Outcome(verdict=Verdict.UNKNOWN)
        is_reversal = advice.kind is AdviceKind.REVERSAL
        write = connection.provider.reversal if is_reversal else connection.provider.confirmation
        calls = write(ask_of(entry), outcome, advice)
        return await deliver(self, connection, msgspec.structs.replace(entry, advice=advice, calls=calls))

    patch.setattr(Driver, "_deliver", write_and_deliver)
