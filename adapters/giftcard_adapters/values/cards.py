"""How a caller names a card, and the PIN that goes with it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from giftcard_adapters.values.secret import Secret


class PinBlockFormat(StrEnum):
    """ISO 9564 PIN block formats."""

    ISO_0 = "ISO_0"
    ISO_1 = "ISO_1"
    ISO_3 = "ISO_3"


class ClearPin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="clear"):
    """A PIN as the customer typed it."""

    pin: Secret


class EncryptedPin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="encrypted"):
    """A PIN block, with what the provider needs to open it.

    An ISO 9564 block has 16 hexadecimal digits; some providers have blocks of 8 of their own.
    """

    block: Secret
    block_format: PinBlockFormat | None = None
    account_number: Secret | None = None
    key_index: int | None = None


class HashedPin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="hashed"):
    """A hash of the PIN in upper-case hexadecimal; `algorithm` is the name agreed with the provider."""

    digest: Secret
    algorithm: str = ""


Pin = ClearPin | EncryptedPin | HashedPin


class ErasedCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is left of a number or redemption key that was erased: how it is shown, and a keyed hash of it."""

    masked: str
    key_id: str
    """The hash key that `digest` was made with."""
    digest: bytes


class CardRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card, named by exactly one of number, redemption key, stored-card id or provider card id."""

    number: Secret | None = None
    redemption_key: Secret | None = None
    stored_card_id: str = ""
    provider_card_id: str = ""
    expiry: str = ""
    """`YYMM`, as printed on the card."""
    pin: Pin | None = None
    rank: str = ""
    erased: ErasedCard | None = None
    """In the place of a number or redemption key that the journal no longer has; callers never name it."""

    def masked(self) -> str:
        """Return what logs, answers and errors may show of the card."""
        if self.number is not None:
            return self.number.masked_number()
        if self.redemption_key is not None:
            return self.redemption_key.masked_key()
        if self.erased is not None:
            return self.erased.masked
        return self.stored_card_id or self.provider_card_id
