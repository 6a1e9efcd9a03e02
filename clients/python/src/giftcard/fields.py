"""The keyword arguments of the calls, as types: the fields of the requests, under the same names.

Beside them stand the client's own few: `amount_minor` and `currency` for money, `pin` and `expiry` for a card
given by its number, `deadline_s` for the call. How they become a request is in `giftcard.requests`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Required, TypedDict
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from giftcard import v1
from giftcard.cards import Card, PinLike
from giftcard.money import Amount

AnyCard = Card | v1.Card | str
"""A card: named with `Card`, as a message, or as a bare number, which `pin` and `expiry` may then go with."""


class CallFields(TypedDict, total=False):
    """What every money call takes."""

    transaction_id: Required[str | UUID]
    deadline_s: float


class SaleFields(CallFields, total=False):
    """What every money request tells of the sale."""

    provider: str
    point_of_sale: v1.PointOfSale
    product: v1.Product
    basket: v1.Basket
    card_holder: v1.CardHolder
    third_party_identifiers: Iterable[v1.ThirdPartyIdentifier]
    external_reference: str
    basket_reference: str
    transaction_type: str
    source_account: v1.AccountType.ValueType
    destination_account: v1.AccountType.ValueType
    system_trace_number: str
    retrieval_reference: str
    fee_amount: Amount
    fee_amount_minor: int
    fee_ledger_indicator: v1.LedgerIndicator.ValueType
    additional_amounts: Iterable[v1.AdditionalAmount]
    slip: v1.Slip
    labels: Mapping[str, str]


class AmountFields(TypedDict, total=False):
    """An amount: `amount` in major units or `amount_minor`, with its `currency`; or `amount` as Money."""

    amount: Amount
    amount_minor: int
    currency: str


class SidedAmountFields(AmountFields, total=False):
    """The amount of a money request, and which side of the ledger it is on."""

    ledger_indicator: v1.LedgerIndicator.ValueType


class CardFields(TypedDict, total=False):
    """A card; `pin` and `expiry` go with a bare number only."""

    card: Required[AnyCard]
    pin: PinLike
    expiry: str


class IssueFields(SaleFields, SidedAmountFields, total=False):
    """The fields of IssueRequest."""

    quantity: int
    title: str
    template_id: str
    theme_id: str
    offer_id: str


class ActivateFields(SaleFields, SidedAmountFields, CardFields, total=False):
    """The fields of ActivateRequest."""

    buyer: v1.Buyer
    store: bool


class LoadFields(SaleFields, SidedAmountFields, CardFields, total=False):
    """The fields of LoadRequest."""


class RedeemFields(SaleFields, SidedAmountFields, CardFields, total=False):
    """The fields of RedeemRequest."""

    points: v1.Points
    buyer: v1.Buyer


class TransferFields(SaleFields, SidedAmountFields, total=False):
    """The fields of TransferRequest."""

    source_card: Required[AnyCard]
    target_card: Required[AnyCard]


class ReplaceFields(SaleFields, total=False):
    """The fields of ReplaceRequest."""

    old_card: Required[AnyCard]
    new_card: Required[AnyCard]


class VoidFields(SaleFields, CardFields, total=False):
    """The fields of VoidRequest."""


class AdviceFields(TypedDict, total=False):
    """What a confirmation or a reversal may tell of itself."""

    note: str
    system_trace_number: str
    retrieval_reference: str
    third_party_identifiers: Iterable[v1.ThirdPartyIdentifier]


class FinalFields(AdviceFields, total=False):
    """What a confirmation may say beside the transaction."""

    final_amount: Amount
    final_amount_minor: int
    currency: str
    tenders: Iterable[v1.Tender]


class ConfirmFields(CallFields, FinalFields, total=False):
    """The fields of every confirm request."""


class ReverseFields(CallFields, AmountFields, AdviceFields, total=False):
    """The fields of every reverse request; `amount` is the part to put back, all of it if left out."""

    reason: Required[v1.ReversalReason.ValueType]


class BalanceFields(CardFields, total=False):
    """The fields of BalanceRequest."""

    provider: str
    point_of_sale: v1.PointOfSale


class LookupFields(TypedDict, total=False):
    """The fields of LookupRequest: a `card`, or the `card_holder` whose card it is."""

    card: AnyCard
    pin: PinLike
    expiry: str
    card_holder: v1.CardHolder
    provider: str
    point_of_sale: v1.PointOfSale
    third_party_identifiers: Iterable[v1.ThirdPartyIdentifier]
    system_trace_number: str
    retrieval_reference: str
    basket_reference: str
    transaction_type: str
    source_account: v1.AccountType.ValueType
    destination_account: v1.AccountType.ValueType


class StoreCardFields(CardFields, total=False):
    """The fields of StoreCardRequest."""

    provider: str
    buyer: v1.Buyer


class WatchFields(TypedDict, total=False):
    """The fields of WatchTransactionsRequest."""

    filter: v1.TransactionFilter
    cursor: str
    start_time: Timestamp


class EventFields(TypedDict, total=False):
    """The fields of StreamEventsRequest."""

    providers: Iterable[str]
    names: Iterable[str]
    cursor: str
    start_time: Timestamp
