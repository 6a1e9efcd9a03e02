"""The books of a simulated provider: its cards, their balances, and every effect in order.

A balance changes in `Bank.post` and nowhere else, so the opening balances plus the changes of all
effects are the balances now. The simulator decides which operation is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from giftcard_simulators.sandbox import Plain, TimeSource


class BankError(Exception):
    """A simulator tried to book an impossible effect: a defect of the simulator itself."""


class BankCard(msgspec.Struct, kw_only=True):
    """One card or account; balances in minor units of `currency`, as the provider counts them."""

    number: str
    currency: str
    state: str
    book_minor: int = 0
    available_minor: int = 0
    pin: str = ""
    expiry: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """What else this provider knows of the card, such as its product."""

    def __repr__(self) -> str:
        """Show neither number nor PIN."""
        return f"Card({self.state})"


class BalanceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one effect adds to one card's balances, in minor units; negative takes away."""

    card: str
    book_minor: int = 0
    available_minor: int = 0


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One money effect: what was done, for which of the caller's requests, and what it changed.

    `kind` is activate, load, redeem, transfer, replace, void, issue, hold, refund, ...: the request
    itself; or confirm or reverse: its second phase, with the same `transaction`. `transaction` is
    the caller's own request id as the provider saw it. `amount_minor` is what was asked for or put
    back; it is not signed.
    """

    seq: int
    at: datetime
    kind: str
    transaction: str
    cards: tuple[str, ...]
    amount_minor: int
    currency: str
    changes: tuple[BalanceChange, ...]


class Bank:
    """Cards by number, and the log of effects that only grows."""

    def __init__(self, cards: Iterable[BankCard], *, now: TimeSource) -> None:
        """Open the books with `cards` and the balances they have."""
        self._now = now
        self._cards: dict[str, BankCard] = {}
        self._opening: dict[str, tuple[int, int]] = {}
        self._effects: list[Effect] = []
        for card in cards:
            self.open(card)

    def open(self, card: BankCard) -> None:
        """Add a card; raise BankError when its number is taken."""
        if card.number in self._cards:
            raise BankError("the card number is taken")
        self._cards[card.number] = card
        self._opening[card.number] = (card.book_minor, card.available_minor)

    def find(self, number: str) -> BankCard | None:
        """Return the card with this number, or None."""
        return self._cards.get(number)

    def __iter__(self) -> Iterator[BankCard]:
        """Iterate over the cards in the order they were opened."""
        return iter(self._cards.values())

    def post(
        self,
        kind: str,
        transaction: str,
        *,
        changes: Sequence[BalanceChange],
        amount_minor: int,
        currency: str,
        at: datetime | None = None,
    ) -> Effect:
        """Book one effect and change the balances it names; all of it or, with BankError, nothing."""
        for change in changes:
            self._check(change)
        for change in changes:
            card = self._cards[change.card]
            card.book_minor += change.book_minor
            card.available_minor += change.available_minor
        effect = Effect(
            seq=len(self._effects) + 1,
            at=at or self._now(),
            kind=kind,
            transaction=transaction,
            cards=tuple(dict.fromkeys(change.card for change in changes)),
            amount_minor=amount_minor,
            currency=currency,
            changes=tuple(changes),
        )
        self._effects.append(effect)
        return effect

    def _check(self, change: BalanceChange) -> None:
        card = self._cards.get(change.card)
        if card is None:
            raise BankError("an effect names a card that is not in the books")
        if card.book_minor + change.book_minor < 0 or card.available_minor + change.available_minor < 0:
            raise BankError("an effect would leave a balance below zero")

    def cards(self) -> list[Plain]:
        """Return every card as plain data, with the balances it had when it was opened."""
        return [self._plain_card(card) for card in self]

    def effects(self) -> list[Plain]:
        """Return every effect as plain data, in order."""
        plain: list[Plain] = msgspec.json.decode(msgspec.json.encode(self._effects))
        return plain

    def _plain_card(self, card: BankCard) -> Plain:
        book_minor, available_minor = self._opening[card.number]
        return {
            **msgspec.to_builtins(card),
            "opening_book_minor": book_minor,
            "opening_available_minor": available_minor,
        }
