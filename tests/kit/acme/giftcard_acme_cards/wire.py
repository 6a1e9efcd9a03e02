"""The JSON objects of AcmeCards, as msgspec structs."""

from __future__ import annotations

import msgspec

from giftcard_adapters.codec import reveal_hook
from giftcard_adapters.values.secret import Secret


class Redemption(msgspec.Struct, frozen=True):
    """An amount to hold on a card."""

    id: str
    card: Secret
    cents: int
    currency: str


class Settling(msgspec.Struct, frozen=True, omit_defaults=True):
    """What settles or releases a hold."""

    advice: str
    cents: int | None = None
    """Left out, the whole hold is settled."""


class Hold(msgspec.Struct, frozen=True):
    """A hold, and what is left on the card."""

    id: str
    state: str
    cents: int
    currency: str
    left_cents: int


class AcmeCard(msgspec.Struct, frozen=True):
    """A card; `held_cents` are part of `cents`."""

    state: str
    cents: int
    held_cents: int
    currency: str


class Refusal(msgspec.Struct, frozen=True):
    """The body of every error."""

    code: str
    message: str = ""


encode = msgspec.json.Encoder(enc_hook=reveal_hook).encode
"""Writes a request, secrets in clear."""

HOLD = msgspec.json.Decoder(Hold)
ACME_CARD = msgspec.json.Decoder(AcmeCard)
REFUSAL = msgspec.json.Decoder(Refusal)
