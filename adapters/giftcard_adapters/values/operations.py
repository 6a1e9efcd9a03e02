"""The seven money operations, as callers ask for them.

Every struct is frozen, so an adapter gets the value that was stored.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import msgspec

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import AdditionalAmount, LedgerIndicator, Money
from giftcard_adapters.values.point_of_sale import (
    AccountType,
    Basket,
    Buyer,
    CardHolder,
    PointOfSale,
    Product,
    ThirdPartyIdentifier,
)
from giftcard_adapters.values.points import Points
from giftcard_adapters.values.slips import Slip


class Operation(StrEnum):
    """The seven money operations."""

    ISSUE = "ISSUE"
    ACTIVATE = "ACTIVATE"
    LOAD = "LOAD"
    REDEEM = "REDEEM"
    TRANSFER = "TRANSFER"
    REPLACE = "REPLACE"
    VOID = "VOID"


class MoneyOperation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="operation"):
    """What every money operation carries, under the caller's own `transaction_id` (a v4 UUID).

    `requested_at` is the time the gateway stored the intent. It and `labels` are left out when a repeat
    is compared with the first request.
    """

    operation: ClassVar[Operation]

    transaction_id: str
    requested_at: datetime
    provider: str = ""
    """The provider the caller asked for; empty leaves the choice to routing."""
    amount: Money | None = None
    ledger_indicator: LedgerIndicator | None = None
    """Which side of the ledger `amount` is on, where a provider could take it either way."""
    fee_amount: Money | None = None
    """A fee of the caller's side, besides `amount`."""
    fee_ledger_indicator: LedgerIndicator | None = None
    additional_amounts: tuple[AdditionalAmount, ...] = ()
    point_of_sale: PointOfSale | None = None
    product: Product | None = None
    basket: Basket | None = None
    basket_reference: str = ""
    points: Points | None = None
    card_holder: CardHolder | None = None
    buyer: Buyer | None = None
    third_party_identifiers: tuple[ThirdPartyIdentifier, ...] = ()
    external_reference: str = ""
    """The caller's own reference, shown to the provider where it takes one besides our id."""
    transaction_type: str = ""
    source_account: AccountType | None = None
    destination_account: AccountType | None = None
    system_trace_number: str = ""
    retrieval_reference: str = ""
    slip: Slip | None = None
    """What the caller's side prints."""
    labels: dict[str, str] = {}

    @property
    def cards(self) -> tuple[CardRef, ...]:
        """Return the cards the operation names, the one that pays or changes first."""
        return ()


class Issue(MoneyOperation, frozen=True, kw_only=True, omit_defaults=True, tag="ISSUE"):
    """Create `quantity` new cards of `amount` each, by template, theme or offer where there are such."""

    operation: ClassVar[Operation] = Operation.ISSUE

    quantity: int = 1
    template_id: str = ""
    theme_id: str = ""
    offer_id: str = ""
    title: str = ""


class _OneCard(MoneyOperation, frozen=True, kw_only=True, omit_defaults=True):
    """A money operation on one card."""

    card: CardRef

    @property
    def cards(self) -> tuple[CardRef, ...]:
        """Return the one card."""
        return (self.card,)


class Activate(_OneCard, frozen=True, kw_only=True, omit_defaults=True, tag="ACTIVATE"):
    """Activate a card, with `amount` as its opening load; `store` also puts it into the provider's vault."""

    operation: ClassVar[Operation] = Operation.ACTIVATE

    store: bool = False


class Load(_OneCard, frozen=True, kw_only=True, omit_defaults=True, tag="LOAD"):
    """Add `amount` to a card."""

    operation: ClassVar[Operation] = Operation.LOAD


class Redeem(_OneCard, frozen=True, kw_only=True, omit_defaults=True, tag="REDEEM"):
    """Spend `amount` from a card."""

    operation: ClassVar[Operation] = Operation.REDEEM


class Transfer(MoneyOperation, frozen=True, kw_only=True, omit_defaults=True, tag="TRANSFER"):
    """Move `amount` from one card to another."""

    operation: ClassVar[Operation] = Operation.TRANSFER

    source_card: CardRef
    target_card: CardRef

    @property
    def cards(self) -> tuple[CardRef, ...]:
        """Return source and target."""
        return (self.source_card, self.target_card)


class Replace(MoneyOperation, frozen=True, kw_only=True, omit_defaults=True, tag="REPLACE"):
    """Move everything to a new card and void the old one."""

    operation: ClassVar[Operation] = Operation.REPLACE

    old_card: CardRef
    new_card: CardRef

    @property
    def cards(self) -> tuple[CardRef, ...]:
        """Return old and new."""
        return (self.old_card, self.new_card)


class Void(_OneCard, frozen=True, kw_only=True, omit_defaults=True, tag="VOID"):
    """End an active card."""

    operation: ClassVar[Operation] = Operation.VOID


AnyOperation = Issue | Activate | Load | Redeem | Transfer | Replace | Void
