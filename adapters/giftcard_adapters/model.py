"""The values both rooms speak: cards, the seven money operations, advices, outcomes, card views.

Values only: no behaviour beyond what a value knows of itself, and nothing of any one provider.
Every struct is frozen, so a value handed to an adapter is the value that was written down.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import msgspec

from giftcard_adapters.money import Money
from giftcard_adapters.point_of_sale import (
    AccountType,
    Basket,
    Buyer,
    CardHolder,
    Institution,
    PointOfSale,
    Product,
    Tender,
    ThirdPartyIdentifier,
)
from giftcard_adapters.secret import Secret


class Operation(StrEnum):
    """The seven money operations."""

    ISSUE = "ISSUE"
    ACTIVATE = "ACTIVATE"
    LOAD = "LOAD"
    REDEEM = "REDEEM"
    TRANSFER = "TRANSFER"
    REPLACE = "REPLACE"
    VOID = "VOID"


class DeclineReason(StrEnum):
    """Why a provider said no, in one list for all providers."""

    CARD_UNKNOWN = "CARD_UNKNOWN"
    CARD_NOT_ACTIVE = "CARD_NOT_ACTIVE"
    CARD_ALREADY_ACTIVE = "CARD_ALREADY_ACTIVE"
    CARD_EXPIRED = "CARD_EXPIRED"
    CARD_VOIDED = "CARD_VOIDED"
    CARD_BLOCKED = "CARD_BLOCKED"
    CARD_DELETED = "CARD_DELETED"
    CARD_RANK_BLOCKED = "CARD_RANK_BLOCKED"
    PIN_INCORRECT = "PIN_INCORRECT"
    PIN_ATTEMPTS_EXCEEDED = "PIN_ATTEMPTS_EXCEEDED"
    FUNDS_INSUFFICIENT = "FUNDS_INSUFFICIENT"
    WALLET_INSUFFICIENT = "WALLET_INSUFFICIENT"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    PRODUCT_INVALID = "PRODUCT_INVALID"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    DUPLICATE = "DUPLICATE"
    SUSPECTED_FRAUD = "SUSPECTED_FRAUD"
    CANCELED = "CANCELED"
    RECORD_NOT_FOUND = "RECORD_NOT_FOUND"
    STATE_UNEXPECTED = "STATE_UNEXPECTED"
    REQUEST_MALFORMED = "REQUEST_MALFORMED"
    CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED"
    PROVIDER_MISCONFIGURED = "PROVIDER_MISCONFIGURED"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    PROVIDER_REFUSED = "PROVIDER_REFUSED"
    NOT_SUPPORTED = "NOT_SUPPORTED"


class Decline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A provider's no: our reason, and the provider's own code and text (scrubbed of card data)."""

    reason: DeclineReason
    provider_code: str = ""
    provider_text: str = ""


class PinBlockFormat(StrEnum):
    """ISO 9564 PIN block formats."""

    ISO_0 = "ISO_0"
    ISO_1 = "ISO_1"
    ISO_3 = "ISO_3"


class ClearPin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="clear"):
    """A PIN as the customer typed it."""

    pin: Secret


class EncryptedPin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="encrypted"):
    """An ISO 9564 PIN block of 16 hexadecimal digits, with what the provider needs to open it."""

    block: Secret
    block_format: PinBlockFormat | None = None
    account_number: Secret | None = None
    key_index: int | None = None


class HashedPin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="hashed"):
    """A hash of the PIN in upper-case hexadecimal; `algorithm` is the name agreed with the provider."""

    digest: Secret
    algorithm: str = ""


Pin = ClearPin | EncryptedPin | HashedPin


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

    def masked(self) -> str:
        """Return what logs, answers and errors may show of the card."""
        if self.number is not None:
            return self.number.masked_number()
        if self.redemption_key is not None:
            return self.redemption_key.masked_key()
        return self.stored_card_id or self.provider_card_id


class Points(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Loyalty points: a count, and what they are worth."""

    amount: int
    worth: Money | None = None
    due_to_expire: int | None = None
    expires_on: str = ""


class PointBalances(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Points asked for, granted, held and spendable."""

    requested: Points | None = None
    approved: Points | None = None
    book: Points | None = None
    available: Points | None = None


class MoneyOperation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="operation"):
    """What every money operation carries, under the caller's own `transaction_id` (a v4 UUID).

    `requested_at` is the time the gateway wrote the intent down; it is not part of the content that
    a repeat is compared by, and nor are `labels`.
    """

    operation: ClassVar[Operation]

    transaction_id: str
    requested_at: datetime
    provider: str = ""
    """The provider the caller asked for; empty leaves the choice to routing."""
    amount: Money | None = None
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
    """Make a card live, with `amount` as its opening load; `store` also puts it into the provider's vault."""

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


class Balances(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Both balances of a card: what the ledger says, and what can be spent now (rule 13)."""

    book: Money | None = None
    available: Money | None = None


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


class SlipLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line to print; scale factors of 1 are the printer's normal font."""

    text: str
    width_factor: float = 1.0
    height_factor: float = 1.0
    line: bool = False
    cut: bool = False
    barcode: str = ""
    barcode_encoding: str = ""


class Slip(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the provider wants printed; `width` counts characters."""

    lines: tuple[SlipLine, ...] = ()
    width: int | None = None
    issuer_reference: str = ""


class Verdict(StrEnum):
    """What a provider did with a request."""

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    """It surely had no effect."""
    UNKNOWN = "UNKNOWN"
    """It may have had an effect."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one money operation at a provider.

    An UNKNOWN outcome may carry `references` and `issued_cards` too: what was learnt so far, for
    the adapter's own `find` (an issue that is accepted but not yet funded, for instance).
    """

    verdict: Verdict
    approved: Money | None = None
    fee: Money | None = None
    balances: tuple[Balances, ...] = ()
    """In the order of the operation's cards; empty where the provider tells nothing."""
    additional_amounts: dict[str, Money] = {}
    issued_cards: tuple[IssuedCard, ...] = ()
    decline: Decline | None = None
    evidence: str = ""
    """For a person, when UNKNOWN or FAILED: what was seen, without card data."""
    references: dict[str, str] = {}
    """The provider's own ids; what a reversal or a find will need."""
    third_party_identifiers: tuple[ThirdPartyIdentifier, ...] = ()
    slip: Slip | None = None
    points: PointBalances | None = None
    card_expiry: str = ""
    receiver: Institution | None = None
    settlement_entity: Institution | None = None


class AdviceKind(StrEnum):
    """The two advices."""

    CONFIRMATION = "CONFIRMATION"
    REVERSAL = "REVERSAL"


class ReversalReason(StrEnum):
    """Why a transaction is reversed."""

    TIMEOUT = "TIMEOUT"
    """No answer came in time."""
    RESPONSE_NOT_FINAL = "RESPONSE_NOT_FINAL"
    """An answer came that left the outcome open."""
    CANCELLED = "CANCELLED"
    """The operator or the tender ended it."""


class Advice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision about a transaction, under its own v4 UUID; written once, sent unchanged.

    `amount` is the final amount of a confirmation, or the part to put back of a reversal; None is all.
    """

    advice_id: str
    kind: AdviceKind
    written_at: datetime
    amount: Money | None = None
    reason: ReversalReason | None = None
    tenders: tuple[Tender, ...] = ()


class Receipt(StrEnum):
    """What a provider answered to an advice."""

    DONE = "DONE"
    """Acknowledged, now or before."""
    NO_SUCH_TRANSACTION = "NO_SUCH_TRANSACTION"
    """The provider never saw the transaction: the end of a reversal, an alarm for a confirmation."""
    REFUSED = "REFUSED"
    """A final no: a person must look."""
    AGAIN = "AGAIN"
    """Not final: send the same bytes again later."""


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A provider's answer to an advice; `evidence` is for a person and holds no card data."""

    receipt: Receipt
    evidence: str = ""
    decline: Decline | None = None
    references: dict[str, str] = {}
