"""The JSON objects of Kyzpay's JeudiMerci e-cards, as msgspec structs.

Documented on the provider's pages: ECardPurchaseRequest and its answer (PascalCase inside), the webhook
payload, the 422. A struct said to be invented has a title on those pages and no public fields.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from giftcard_adapters.lenient import Lenient
from giftcard_adapters.values.counts import Int32, Int64


class PurchaseRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """ECardPurchaseRequest: `numCards` cards of `price` each, in major units as an exact JSON number."""

    num_cards: int
    price: Decimal


class ECard(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "code": "Code",
        "cost": "ECardCost",
        "purchased": "PurchaseDate",
        "url": "ShortenedURL",
        "is_consumed": "IsFullyConsumed",
    },
):
    """One e-card; `code` is the bearer secret and `url` reveals it. No field is promised to be there."""

    code: str | None = None
    cost: Decimal | None = None
    purchased: str | None = None
    url: str | None = None
    is_consumed: bool | None = None

    def __repr__(self) -> str:
        """Show neither code nor URL."""
        return f"ECard(is_consumed={self.is_consumed})"


class ECards(msgspec.Struct, frozen=True, kw_only=True):
    """ECardPurchaseResponse."""

    eCards: tuple[ECard, ...] = ()  # noqa: N815  # the provider's own spelling, beside PascalCase items
    status: str | None = None


class ECardList(msgspec.Struct, frozen=True, kw_only=True):
    """A list of e-cards in the shape of ECardPurchaseResponse.

    The cards must be there: an object without them is somebody else's, and no empty list.
    """

    eCards: tuple[ECard, ...]  # noqa: N815  # the provider's own spelling


class FieldFault(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a 422: where, and what is wrong."""

    loc: tuple[str | int, ...] = ()
    msg: str = ""


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """An error body: HTTPValidationError with its list, or one sentence as FastAPI writes it (assumption)."""

    detail: str | tuple[FieldFault, ...] = ""

    def text(self) -> str:
        """Return the complaint as one line."""
        if isinstance(self.detail, str):
            return self.detail
        return "; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in self.detail)


class WebhookResource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The `resource` of an event: the fields of a completed purchase; a failed one's are not public."""

    operation_id: str | None = None
    offer_id: str | None = None
    amount: Decimal | None = None
    merchant_operation_id: str | None = None
    virtual_card_code: str | None = None
    pin_code: str | None = None
    bar_code: str | None = None
    expiration_date: str | None = None

    def __repr__(self) -> str:
        """Show no code and no PIN."""
        return "WebhookResource(***)"


class WebhookPayload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """WebhookPayload."""

    event_type: str
    date: str | None = None
    resource: WebhookResource


class OfferItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """KyzPayOfferDto: invented fields under the names its schemas suggest."""

    offer_id: str
    name: str = ""
    offer_type: str = ""
    code_type: str = ""
    usage_location: str = ""
    price: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    is_active: bool = True


class OfferList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Offers to synchronize, and offers listed: invented."""

    offers: tuple[OfferItem, ...] = ()


class OfferSyncAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of a synchronization: invented."""

    offers: tuple[OfferItem, ...] = ()
    created: Int32 = 0
    updated: Int32 = 0
    removed: Int32 = 0


class AccountsFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """AccountsFilter with its ExportFormat: invented fields."""

    from_day: date | None = None
    to_day: date | None = None
    currency: str = ""
    account_ids: tuple[str, ...] = ()
    mandate_type: str = ""
    export_format: str = ""


class AccountContact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """AccountContact: invented fields."""

    name: str = ""
    email: str = ""

    def __repr__(self) -> str:
        """Show nothing of a person."""
        return "AccountContact(***)"


class AccountItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Account: invented fields."""

    account_id: str
    name: str = ""
    balance: Decimal | None = None
    currency: str = ""
    mandate_type: str = ""
    contact: AccountContact = AccountContact()


class AccountsAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """AccountsExtractResponse: invented fields."""

    accounts: tuple[AccountItem, ...] = ()
    export_id: str = ""
    is_ready: bool = True


class TicketFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """TicketFilter: invented fields."""

    from_day: date | None = None
    to_day: date | None = None
    is_consumed: bool | None = None
    offer_id: str = ""


class TicketsAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """TicketStatisticsResponse: invented fields."""

    issued: Int64
    consumed: Int64
    issued_value: Decimal | None = None
    consumed_value: Decimal | None = None
    currency: str = ""


encode = msgspec.json.Encoder(decimal_format="number").encode
"""Writes a request; a Decimal becomes a JSON number with exactly its digits."""

_PROVES = ("Code", "ECardCost", "IsFullyConsumed")
_OF_A_LIST = tuple(f"eCards.{name}" for name in _PROVES)

ANYTHING = msgspec.json.Decoder()
CARDS = Lenient(ECards, decides=("eCards.Code", "eCards.ECardCost", "status"))
CARD = Lenient(ECard, decides=_PROVES)
CARD_LIST: Lenient[ECardList | tuple[ECard, ...]] = Lenient(
    ECardList | tuple[ECard, ...],  # type: ignore[arg-type]  # a union is no class, and msgspec reads it
    decides=(*_PROVES, *_OF_A_LIST),
)
"""The list's path and shape are not public: the generate answer's shape, or a bare array."""
COMPLAINT = msgspec.json.Decoder(Complaint)
WEBHOOK_PAYLOAD = Lenient(
    WebhookPayload,
    decides=(
        "eventType",
        *(
            f"resource.{name}"
            for name in ("operationId", "merchantOperationId", "virtualCardCode", "pinCode")
        ),
    ),
)
OFFERS = Lenient(OfferList, decides=("offers.offerId",))
OFFER_SYNC = Lenient(OfferSyncAnswer, decides=("offers.offerId", "created", "updated", "removed"))
ACCOUNTS = Lenient(AccountsAnswer, decides=("accounts.accountId", "accounts.balance", "exportId", "isReady"))
TICKETS = Lenient(TicketsAnswer, decides=("issued", "consumed"))
