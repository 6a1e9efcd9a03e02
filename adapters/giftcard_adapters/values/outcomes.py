"""The outcome of a money operation at a provider."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from giftcard_adapters.values.cards import ErasedCard
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.money import LedgerIndicator, Money
from giftcard_adapters.values.point_of_sale import Institution, ThirdPartyIdentifier
from giftcard_adapters.values.points import PointBalances
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.slips import Slip


class Balances(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Both balances of a card: the book balance, and the available one that can be spent now (rule 13)."""

    book: Money | None = None
    available: Money | None = None


class ToldCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an answer tells of a card that the request named: when it expires, and its rank."""

    expiry: str = ""
    """`YYMM`, where that is all the provider tells."""
    expires_at: datetime | None = None
    rank: str = ""


class IssuedCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A new card, with whatever the provider tells of it."""

    number: Secret | None = None
    pin: Secret | None = None
    redemption_key: Secret | None = None
    redemption_url: Secret | None = None
    barcode: Secret | None = None
    provider_card_id: str = ""
    amount: Money | None = None
    expires_at: datetime | None = None
    erased: ErasedCard | None = None
    """As in a CardRef."""


class Verdict(StrEnum):
    """What a provider did with a request."""

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    """It surely had no effect."""
    UNKNOWN = "UNKNOWN"
    """It may have had an effect."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one money operation at a provider.

    An UNKNOWN outcome may carry `references` and `issued_cards` for the adapter's own `find`, such as
    those of an issue that is accepted but not yet funded.
    """

    verdict: Verdict
    approved: Money | None = None
    fee: Money | None = None
    balances: tuple[Balances, ...] = ()
    """In the order of the operation's cards; empty where the provider tells nothing."""
    additional_amounts: dict[str, Money] = {}
    ledger_indicators: dict[str, LedgerIndicator] = {}
    """By the amount's name in the contract, such as `fee_amount`, or the additional amount's own."""
    issued_cards: tuple[IssuedCard, ...] = ()
    decline: Decline | None = None
    evidence: str = ""
    """For a person, when UNKNOWN or FAILED: what was seen, without card data."""
    references: dict[str, str] = {}
    """The provider's own ids; what a reversal or a find will need."""
    third_party_identifiers: tuple[ThirdPartyIdentifier, ...] = ()
    slip: Slip | None = None
    points: PointBalances | None = None
    told_cards: tuple[ToldCard, ...] = ()
    """In the order of the operation's cards; empty where the provider tells nothing of them."""
    receiver: Institution | None = None
    settlement_entity: Institution | None = None
    left_out: tuple[str, ...] = ()
    """The places in the answer that could not be read and decide nothing (rule 19)."""
