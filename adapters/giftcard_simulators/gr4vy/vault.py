"""The card vault: which cards are stored, for whom, and how often they were used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from giftcard_simulators.bank import BankCard
from giftcard_simulators.gr4vy.problems import Problem
from giftcard_simulators.gr4vy.service import CardService, ServiceError
from giftcard_simulators.sandbox import IdSource

_MOST_PER_BUYER = 10

BuyerIds = tuple[str, str]
"""Gr4vy's id of a buyer and the merchant's own; one of them is empty, or both."""

NOBODY: BuyerIds = ("", "")


class Stored(msgspec.Struct, kw_only=True):
    """One stored card."""

    id: str
    card: BankCard
    pin: str
    buyer: BuyerIds
    created_at: datetime
    updated_at: datetime
    usage_count: int = 0
    last_used_at: datetime | None = None


class Vault:
    """Stored cards in the order they were stored."""

    def __init__(self, service: CardService, now: Callable[[], datetime], ids: IdSource) -> None:
        """Start empty."""
        self._service = service
        self._now = now
        self._ids = ids
        self._stored: dict[str, Stored] = {}

    def store(self, number: str, pin: str, buyer: BuyerIds) -> Stored:
        """Store a card that the service knows; raise a Problem when it has it or is full."""
        try:
            card = self._service.usable_card(number, pin)
        except ServiceError as why:
            raise Problem(400, message=f"The gift card was refused: {why.code}", pointer="/number") from None
        return self.keep(card, pin, buyer)

    def keep(self, card: BankCard, pin: str, buyer: BuyerIds) -> Stored:
        """Store a card that was checked already."""
        for stored in self._stored.values():
            if stored.card.number == card.number and stored.buyer == buyer:
                raise Problem(409, code="duplicate_record", message="Stored already", resource_id=stored.id)
        if buyer != NOBODY and len(self.of(buyer)) >= _MOST_PER_BUYER:
            raise Problem(400, message="The limit of stored gift cards is reached")
        at = self._now()
        stored = Stored(id=self._ids(), card=card, pin=pin, buyer=buyer, created_at=at, updated_at=at)
        self._stored[stored.id] = stored
        return stored

    def get(self, stored_id: str) -> Stored:
        """Return a stored card; raise a Problem when there is none."""
        try:
            return self._stored[stored_id]
        except KeyError:
            raise Problem(404) from None

    def delete(self, stored_id: str) -> None:
        """Delete a stored card; the card itself stays valid."""
        self.get(stored_id)
        del self._stored[stored_id]

    def of(self, buyer: BuyerIds) -> Sequence[Stored]:
        """Return a buyer's cards; all cards for NOBODY."""
        return [stored for stored in self._stored.values() if buyer in {NOBODY, stored.buyer}]

    def sweep(self, buyer: BuyerIds) -> Sequence[Stored]:
        """Return a buyer's cards after dropping the empty and the expired ones; nothing else drops them."""
        for stored in self.of(buyer):
            if stored.card.available_minor == 0 or self._service.is_expired(stored.card):
                del self._stored[stored.id]
        return self.of(buyer)

    def count_use(self, stored_id: str) -> None:
        """Note that a stored card was redeemed."""
        stored = self._stored.get(stored_id)
        if stored is not None:
            stored.usage_count += 1
            stored.last_used_at = stored.updated_at = self._now()
