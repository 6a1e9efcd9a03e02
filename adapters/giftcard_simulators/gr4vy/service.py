"""The connector `mock-gift-card`: a gift card service whose answers the digits of the PIN choose.

The first digit says how it ends: 0 well, 1 validation error, 2 server error, 3 client error; the
digits after it pick the code. A card not seen before opens with the PIN read as a number of minor
units. Unlike Gr4vy's own mock ours remembers: balances go down, and a card keeps its PIN.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from giftcard_simulators.bank import BalanceChange, Bank, BankCard
from giftcard_simulators.gr4vy.books import CURRENCY, EXPIRY

CODES = (
    "invalid_gift_card",
    "expired_card",
    "inactive_card",
    "invalid_service_credentials",
    "invalid_amount",
    "incorrect_currency",
    "insufficient_funds",
    "invalid_service_configuration",
    "operation_canceled",
    "service_error",
    "service_network_error",
    "unknown_error",
)
"""In the order of the digits that pick them, from 0000."""

_KINDS = {"1": "validation", "2": "server", "3": "client"}
_CODE_DIGITS = 4


class ServiceError(Exception):
    """The service said no; `kind` is validation, server or client."""

    def __init__(self, code: str, kind: str = "client") -> None:
        """Keep the code Gr4vy passes on."""
        super().__init__(code)
        self.code = code
        self.kind = kind

    @property
    def raw_code(self) -> str:
        """The service's own code for the error."""
        return f"mock_{self.kind}"

    @property
    def raw_message(self) -> str:
        """The service's own text for the error."""
        return f"Mock {self.kind} error: {self.code}"


def obey_pin(pin: str) -> None:
    """Raise the error a PIN asks for; none when its first digit is 0."""
    if pin[:1] == "0":
        return
    digits = pin[1:]
    place = int(digits) if len(digits) == _CODE_DIGITS and digits.isdigit() else len(CODES)
    code = CODES[place] if place < len(CODES) else "unknown_error"
    raise ServiceError(code, _KINDS.get(pin[:1], "client"))


def obey_amount(amount_minor: int) -> None:
    """Raise the error a refund's amount asks for by its last digit."""
    kind = _KINDS.get(str(amount_minor)[-1])
    if kind is not None:
        raise ServiceError("service_error" if kind == "server" else "unknown_error", kind)


class CardService:
    """The service behind Gr4vy: checks cards and moves their money in the bank."""

    def __init__(self, bank: Bank, now: Callable[[], datetime]) -> None:
        """Keep the books and the clock."""
        self._bank = bank
        self._now = now

    def card(self, number: str, pin: str) -> BankCard:
        """Return the card behind number and PIN; raise ServiceError unless they belong together."""
        obey_pin(pin)
        card = self._bank.find(number)
        if card is None:
            return self._open(number, pin)
        if card.pin and card.pin != pin:
            raise ServiceError("invalid_gift_card")
        return card

    def usable_card(self, number: str, pin: str) -> BankCard:
        """Return a card that is active and not expired; raise ServiceError otherwise."""
        card = self.card(number, pin)
        if self.is_expired(card):
            raise ServiceError("expired_card")
        if card.state != "active":
            raise ServiceError("inactive_card")
        return card

    def is_expired(self, card: BankCard) -> bool:
        """Tell whether a card is expired."""
        return datetime.fromisoformat(card.expiry) <= self._now()

    def redeem(self, card: BankCard, amount_minor: int, currency: str, transaction: str) -> None:
        """Take money from a card; raise ServiceError when it holds too little or another currency."""
        if card.currency != currency:
            raise ServiceError("incorrect_currency")
        if card.available_minor < amount_minor:
            raise ServiceError("insufficient_funds")
        self._post("redeem", card, -amount_minor, transaction)

    def put_back(self, card: BankCard, amount_minor: int, transaction: str) -> None:
        """Put money back on a card; the last digit of the amount decides whether that fails."""
        obey_amount(amount_minor)
        self._post("reverse", card, amount_minor, transaction)

    def revert(self, card: BankCard, amount_minor: int, transaction: str) -> None:
        """Undo a redemption of a transaction that failed on another card."""
        self._post("reverse", card, amount_minor, transaction)

    def activate(self, number: str, pin: str | None, amount_minor: int, transaction: str) -> BankCard:
        """Activate a card; raise ServiceError when it is active already."""
        if pin is not None:
            obey_pin(pin)
        card = self._bank.find(number)
        if card is None:
            card = self._add(number, pin or "", "inactive")
        elif pin is not None and card.pin and card.pin != pin:
            raise ServiceError("invalid_gift_card")
        if card.state != "inactive":
            raise ServiceError("unexpected_state")
        card.state = "active"
        self._post("activate", card, amount_minor, transaction)
        return card

    def issue(self, number: str, amount_minor: int, transaction: str) -> BankCard:
        """Make a virtual card, active at once."""
        card = self._add(number, "", "active")
        self._post("issue", card, amount_minor, transaction)
        return card

    def _open(self, number: str, pin: str) -> BankCard:
        # Its money was there before we saw it, so it is an opening balance and no effect.
        opening = int(pin) if pin.isdigit() else 0
        return self._add(number, pin, "active", opening)

    def _add(self, number: str, pin: str, state: str, opening_minor: int = 0) -> BankCard:
        card = BankCard(number=number, currency=CURRENCY, state=state, pin=pin, expiry=EXPIRY)
        card = msgspec.structs.replace(card, book_minor=opening_minor, available_minor=opening_minor)
        self._bank.open(card)
        return card

    def _post(self, kind: str, card: BankCard, change_minor: int, transaction: str) -> None:
        change = BalanceChange(card=card.number, book_minor=change_minor, available_minor=change_minor)
        self._bank.post(
            kind, transaction, changes=[change], amount_minor=abs(change_minor), currency=card.currency
        )
