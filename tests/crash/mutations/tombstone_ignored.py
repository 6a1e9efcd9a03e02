"""Rule 9: a request that comes after its own reversal is sent all the same."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_adapters.values.operations import AnyOperation
from giftcard_gateway.access.identities import Identity
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.pipeline.transactions import Begun, Transactions


def apply(patch: pytest.MonkeyPatch) -> None:
    """Begin over the record of an early reversal."""
    replay = Transactions._replay  # noqa: SLF001 -- a mutation reaches inside

    async def begin_anew(
        self: Transactions, recorded: Entry, ask: AnyOperation, wait_s: float, by: Identity
    ) -> Begun:
        if recorded.ask is not None:
            return await replay(self, recorded, ask, wait_s, by)
        connection = self._connections.get(ask.provider)
        fresh = lifecycle.intend(
            ask,
            ask.provider,
            driver=self._driver.name,
            lease_until=ask.requested_at + connection.lease,
            traceparent="",
            tenant=by.tenant,
            asked_by=by.signature,
        )
        entry = await self._records.write(msgspec.structs.replace(fresh, version=recorded.version))
        if entry is None:
            return await replay(self, recorded, ask, wait_s, by)
        self._driver.drive(entry)
        return Begun(await self._waiting.settled(entry, wait_s), is_replayed=False)

    patch.setattr(Transactions, "_replay", begin_anew)
