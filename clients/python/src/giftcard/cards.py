"""Naming a card in a request, in each of the contract's four ways, without ever showing its secrets.

The message itself is `giftcard.v1.Card`; its own text shows the number, which is why this wrapper exists.
"""

from __future__ import annotations

from giftcard import v1

PinLike = str | v1.EncryptedPin | v1.HashedPin
"""A PIN as the customer typed it, as a PIN pad encrypted it, or hashed."""

_SHOWN = 4


def _put_pin(holder: v1.CardNumber | v1.SwipedCard, pin: PinLike | None) -> None:
    if isinstance(pin, v1.EncryptedPin):
        holder.encrypted_pin.CopyFrom(pin)
    elif isinstance(pin, v1.HashedPin):
        holder.hashed_pin.CopyFrom(pin)
    elif pin is not None:
        holder.clear_pin = _text("pin", pin)


class Card:
    """A card, named in one of five ways; its text never shows more than a number's last four digits."""

    __slots__ = ("_message", "_shown")

    def __init__(self, message: v1.Card, shown: str = "") -> None:
        """Wrap a message; `shown` is all that `repr` tells of it. The class methods are the easier way."""
        self._message = message
        self._shown = shown

    @classmethod
    def number(cls, pan: str, *, expiry: str = "", pin: PinLike | None = None, rank: str = "") -> Card:
        """Name a card by its number of 1 to 32 letters and digits; `expiry` is `YYMM`."""
        number = v1.CardNumber(pan=_text("pan", pan), expiry=_text("expiry", expiry))
        _put_pin(number, pin)
        # A number too short to keep most of itself hidden shows nothing.
        tail = pan[-_SHOWN:] if len(pan) >= 3 * _SHOWN else ""
        return cls(v1.Card(number=number, rank=rank), f"number ****{tail}")

    @classmethod
    def swiped(cls, track: str, *, pin: PinLike | None = None, rank: str = "") -> Card:
        """Name a card by track 1 or 2 of its magnetic stripe, as a reader gives it."""
        swipe = v1.SwipedCard(track=_text("track", track))
        _put_pin(swipe, pin)
        return cls(v1.Card(swipe=swipe, rank=rank), "swiped card")

    @classmethod
    def redemption_key(cls, key: str, *, rank: str = "") -> Card:
        """Name a card by the secret that redeems it, where there is no number."""
        return cls(v1.Card(redemption_key=_text("key", key), rank=rank), "redemption key ****")

    @classmethod
    def stored(cls, stored_card_id: str, *, rank: str = "") -> Card:
        """Name a card by its id in the provider's vault, as `store_card` returned it."""
        return cls(v1.Card(stored_card_id=_text("stored_card_id", stored_card_id), rank=rank), "stored card")

    @classmethod
    def at_provider(cls, provider_card_id: str, *, rank: str = "") -> Card:
        """Name a card by the provider's own id, as `issue` or `lookup` returned it."""
        message = v1.Card(provider_card_id=_text("provider_card_id", provider_card_id), rank=rank)
        return cls(message, "provider's card id")

    def to_message(self) -> v1.Card:
        """Return a copy as the message of the contract; for sending. Its text shows the card's secrets."""
        copy = v1.Card()
        copy.CopyFrom(self._message)
        return copy

    def __repr__(self) -> str:
        """Show how the card is named, and of a number the last four digits at most."""
        return f"Card({self._shown})"


def _text(name: str, value: object) -> str:
    """Return a text as it is, or raise TypeError without showing it: protobuf's own errors name no field."""
    if not isinstance(value, str):
        raise TypeError(f"A card's {name} is a str, not a {type(value).__name__}; leading zeros count.")
    return value
