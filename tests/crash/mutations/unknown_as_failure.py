"""Rule 4: no answer is taken for a request that surely had no effect."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_adapters.values.operations import AnyOperation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.providers.connections import Connection
from giftcard_gateway.providers.exchanges import Answer, Exchanges


def apply(patch: pytest.MonkeyPatch) -> None:
    """Say that nothing happened where nobody knows."""
    request = Exchanges.request

    async def decide(self: Exchanges, connection: Connection, ask: AnyOperation) -> Answer:
        answer = await request(self, connection, ask)
        if answer.outcome.verdict is not Verdict.UNKNOWN:
            return answer
        return msgspec.structs.replace(answer, outcome=Outcome(verdict=Verdict.FAILED))

    patch.setattr(Exchanges, "request", decide)
