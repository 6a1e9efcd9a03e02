"""Which transactions a filter takes, and the one index of the journal that it is looked for along.

The journal reads along one index; the other conditions are checked on what it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.access.metadata import TENANT
from giftcard_gateway.errors import InvalidRequest
from giftcard_gateway.journal.contract import RowQuery
from giftcard_gateway.journal.indexes import BlindIndexes
from giftcard_gateway.ledger.entry import FINAL
from giftcard_gateway.services.pages import Key, fingerprint
from giftcard_gateway.wire.cards import card_from
from giftcard_gateway.wire.transactions import operation_from, state_from
from giftcard_gateway.wire.values import time_from

if TYPE_CHECKING:
    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.entry import Entry, State

ByKey = tuple[bytes, ...]
"""The blind index of one thing under each hash key."""

SERVED = frozenset(
    {
        "states",
        "operations",
        "providers",
        "card",
        "merchant_id",
        "terminal_id",
        "external_reference",
        "labels",
        "created_from",
        "created_before",
    }
)
"""The conditions that an index serves. Any other is refused by name: it could cost the whole history."""


_OF_ONE_TENANT = frozenset({"merchant_id", "terminal_id", "external_reference", "labels"})
"""The conditions whose indexes are hashed with the tenant, for callers choose what stands in them."""


class Filter:
    """One caller's filter, and what they may touch; raises InvalidRequest where no index serves."""

    def __init__(self, wanted: v1.TransactionFilter, records: Records, identity: Identity) -> None:
        unserved = sorted({field.name for field, _ in wanted.ListFields()} - SERVED)
        if unserved:
            raise InvalidRequest([(f"filter.{name}", "is served by no index") for name in unserved])
        if identity.only_tenant is None and (named := _of_one_tenant(wanted)):
            fault = f"needs one tenant in the metadata {TENANT}, because each has its own"
            raise InvalidRequest([(f"filter.{name}", fault) for name in named])
        self._lookups = records.lookups
        self._identity = identity
        asked = card_from(wanted.card) if wanted.HasField("card") else None
        self._card = self._by(lambda indexes: indexes.card(asked)) if asked else ()
        self._states = {state_from(state) for state in wanted.states}
        self._operations = {operation_from(operation) for operation in wanted.operations}
        self._providers = set(wanted.providers)
        self._merchant_id = wanted.merchant_id
        self._terminal_id = wanted.terminal_id
        self._external_reference = wanted.external_reference
        self._labels = dict(wanted.labels)
        self._from = time_from(wanted.created_from) if wanted.HasField("created_from") else None
        self._before = time_from(wanted.created_before) if wanted.HasField("created_before") else None
        self.fingerprints = self._fingerprints(wanted)
        narrow, broad = list(self._narrow()), list(self._broad())
        self._index = next(iter(narrow if narrow or self._is_open else broad), ())
        is_listed = bool(self._states or self._operations or self._providers)
        self.is_exact = len(narrow) + len(broad) + is_listed <= 1 and not identity.is_limited
        """Whether the index gives nothing that the filter does not take."""

    def _by(self, index: Callable[[BlindIndexes], bytes]) -> ByKey:
        """Make a blind index under each hash key, the active one first."""
        return tuple(map(index, self._lookups))

    def _fingerprints(self, wanted: v1.TransactionFilter) -> tuple[bytes, ...]:
        """Return what tells this filter from another; of a card its blind index, for tokens get logged.

        One for each hash key: a page may be asked for where another is active than where the last one was.
        """
        shown = v1.TransactionFilter()
        shown.CopyFrom(wanted)
        shown.ClearField("card")
        rest = shown.SerializeToString(deterministic=True)
        return tuple(fingerprint(rest, index) for index in self._card or (b"",))

    def _narrow(self) -> Iterator[ByKey]:
        """Give the blind indexes of what few transactions have."""
        tenant = self._identity.tenant
        if self._external_reference:
            reference = self._external_reference
            yield self._by(lambda indexes: indexes.external_reference(tenant, reference))
        if self._card:
            yield self._card

    def _broad(self) -> Iterator[ByKey]:
        """Give the blind indexes of what many transactions may have, the rarer first."""
        tenant = self._identity.tenant
        if self._terminal_id:
            yield self._by(lambda indexes: indexes.terminal(tenant, self._terminal_id))
        for label in sorted(self._labels.items()):
            yield self._by(partial(BlindIndexes.label, tenant=tenant, label=label))
        merchants = self._identity.merchants
        is_only = self._identity.only_tenant is not None and merchants is not None and len(merchants) == 1
        only = next(iter(merchants)) if merchants is not None and is_only else ""
        if merchant_id := self._merchant_id or only:
            yield self._by(lambda indexes: indexes.merchant(tenant, merchant_id))

    @property
    def _is_open(self) -> bool:
        """Tell whether only unfinished transactions are wanted, which are few."""
        return bool(self._states) and self._states.isdisjoint(FINAL)

    def query(self, *, after: Key | None, limit: int) -> RowQuery:
        """Return a query that reads no more than `limit` places of one index."""
        if self._index:
            return RowQuery(
                tenant=self._identity.only_tenant,
                blind_indexes=self._index,
                created_from=self._from,
                created_before=self._before,
                after=after,
                limit=limit,
            )
        return RowQuery(
            tenant=self._identity.only_tenant,
            states=tuple(sorted(self._states)) or None,
            operations=tuple(sorted(self._operations)) or None,
            providers=tuple(sorted(self._providers)) or None,
            created_from=self._from,
            created_before=self._before,
            after=after,
            limit=limit,
        )

    def takes(self, entry: Entry, *, state: State | None = None) -> bool:
        """Tell whether every condition holds of `entry`, taken as it was in `state` if one is given."""
        return (
            self._identity.may_touch(entry)
            and (not self._states or (state or entry.state) in self._states)
            and (not self._operations or entry.operation in self._operations)
            and (not self._providers or entry.provider in self._providers)
            and (self._from is None or entry.created_at >= self._from)
            and (self._before is None or entry.created_at < self._before)
            and self._takes_ask(entry)
            and (not self._card or self._card[0] in self._lookups[0].cards_of(entry))
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


def _of_one_tenant(wanted: v1.TransactionFilter) -> list[str]:
    return sorted({field.name for field, _ in wanted.ListFields()} & _OF_ONE_TENANT)
