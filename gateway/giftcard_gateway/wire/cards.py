"""Cards on the wire: how a request names one, and what an answer may show of it.

What is asked about cards and what providers tell of them goes both ways here; transactions are in
`transactions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from giftcard import v1
from giftcard_adapters.values.cards import CardRef, ClearPin, EncryptedPin, HashedPin
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.outcomes import Balances, IssuedCard
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import (
    CardState,
    CardView,
    Lookup,
    StoreCard,
    StoredCard,
    StoredCardPage,
    StoredCardQuery,
)
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.wire.mapping import Convert, enum_writer, reading, writing
from giftcard_gateway.wire.own_secrets import mask_echoes
from giftcard_gateway.wire.tracks import read_track
from giftcard_gateway.wire.values import time_to

_SECRETS = ("number", "pin", "redemption_key", "redemption_url", "barcode")


def _clear_pin(pin: str) -> ClearPin:
    return ClearPin(pin=Secret(pin))


_PINS: Mapping[str, Convert] = {
    "clear_pin": _clear_pin,
    "encrypted_pin": reading(v1.EncryptedPin.DESCRIPTOR, EncryptedPin),
    "hashed_pin": reading(v1.HashedPin.DESCRIPTOR, HashedPin),
}
_AS_PIN = dict.fromkeys(_PINS, "pin")
_by_number = reading(v1.CardNumber.DESCRIPTOR, CardRef, renamed={"pan": "number", **_AS_PIN}, by_hand=_PINS)
_by_swipe = reading(v1.SwipedCard.DESCRIPTOR, CardRef, renamed=_AS_PIN, by_hand=_PINS, apart={"track"})


def _code(typed: str) -> Secret:
    """Return a gift code without the white space around it, which is never part of one."""
    return Secret(typed.strip())


_otherwise = reading(
    v1.Card.DESCRIPTOR, CardRef, by_hand={"number": _by_number, "redemption_key": _code}, apart={"swipe"}
)


def card_from(card: v1.Card) -> CardRef:
    """Return the card a request names."""
    if card.HasField("swipe"):
        number, expiry = read_track(card.swipe.track) or ("", "")
        return _by_swipe(card.swipe, number=Secret(number), expiry=expiry, rank=card.rank)
    return _by_number(card.number, rank=card.rank) if card.HasField("number") else _otherwise(card)


_lookup = reading(v1.LookupRequest.DESCRIPTOR, Lookup, by_hand={"card": card_from}, apart={"provider"})
_balance = reading(v1.BalanceRequest.DESCRIPTOR, Lookup, apart={"provider", "card"})
_store = reading(v1.StoreCardRequest.DESCRIPTOR, StoreCard, by_hand={"card": card_from}, apart={"provider"})
_stored_query = reading(v1.ListStoredCardsRequest.DESCRIPTOR, StoredCardQuery, apart={"provider", "order_by"})


def lookup_from(request: v1.LookupRequest, *, lookup_id: str, asked_at: datetime) -> Lookup:
    """Return a look-up; its provider is for routing."""
    return _lookup(request, lookup_id=lookup_id, asked_at=asked_at)


def balance_from(request: v1.BalanceRequest, *, lookup_id: str, asked_at: datetime) -> Lookup:
    """Return the look-up of a balance; its card goes beside it."""
    return _balance(request, lookup_id=lookup_id, asked_at=asked_at)


def store_from(request: v1.StoreCardRequest) -> StoreCard:
    """Return a card to store."""
    return _store(request)


def stored_query_from(request: v1.ListStoredCardsRequest) -> StoredCardQuery:
    """Return which stored cards to list; ascending unless ` desc` follows the order."""
    order, _, direction = request.order_by.partition(" ")
    return _stored_query(request, order_by=order, descending=direction == "desc")


balances_to = writing(Balances, v1.Balances)
"""Both balances."""

decline_to = writing(Decline, v1.Decline)
"""A provider's no."""

_state = enum_writer(CardState, v1.CardState.DESCRIPTOR)
_view = writing(
    CardView,
    v1.CardView,
    renamed={
        "expires_at": "expire_time",
        "references": "provider_references",
        "fee": "fee_amount",
        "approved": "approved_amount",
    },
    given={"provider"},
)


def view_to(view: CardView, *, provider: str, asked: CardRef | None = None) -> v1.CardView:
    """Return what a provider tells of a card; the number and PIN it was asked with are masked."""
    told = _view(view, provider=provider)
    mask_echoes(told, (asked,) if asked else ())
    return told


def card_balance_to(view: CardView, *, provider: str, read_at: datetime) -> v1.CardBalance:
    """Return the balances in what a provider tells of a card, read at `read_at`."""
    return v1.CardBalance(
        provider=provider,
        masked_card=view.masked_card,
        balances=balances_to(view.balances),
        state=_state(view.state) if view.state else v1.CardState.CARD_STATE_UNSPECIFIED,
        expire_time=time_to(view.expires_at) if view.expires_at else None,
        expiry=view.expiry,
        read_time=time_to(read_at),
    )


_stored = writing(
    StoredCard,
    v1.StoredCard,
    renamed={
        "expires_at": "expire_time",
        "created_at": "create_time",
        "updated_at": "update_time",
        "last_used_at": "last_use_time",
        "customer_last_used_at": "customer_last_use_time",
    },
    apart={"buyer"},
    given={"provider", "buyer_id", "buyer_external_id"},
)


def stored_to(card: StoredCard, *, provider: str) -> v1.StoredCard:
    """Return a card of a vault, never its number or PIN."""
    buyer = card.buyer or Buyer()
    return _stored(card, provider=provider, buyer_id=buyer.buyer_id, buyer_external_id=buyer.external_id)


def stored_page_to(page: StoredCardPage, *, provider: str) -> v1.ListStoredCardsResponse:
    """Return one page of a vault."""
    return v1.ListStoredCardsResponse(
        stored_cards=[stored_to(card, provider=provider) for card in page.cards],
        next_page_token=page.next_page_token,
    )


_issued = writing(
    IssuedCard,
    v1.IssuedCard,
    renamed={"expires_at": "expire_time"},
    by_hand=dict.fromkeys(_SECRETS, Secret.reveal),
    apart={"erased"},
    given={"masked_card"},
)


def has_secrets(card: v1.IssuedCard) -> bool:
    """Tell whether a new card is shown with what it can be spent by."""
    return any(getattr(card, name) for name in _SECRETS)


def issued_to(card: IssuedCard, *, reveal: bool) -> v1.IssuedCard:
    """Return a new card; its secrets only when `reveal` says that this caller may have them (rule 16)."""
    masked = CardRef(
        number=card.number,
        redemption_key=card.redemption_key,
        provider_card_id=card.provider_card_id,
        erased=card.erased,
    ).masked()
    shown = card if reveal else msgspec.structs.replace(card, **dict.fromkeys(_SECRETS))
    return _issued(shown, masked_card=masked)
