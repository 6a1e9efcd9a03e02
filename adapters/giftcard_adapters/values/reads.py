"""What can be asked of a provider without moving money, and what it tells of cards, vault and reports.

Values only. Money operations and their outcomes are in `operations` and `outcomes`.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.money import LedgerIndicator, Money
from giftcard_adapters.values.outcomes import Balances, Outcome
from giftcard_adapters.values.point_of_sale import (
    AccountType,
    Buyer,
    CardHolder,
    Institution,
    PointOfSale,
    Product,
    ThirdPartyIdentifier,
)
from giftcard_adapters.values.points import PointBalances
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.slips import Slip


class CardState(StrEnum):
    """The state of a card, as a provider tells it."""

    INACTIVE = "INACTIVE"
    ACTIVE = "ACTIVE"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"
    BLOCKED = "BLOCKED"
    VOIDED = "VOIDED"
    PENDING = "PENDING"
    FAILED = "FAILED"


class Lookup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ask for everything the provider tells of a card, or of the card of a card holder.

    `lookup_id` (a v4 UUID) and `asked_at` come from the gateway, for providers that want them.
    """

    lookup_id: str
    asked_at: datetime
    card: CardRef | None = None
    card_holder: CardHolder | None = None
    point_of_sale: PointOfSale | None = None
    third_party_identifiers: tuple[ThirdPartyIdentifier, ...] = ()
    system_trace_number: str = ""
    retrieval_reference: str = ""
    basket_reference: str = ""
    transaction_type: str = ""
    source_account: AccountType | None = None
    destination_account: AccountType | None = None


class Club(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A club or marketing attribute the card holder has."""

    name: str
    description: str = ""
    is_member: bool = False
    may_be_marketed_to: bool = False
    products: tuple[Product, ...] = ()


class CardEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event in a card's history, as the provider tells it."""

    name: str
    at: datetime | None = None
    amount: Money | None = None
    reference: str = ""


class CardView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a provider tells of a card; whatever it does not tell is left out."""

    masked_card: str
    state: CardState | None = None
    balances: Balances = Balances()
    provider_card_id: str = ""
    provider_state: str = ""
    """The provider's own word for the state."""
    expires_at: datetime | None = None
    expiry: str = ""
    """`YYMM`, where that is all the provider tells."""
    product: Product | None = None
    points: PointBalances | None = None
    clubs: tuple[Club, ...] = ()
    marketing_attributes: tuple[Club, ...] = ()
    card_holder: CardHolder | None = None
    history: tuple[CardEvent, ...] = ()
    references: dict[str, str] = {}
    additional_amounts: dict[str, Money] = {}
    slip: Slip | None = None
    third_party_identifiers: tuple[ThirdPartyIdentifier, ...] = ()
    receiver: Institution | None = None
    settlement_entity: Institution | None = None
    fee: Money | None = None
    approved: Money | None = None
    point_of_sale: PointOfSale | None = None
    """How the card was read and in what circumstances, as the provider understood it."""
    rank: str = ""
    ledger_indicators: dict[str, LedgerIndicator] = {}
    """By the amount's name in the contract, such as `fee_amount`, or the additional amount's own."""


class StoreCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Put a card into the provider's vault, for a buyer where one is named."""

    card: CardRef
    buyer: Buyer | None = None


class StoredCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card in a provider's vault: never its number or PIN."""

    stored_card_id: str
    masked_card: str
    buyer: Buyer | None = None
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_used_at: datetime | None = None
    customer_last_used_at: datetime | None = None
    usage_count: int | None = None
    customer_usage_count: int | None = None
    state: CardState | None = None
    amount: Money | None = None
    """The face value, where the provider tells."""
    balances: Balances | None = None
    balance_error: Decline | None = None
    provider_service: str = ""


class StoredCardQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which stored cards to list; `with_balances` asks for a buyer's cards and their balances at once."""

    buyer: Buyer | None = None
    with_balances: bool = False
    order_by: str = ""
    """`last_use_time`, `usage_count`, `customer_last_use_time` or `customer_usage_count`; or nothing."""
    descending: bool = False
    page_size: int = 0
    page_token: str = ""


class StoredCardPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page of a vault; an empty `next_page_token` is the last."""

    cards: tuple[StoredCard, ...] = ()
    next_page_token: str = ""


class Template(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A design cards can be issued with."""

    template_id: str
    titles: dict[str, str] = {}
    """By language, such as `en`; an unnamed language is the empty key."""
    image_url: str = ""
    kind: str = ""
    provider_state: str = ""


class Offer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something cards can be bought of."""

    offer_id: str
    name: str = ""
    offer_type: str = ""
    code_type: str = ""
    usage_location: str = ""
    price: Money | None = None
    minimum: Money | None = None
    maximum: Money | None = None
    is_active: bool = True


class OfferSync(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a synchronisation of offers."""

    offers: tuple[Offer, ...] = ()
    created: int = 0
    updated: int = 0
    removed: int = 0


class AccountQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which accounts to extract, and as what."""

    from_day: date | None = None
    to_day: date | None = None
    currency: str = ""
    account_ids: tuple[str, ...] = ()
    mandate_type: str = ""
    export_format: str = ""


class AccountRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One account of an extract."""

    account_id: str
    name: str = ""
    balance: Money | None = None
    mandate_type: str = ""
    contact_name: str = ""
    contact_email: str = ""


class AccountsExtract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The accounts, and the export file they can be downloaded as."""

    accounts: tuple[AccountRow, ...] = ()
    export_id: str = ""
    is_ready: bool = True


class ExportFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of an export before its bytes come; `size` in bytes, None where untold."""

    file_name: str = ""
    content_type: str = ""
    size: int | None = None


class TicketQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which tickets to count."""

    from_day: date | None = None
    to_day: date | None = None
    is_consumed: bool | None = None
    offer_id: str = ""


class TicketStatistics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many tickets there are, and what they are worth."""

    issued: int
    consumed: int
    issued_value: Decimal | None = None
    consumed_value: Decimal | None = None
    currency: str = ""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An event as received: header names in lower case, the exact raw body, and the time of arrival."""

    headers: dict[str, str]
    body: bytes
    received_at: datetime

    def __repr__(self) -> str:
        """Show no header and no body: both can hold secrets."""
        return f"Webhook({len(self.body)} bytes)"


class ProviderEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event that a provider sent.

    `event_id` is the same for every delivery of the same event. `transaction_id`, `references` and
    `issued_cards` in `outcome` say which transaction it speaks of, where it says so at all.
    """

    event_id: str
    name: str
    occurred_at: datetime | None = None
    transaction_id: str = ""
    """Our own id, where the provider echoes it."""
    references: dict[str, str] = {}
    """The provider's ids; the event is about the transaction that has one of them."""
    outcome: Outcome | None = None
    """The outcome of that transaction, if the event proves one."""
    attributes: dict[str, str] = {}
    """Facts of the event without card data."""
    secrets: dict[str, Secret] = {}


class WebhookReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The response a provider expects once its event is stored."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b"{}"
