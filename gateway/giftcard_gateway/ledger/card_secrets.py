"""The secrets of cards that are looked for in texts: what is too short is found there by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_adapters.scrub import folded
from giftcard_adapters.values.cards import CardRef, ClearPin, EncryptedPin, HashedPin, Pin
from giftcard_adapters.values.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from giftcard_adapters.values.outcomes import IssuedCard, Outcome

LONG = 8
"""Characters of the shortest number or code that is looked for; fewer are found in other ids by chance."""
_PIN = 4
"""Digits of the shortest PIN that is looked for."""


def secrets_of(cards: Iterable[CardRef]) -> tuple[Secret, ...]:
    """Return what must be found nowhere but in the cards themselves."""
    return tuple(secret for card in cards for secret in _secrets(card))


def pins_of(cards: Iterable[CardRef]) -> tuple[Secret, ...]:
    """Return the same of their PINs alone, in whatever form they came."""
    return tuple(secret for card in cards if card.pin is not None for secret in _pin(card.pin))


def issued_in(outcome: Outcome | None) -> tuple[CardRef, ...]:
    """Return the cards that an outcome made, each with all of its secrets, as cards that somebody names."""
    return tuple(one for card in (outcome.issued_cards if outcome else ()) for one in _named(card))


def _named(card: IssuedCard) -> Iterator[CardRef]:
    pin = None if card.pin is None else ClearPin(pin=card.pin)
    if card.number or card.redemption_key or pin:
        yield CardRef(number=card.number, redemption_key=card.redemption_key, pin=pin)
    for secret in (card.barcode, card.redemption_url):
        if secret is not None:
            yield CardRef(redemption_key=secret)


def text_of(pin: Pin) -> Secret:
    """Return what a PIN is sent as."""
    match pin:
        case ClearPin(pin=secret) | EncryptedPin(block=secret) | HashedPin(digest=secret):
            return secret


def _secrets(card: CardRef) -> Iterator[Secret]:
    yield from _long_enough(LONG, card.number, card.redemption_key)
    if card.pin is not None:
        yield from _pin(card.pin)


def _pin(given: Pin) -> Iterator[Secret]:
    secret = text_of(given)
    is_short = isinstance(given, ClearPin) and folded(secret.reveal()).isdecimal()
    return _long_enough(_PIN if is_short else LONG, secret)


def _long_enough(least: int, *secrets: Secret | None) -> Iterator[Secret]:
    return (secret for secret in secrets if secret is not None and len(folded(secret.reveal())) >= least)
