"""Blind indexes: keyed hashes that a transaction is found by, so that what was hashed need not be stored.

A card, a reference of the provider's or of the caller's, a merchant, a terminal and each label is one. Equal
things have equal hashes and nothing else can be read from them.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from giftcard_adapters.codec import pack
from giftcard_adapters.values.cards import ErasedCard
from giftcard_gateway.ledger.erasing import has_issued, is_numbered
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from giftcard_adapters.values.cards import CardRef
    from giftcard_adapters.values.operations import MoneyOperation
    from giftcard_adapters.values.outcomes import IssuedCard
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.seal import HashKey


class BlindIndexes:
    """Makes the blind indexes of what is kept and of what is looked for, under one hash key."""

    def __init__(self, key: HashKey, *, marks_numbers: bool = False) -> None:
        """`marks_numbers` has what keeps a card's number or code found by `numbered`, to erase it in time."""
        self.key_id = key.key_id
        self._key = key
        self._marks_numbers = marks_numbers
        self.numbered = key.blind_index("kept", "number")
        """What finds every transaction that was written with a number or code of a card, and still has it."""

    def card(self, card: CardRef) -> bytes:
        """Return what finds the transactions of a card."""
        if card.number is not None:
            return self._key.blind_index("number", card.number.reveal())
        if card.redemption_key is not None:
            return self._key.blind_index("key", card.redemption_key.reveal())
        if card.stored_card_id:
            return self._key.blind_index("stored", card.stored_card_id)
        return self._key.blind_index("card", card.provider_card_id)

    def remains(self, card: CardRef) -> ErasedCard:
        """Return what is left of a card's number or code: enough to know it again by, and to find it."""
        return ErasedCard(masked=card.masked(), key_id=self.key_id, digest=self.card(card))

    def kept(self, card: CardRef) -> Iterator[bytes]:
        """Return what finds a card of an entry; of one erased under another key nothing can be made."""
        if card.erased is None:
            yield self.card(card)
        else:
            yield from self._erased(card.erased)

    def _erased(self, left: ErasedCard | None) -> Iterator[bytes]:
        if left is not None and left.key_id == self.key_id:
            yield left.digest

    def shown(self, place: str, card: CardRef) -> bytes:
        """Return what tells that a card was shown at a place just so, with its PIN and expiry."""
        return self._key.blind_index("shown", f"{place}\0{pack(card).hex()}")

    def provider_reference(self, provider: str, key: str, value: str) -> bytes:
        """Return what finds the transaction that a provider gave a reference to."""
        return self._key.blind_index("reference", f"{provider}\0{key}\0{value}")

    def external_reference(self, tenant: str, reference: str) -> bytes:
        """Return what finds the transactions with a reference of the caller's."""
        return self._of(tenant, "external_reference", reference)

    def merchant(self, tenant: str, merchant_id: str) -> bytes:
        """Return what finds the transactions at a merchant."""
        return self._of(tenant, "merchant", merchant_id)

    def terminal(self, tenant: str, terminal_id: str) -> bytes:
        """Return what finds the transactions at a terminal."""
        return self._of(tenant, "terminal", terminal_id)

    def label(self, tenant: str, label: tuple[str, str]) -> bytes:
        """Return what finds the transactions with a label, its key and its value."""
        return self._of(tenant, "label", "\0".join(label))

    def _of(self, tenant: str, kind: str, text: str) -> bytes:
        """Hash what callers name freely apart for each tenant: one never walks through another's rows."""
        return self._key.blind_index(kind if tenant == DEFAULT_TENANT else f"{kind} of {tenant}", text)

    def issued(self, cards: Iterable[IssuedCard]) -> Iterator[bytes]:
        """Return what finds the issue of these cards, and what happens to them later."""
        for card in cards:
            if card.number is not None:
                yield self._key.blind_index("number", card.number.reveal())
            if card.redemption_key is not None:
                yield self._key.blind_index("key", card.redemption_key.reveal())
            if card.provider_card_id:
                yield self._key.blind_index("card", card.provider_card_id)
            yield from self._erased(card.erased)

    def cards_of(self, entry: Entry) -> frozenset[bytes]:
        """Return the blind index of every card an entry asked about or made."""
        asked = entry.ask.cards if entry.ask else ()
        issued = entry.outcome.issued_cards if entry.outcome else ()
        return frozenset((*chain.from_iterable(map(self.kept, asked)), *self.issued(issued)))

    def all_of(self, entry: Entry) -> Iterator[bytes]:
        """Return all that an entry is found by."""
        if entry.ask is not None:
            yield from self._asked(entry.tenant, entry.ask)
        yield from self.told_of(entry)

    def told_of(self, entry: Entry) -> Iterator[bytes]:
        """Return what an entry is found by that the provider told."""
        outcome = entry.outcome
        if outcome is None:
            return
        for key, value in outcome.references.items():
            yield self.provider_reference(entry.provider, key, value)
        yield from self.issued(outcome.issued_cards)
        if self._marks_numbers and has_issued(outcome):
            yield self.numbered

    def _asked(self, tenant: str, ask: MoneyOperation) -> Iterator[bytes]:
        cards = ask.cards
        yield from chain.from_iterable(map(self.kept, cards))
        if self._marks_numbers and any(map(is_numbered, cards)):
            yield self.numbered
        if ask.external_reference:
            yield self.external_reference(tenant, ask.external_reference)
        till = ask.point_of_sale
        if till and till.merchant and till.merchant.merchant_id:
            yield self.merchant(tenant, till.merchant.merchant_id)
        if till and till.terminal_id:
            yield self.terminal(tenant, till.terminal_id)
        for label in ask.labels.items():
            yield self.label(tenant, label)
