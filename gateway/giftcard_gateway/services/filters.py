"""Which transactions a filter takes: what the journal can look for by index, and what is looked at after."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.journal.contract import RowQuery
from giftcard_gateway.services.pages import fingerprint
from giftcard_gateway.wire.cards import card_from
from giftcard_gateway.wire.transactions import operation_from, state_from
from giftcard_gateway.wire.values import time_from

if TYPE_CHECKING:
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.entry import Entry, State


class Filter:
    """One caller's filter, read once."""

    def __init__(self, wanted: v1.TransactionFilter, records: Records) -> None:
        self._records = records
        self._states = {state_from(state) for state in wanted.states}
        self._operations = {operation_from(operation) for operation in wanted.operations}
        self._providers = set(wanted.providers)
        self._card_index = records.card_index(card_from(wanted.card)) if wanted.HasField("card") else None
        self._merchant_id = wanted.merchant_id
        self._terminal_id = wanted.terminal_id
        self._external_reference = wanted.external_reference
        self._labels = dict(wanted.labels)
        self._from = time_from(wanted.created_from) if wanted.HasField("created_from") else None
        self._before = time_from(wanted.created_before) if wanted.HasField("created_before") else None
        self.fingerprint = self._fingerprint(wanted)

    def _fingerprint(self, wanted: v1.TransactionFilter) -> bytes:
        """Return what tells this filter from another; of a card its keyed hash, for tokens get logged."""
        shown = v1.TransactionFilter()
        shown.CopyFrom(wanted)
        shown.ClearField("card")
        return fingerprint(shown.SerializeToString(deterministic=True), self._card_index or b"")

    def query(self, *, after: tuple[datetime, str] | None, limit: int) -> RowQuery:
        """Return what the journal can look for by itself."""
        return RowQuery(
            states=tuple(sorted(self._states)) or None,
            operations=tuple(sorted(self._operations)) or None,
            provider=next(iter(self._providers)) if len(self._providers) == 1 else None,
            blind_index=self._card_index,
            created_from=self._from,
            created_before=self._before,
            after=after,
            limit=limit,
        )

    def takes(self, entry: Entry, *, state: State | None = None) -> bool:
        """Tell whether every condition holds of `entry`, taken as it was in `state` if one is given."""
        return (
            (not self._states or (state or entry.state) in self._states)
            and (not self._operations or entry.operation in self._operations)
            and (not self._providers or entry.provider in self._providers)
            and (self._from is None or entry.created_at >= self._from)
            and (self._before is None or entry.created_at < self._before)
            and self._takes_ask(entry)
            and (self._card_index is None or self._card_index in self._records.card_indexes(entry))
        )

    def _takes_ask(self, entry: Entry) -> bool:
        if not (self._merchant_id or self._terminal_id or self._external_reference or self._labels):
            return True
        ask = entry.ask
        if ask is None:
            return False
        till = ask.point_of_sale
        merchant_id = till.merchant.merchant_id if till and till.merchant else ""
        return (
            self._merchant_id in {"", merchant_id}
            and self._terminal_id in {"", till.terminal_id if till else ""}
            and self._external_reference in {"", ask.external_reference}
            and self._labels.items() <= ask.labels.items()
        )
