"""The checks of a request: card states, refusals, and a function for each check.

Which operation is checked for what, and in which order, is in `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from giftcard_simulators.bank import BankCard
from giftcard_simulators.currencies import numeric_code
from giftcard_simulators.electrum import messages, values


class CardStage(StrEnum):
    """The states of a card."""

    NEW = "NEW"
    ACTIVATED = "ACTIVATED"
    ACTIVATED_CONFIRMED = "ACTIVATED_CONFIRMED"
    VOIDED = "VOIDED"
    VOIDED_CONFIRMED = "VOIDED_CONFIRMED"


class RequestState(StrEnum):
    """The states of a financial request."""

    REQUESTED = "REQUESTED"
    CONFIRMED = "CONFIRMED"
    REVERSED = "REVERSED"
    DECLINED = "DECLINED"


class Refusal(StrEnum):
    """The error types this simulator gives; the interface documents a few more."""

    DUPLICATE_RECORD = "DUPLICATE_RECORD"
    FORMAT_ERROR = "FORMAT_ERROR"
    GENERAL_ERROR = "GENERAL_ERROR"
    INVALID_AMOUNT = "INVALID_AMOUNT"
    TRANSACTION_NOT_SUPPORTED = "TRANSACTION_NOT_SUPPORTED"
    UNABLE_TO_LOCATE_RECORD = "UNABLE_TO_LOCATE_RECORD"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    INVALID_PRODUCT = "INVALID_PRODUCT"
    CARD_NOT_ACTIVATED = "CARD_NOT_ACTIVATED"
    CARD_ACTIVATED = "CARD_ACTIVATED"
    CARD_VOIDED = "CARD_VOIDED"
    CARD_BLOCKED = "CARD_BLOCKED"
    CARD_DELETED = "CARD_DELETED"
    FUNCTION_NOT_SUPPORTED = "FUNCTION_NOT_SUPPORTED"
    ROUTING_ERROR = "ROUTING_ERROR"
    FUNCTION_BLOCKED_FOR_CARD_RANK = "FUNCTION_BLOCKED_FOR_CARD_RANK"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    INVALID_CARD_NUMBER = "INVALID_CARD_NUMBER"
    CARD_EXPIRED = "CARD_EXPIRED"
    INCORRECT_PIN = "INCORRECT_PIN"
    TEMPORARY_FAILURE = "TEMPORARY_FAILURE"
    DO_NOT_HONOUR = "DO_NOT_HONOUR"
    PIN_ATTEMPTS_EXCEEDED = "PIN_ATTEMPTS_EXCEEDED"


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One card's states in an operation: the one it must be in, and the ones it is put in."""

    needed: CardStage
    asked: CardStage
    confirmed: CardStage
    undone: CardStage


class CheckedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request with the cards it names, in the order of the operation's roles."""

    request: messages.MoneyRequest
    shown: tuple[values.PresentedCard, ...]
    cards: tuple[BankCard, ...]
    courses: tuple[Course, ...]
    at: datetime
    products: Mapping[str, tuple[str, int]]
    is_card_busy: Callable[[str], bool]
    """Tells whether a request on this card number is neither confirmed nor reversed."""

    @property
    def amount_minor(self) -> int:
        """The amount asked for, in minor units; zero when the request names none."""
        asked = self.request.amounts.request_amount if self.request.amounts else None
        return asked.amount if asked else 0


RequestCheck = Callable[[CheckedRequest], Refusal | None]
"""Returns what is wrong, or None."""


def is_in_state(ask: CheckedRequest) -> Refusal | None:
    """Every card must be in the state its course begins with."""
    for card, course in zip(ask.cards, ask.courses, strict=True):
        if card.state != course.needed:
            return _WRONG_STATE.get(card.state) or _NOT_FOR[course.needed]
    return None


_WRONG_STATE = {
    CardStage.VOIDED: Refusal.CARD_VOIDED,
    CardStage.VOIDED_CONFIRMED: Refusal.CARD_VOIDED,
    **{
        refusal.value: refusal
        for refusal in (
            Refusal.CARD_BLOCKED,
            Refusal.CARD_DELETED,
            Refusal.FUNCTION_BLOCKED_FOR_CARD_RANK,
            Refusal.PIN_ATTEMPTS_EXCEEDED,
            Refusal.DO_NOT_HONOUR,
            Refusal.TEMPORARY_FAILURE,
            Refusal.FUNCTION_NOT_SUPPORTED,
            Refusal.ROUTING_ERROR,
        )
    },
}
"""The refusal for a card in one of these states, whatever the operation."""

_NOT_FOR = {
    CardStage.NEW: Refusal.CARD_ACTIVATED,
    CardStage.ACTIVATED_CONFIRMED: Refusal.CARD_NOT_ACTIVATED,
}
"""The refusal for a card that is not in the needed state; an unconfirmed activation does not count."""


def has_product(ask: CheckedRequest) -> Refusal | None:
    """The product must be one we sell."""
    product = ask.request.product
    return None if product and product.id in ask.products else Refusal.INVALID_PRODUCT


def has_funds(ask: CheckedRequest) -> Refusal | None:
    """The first card must have the amount available."""
    return Refusal.INSUFFICIENT_FUNDS if ask.amount_minor > ask.cards[0].available_minor else None


def knows_pin(ask: CheckedRequest) -> Refusal | None:
    """The first card's PIN must be shown, if it has one."""
    return None if is_pin_right(ask.cards[0], ask.shown[0]) else Refusal.INCORRECT_PIN


def names_expiry(ask: CheckedRequest) -> Refusal | None:
    """An expiry date, where shown, must be the card's."""
    pairs = zip(ask.shown, ask.cards, strict=True)
    is_wrong = any(shown.expiry_date not in {None, card.expiry} for shown, card in pairs)
    return Refusal.CARD_EXPIRED if is_wrong else None


def names_expiry_of_void(ask: CheckedRequest) -> Refusal | None:
    """A void with a wrong expiry date is a general error at Electrum's test server."""
    return Refusal.GENERAL_ERROR if names_expiry(ask) else None


def is_in_date(ask: CheckedRequest) -> Refusal | None:
    """No card may be past its expiry month."""
    return Refusal.CARD_EXPIRED if any(card.expiry < f"{ask.at:%y%m}" for card in ask.cards) else None


def is_new_card_in_date(ask: CheckedRequest) -> Refusal | None:
    """The second card may not be past its expiry month; the first may be: a reason to replace it."""
    return Refusal.CARD_EXPIRED if ask.cards[1].expiry < f"{ask.at:%y%m}" else None


def is_idle(ask: CheckedRequest) -> Refusal | None:
    """The first card may have no request that still waits for its advice."""
    return Refusal.GENERAL_ERROR if ask.is_card_busy(ask.cards[0].number) else None


def has_amount(ask: CheckedRequest) -> Refusal | None:
    """There must be an amount, above zero and in the currency of every card (assumption)."""
    return takes_amount(ask) if ask.amount_minor else Refusal.INVALID_AMOUNT


def takes_amount(ask: CheckedRequest) -> Refusal | None:
    """An amount, where there is one, must not be negative, and in the currency of every card (assumption)."""
    asked = ask.request.amounts.request_amount if ask.request.amounts else None
    if asked is None:
        return None
    is_ours = all(numeric_code(card.currency) == asked.currency for card in ask.cards)
    return None if is_ours and asked.amount >= 0 else Refusal.INVALID_AMOUNT


def are_two(ask: CheckedRequest) -> Refusal | None:
    """The two cards must not be one card (assumption)."""
    return None if ask.cards[0].number != ask.cards[1].number else Refusal.INVALID_CARD_NUMBER


def are_of_one_currency(ask: CheckedRequest) -> Refusal | None:
    """Money cannot move between currencies (assumption)."""
    return None if len({card.currency for card in ask.cards}) == 1 else Refusal.TRANSACTION_NOT_SUPPORTED


def is_pin_right(card: BankCard, shown: values.PresentedCard) -> bool:
    """Tell whether the PIN shown is the card's, in whichever form it came; no PIN is a wrong one."""
    forms = {"clear": card.pin, "block": card.labels.get("pin_block"), "hash": card.labels.get("pin_hash")}
    if not any(forms.values()):
        return True
    kind, text = shown_pin(shown)
    return bool(text) and forms[kind] == text


def shown_pin(shown: values.PresentedCard) -> tuple[str, str]:
    """Return the form of the PIN shown (clear, block or hash) and its text; empty when there is none."""
    match shown.pin:
        case values.PinClear(pin=pin):
            return "clear", pin
        case values.PinEncrypted(pin_block=block):
            return "block", block.upper()
        case values.PinHashed(hash=digest):
            return "hash", digest
    return ("clear", shown.clear_pin) if shown.clear_pin else ("block", shown.encrypted_pin or "")
