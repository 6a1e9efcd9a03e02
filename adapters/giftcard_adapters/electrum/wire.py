"""The JSON objects of Electrum's gift card interface, as msgspec structs.

Names are those of Electrum's published interface (gift card 3.15 and 4.0, base 3.34). `Wire` begins
the name of a struct where giftcard_adapters.values has one of the same name.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from giftcard_adapters.codec import reveal_hook
from giftcard_adapters.lenient import Lenient
from giftcard_adapters.values.secret import Secret

_Count = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""int64, as documented."""


class _Json(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A JSON object with camelCase names; what is not set is left out, what is not known is skipped."""


class LedgerAmount(_Json, frozen=True, kw_only=True):
    """Minor units of the ISO 4217 numeric `currency`."""

    amount: int
    currency: str
    ledger_indicator: str = ""


class Amounts(_Json, frozen=True, kw_only=True):
    """GiftcardAmounts; in an advice only `approved_amount`."""

    request_amount: LedgerAmount | None = None
    approved_amount: LedgerAmount | None = None
    fee_amount: LedgerAmount | None = None
    balance_amount: LedgerAmount | None = None
    available_balance: LedgerAmount | None = None
    additional_amounts: dict[str, LedgerAmount] = {}


class Party(_Json, frozen=True, kw_only=True):
    """Institution."""

    id: str
    name: str = ""


class MerchantName(_Json, frozen=True, kw_only=True):
    """The merchant as printed."""

    name: str
    city: str
    region: str
    country: str


class WireMerchant(_Json, frozen=True, kw_only=True):
    """The merchant; `merchant_type` is the category code."""

    merchant_type: str
    merchant_id: str
    merchant_name: MerchantName


class Originator(_Json, frozen=True, kw_only=True):
    """Where the transaction began."""

    institution: Party
    terminal_id: str
    merchant: WireMerchant
    operator_id: str = ""
    channel_id: str = ""


class Identifier(_Json, frozen=True, kw_only=True):
    """ThirdPartyIdentifier; the second field is documented as required and not enforced."""

    institution_id: str
    transaction_identifier: str = ""


class PinClear(_Json, frozen=True, kw_only=True, tag_field="type", tag="CLEAR_PIN"):
    """A PIN in clear."""

    pin: Secret


class EncryptionParameters(_Json, frozen=True, kw_only=True):
    """How a PIN block was made."""

    account_number: Secret
    pin_block_format: str = ""
    key_index: int | None = None


class PinEncrypted(_Json, frozen=True, kw_only=True, tag_field="type", tag="ENCRYPTED_PIN"):
    """A PIN block."""

    pin_block: Secret
    encryption_parameters: EncryptionParameters | None = None


class HashedPinParameters(_Json, frozen=True, kw_only=True):
    """How a PIN was hashed."""

    name: str


class PinHashed(_Json, frozen=True, kw_only=True, tag_field="type", tag="HASHED_PIN"):
    """A hashed PIN."""

    hash: Secret
    hashed_pin_parameters: HashedPinParameters | None = None


class WireCard(_Json, frozen=True, kw_only=True):
    """A card as sent; `clearPin` and `encryptedPin` are deprecated since 3.12."""

    pan: Secret
    expiry_date: str = ""
    pin: PinClear | PinEncrypted | PinHashed | None = None
    clear_pin: Secret | None = None
    encrypted_pin: Secret | None = None
    rank: str = ""


class CardEcho(_Json, frozen=True, kw_only=True):
    """A card as answered; an echoed PIN is not even read."""

    pan: Secret | None = None
    expiry_date: str = ""
    rank: str = ""


class EntryModes(_Json, frozen=True, kw_only=True):
    """PosEntryMode."""

    pan_entry_mode: str = ""
    pin_entry_capability: str = ""


class PosInfo(_Json, frozen=True, kw_only=True):
    """How the card was read, and the circumstances."""

    entry_mode: EntryModes | None = None
    pos_condition_code: str = ""


class WireProduct(_Json, frozen=True, kw_only=True):
    """A gift card product."""

    id: str
    barcode: str = ""
    type: str = ""


class Item(_Json, frozen=True, kw_only=True):
    """A line of the basket."""

    product_id: str = ""
    product_name: str = ""
    product_type: str = ""
    quantity: Decimal | None = None
    unit: str = ""


class WireBasket(_Json, frozen=True, kw_only=True):
    """The basket of a redemption."""

    basket_id: str
    items: tuple[Item, ...]


class PointsAmount(_Json, frozen=True, kw_only=True):
    """A count of points."""

    amount: _Count
    currency_equivalent: LedgerAmount | None = None
    points_due_to_expire: _Count | None = None
    expiry_date: str = ""


class PointAmounts(_Json, frozen=True, kw_only=True):
    """Points requested, approved, on the book and available."""

    request_amount: PointsAmount | None = None
    approved_amount: PointsAmount | None = None
    balance_amount: PointsAmount | None = None
    available_amount: PointsAmount | None = None


class WireAddress(_Json, frozen=True, kw_only=True):
    """A postal address."""

    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    postal_code: str = ""


class Customer(_Json, frozen=True, kw_only=True):
    """The card holder; `address` is deprecated, so it is read and never written."""

    first_name: str = ""
    last_name: str = ""
    address: str = ""
    address_details: WireAddress | None = None
    date_of_birth: str = ""
    status: str = ""
    msisdn: str = ""
    email_address: str = ""
    profile_id: str = ""

    def __repr__(self) -> str:
        """Show nothing of a person."""
        return "Customer(***)"


class WireTender(_Json, frozen=True, kw_only=True):
    """One payment towards a sale."""

    amount: LedgerAmount
    tender_type: str
    account_type: str = ""
    card_number: str = ""
    reference: str = ""


class Barcode(_Json, frozen=True, kw_only=True):
    """A barcode to print."""

    data: str
    encoding: str = ""


class WireSlipLine(_Json, frozen=True, kw_only=True):
    """One line to print."""

    text: str
    font_width_scale_factor: float | None = None
    font_height_scale_factor: float | None = None
    line: bool = False
    cut: bool = False
    barcode: Barcode | None = None


class SlipData(_Json, frozen=True, kw_only=True):
    """What to print."""

    message_lines: tuple[WireSlipLine, ...] = ()
    slip_width: int | None = None
    issuer_reference: str = ""


class TransactionRequest(_Json, frozen=True, kw_only=True):
    """Any of the seven requests: Transaction, and the fields of its operation."""

    id: str
    time: str
    originator: Originator
    client: Party
    third_party_identifiers: tuple[Identifier, ...]
    settlement_entity: Party | None = None
    receiver: Party | None = None
    slip_data: SlipData | None = None
    basket_ref: str = ""
    tran_type: str = ""
    src_acc_type: str = ""
    dest_acc_type: str = ""
    stan: str = ""
    rrn: str = ""
    card: WireCard | None = None
    source_card: WireCard | None = None
    target_card: WireCard | None = None
    old_card: WireCard | None = None
    new_card: WireCard | None = None
    amounts: Amounts | None = None
    product: WireProduct | None = None
    pos_info: PosInfo | None = None
    basket: WireBasket | None = None
    points: PointAmounts | None = None
    card_holder: Customer | None = None


class AdviceBody(_Json, frozen=True, kw_only=True):
    """Any of the twelve advices; `tenders` only where Electrum has them, `reversal_reason` in reversals."""

    id: str
    request_id: str
    time: str
    third_party_identifiers: tuple[Identifier, ...]
    stan: str = ""
    rrn: str = ""
    amounts: Amounts | None = None
    tenders: tuple[WireTender, ...] | None = None
    reversal_reason: str = ""


class WireClub(_Json, frozen=True, kw_only=True):
    """A club or a marketing attribute."""

    name: str
    description: str = ""
    member: bool = False
    market_to_customer: bool = False
    products: tuple[WireProduct, ...] = ()


class TransactionResponse(_Json, frozen=True, kw_only=True):
    """Any of the seven responses; echoes of what we sent are not read."""

    id: str
    third_party_identifiers: tuple[Identifier, ...] = ()
    settlement_entity: Party | None = None
    receiver: Party | None = None
    slip_data: SlipData | None = None
    stan: str = ""
    rrn: str = ""
    card: CardEcho | None = None
    source_card: CardEcho | None = None
    target_card: CardEcho | None = None
    old_card: CardEcho | None = None
    new_card: CardEcho | None = None
    amounts: Amounts | None = None
    product: WireProduct | None = None
    pos_info: PosInfo | None = None
    points: PointAmounts | None = None
    card_holder: Customer | None = None
    clubs: tuple[WireClub, ...] = ()
    marketing_attributes: tuple[WireClub, ...] = ()
    error_type: str = ""
    """Never part of a response: an ErrorDetail under a success status is caught by it."""


class AdviceEcho(_Json, frozen=True, kw_only=True):
    """The answer that acknowledges an advice."""

    id: str = ""
    request_id: str = ""
    error_type: str = ""
    """Never part of an acknowledgement: an ErrorDetail under a success status is caught by it."""


class FormatError(_Json, frozen=True, kw_only=True):
    """A field Electrum could not read, and why; its `value` may be a card's and is not read."""

    field: str = ""
    msg: str = ""


class FormatErrors(_Json, frozen=True, kw_only=True):
    """What is known of `detailMessage`, which may be any JSON."""

    format_errors: tuple[FormatError, ...] = ()


class ErrorDetail(_Json, frozen=True, kw_only=True):
    """The body of an error; `detail_message` is for people and decides nothing."""

    error_type: str
    error_message: str = ""
    request_type: str = ""
    id: str = ""
    original_id: str = ""
    detail_message: FormatErrors | None = None


encode = msgspec.json.Encoder(enc_hook=reveal_hook, decimal_format="number").encode
"""Writes a request, secrets in clear; a Decimal becomes a JSON number with exactly its digits."""

# Numbers may be quoted: Electrum's own software takes that and may write it.
RESPONSE = Lenient(
    TransactionResponse,
    decides=(
        "id",
        "errorType",
        "amounts.requestAmount",
        "amounts.approvedAmount",
        *(f"{card}.pan" for card in ("card", "sourceCard", "targetCard", "oldCard", "newCard")),
    ),
)
LOOKUP_RESPONSE = Lenient(
    TransactionResponse,
    decides=("id", "errorType", "amounts.balanceAmount", "amounts.availableBalance", "card.pan"),
)
ADVICE_ECHO = Lenient(AdviceEcho, decides=("id", "requestId", "errorType"))
ERROR_DETAIL = Lenient(ErrorDetail, decides=("errorType", "requestType", "id", "originalId"))
