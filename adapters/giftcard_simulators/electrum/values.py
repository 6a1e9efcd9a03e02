"""The values inside Electrum's gift card messages, with the constraints its documents give.

The sources are Electrum's published gift card interface and its message base. What breaks a
constraint cannot be decoded, which is FORMAT_ERROR. The messages themselves are in `messages`. `Wire`
begins the name of an object where the gateway has a value of the same name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# The documents speak of version 4, and Electrum's server takes any, in small and in capital letters.
_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z"

Uuid = Annotated[str, Meta(pattern=_UUID)]
Time = Annotated[datetime, Meta(tz=True)]
WireInt64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Text20 = Annotated[str, Meta(max_length=20)]
Text40 = Annotated[str, Meta(max_length=40)]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]


class ElectrumMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One JSON object of the interface; a field that is None is left out."""

    def __repr__(self) -> str:
        """Show the kind and no content: it can name a card or hold a PIN."""
        return f"{type(self).__name__}(***)"


TranType = Literal[
    "GOODS_AND_SERVICES",
    "CASH_WITHDRAWAL",
    "DEBIT_ADJUSTMENT",
    "GOODS_AND_SERVICES_WITH_CASH_BACK",
    "NON_CASH",
    "RETURNS",
    "DEPOSIT",
    "CREDIT_ADJUSTMENT",
    "GENERAL_CREDIT",
    "AVAILABLE_FUNDS_INQUIRY",
    "BALANCE_INQUIRY",
    "GENERAL_INQUIRY",
    "CARD_VERIFICATION_INQUIRY",
    "CARDHOLDER_ACCOUNTS_TRANSFER",
    "GENERAL_TRANSFER",
    "PAYMENT_FROM_ACCOUNT",
    "GENERAL_PAYMENT",
    "PAYMENT_TO_ACCOUNT",
    "PAYMENT_FROM_ACCOUNT_TO_ACCOUNT",
    "PLACE_HOLD_ON_CARD",
    "GENERAL_ADMIN",
    "CHANGE_PIN",
    "CARD_HOLDER_INQUIRY",
    "POINTS_INQUIRY",
]
"""What kind of transaction the sender says it is; nothing depends on it here."""

WireAccountType = Literal[
    "DEFAULT",
    "SAVINGS",
    "CHEQUE",
    "CREDIT",
    "UNIVERSAL",
    "ELECTRONIC_PURSE",
    "GIFT_CARD",
    "STORED_VALUE",
]
"""The kind of account money comes from or goes to."""

WireTenderType = Literal[
    "CASH",
    "CHEQUE",
    "CREDIT_CARD",
    "DEBIT_CARD",
    "WALLET",
    "ROUNDING",
    "GIFT_CARD",
    "LOYALTY_CARD",
    "OTHER",
]
"""How the customer paid."""

PanEntryMode = Literal[
    "UNKNOWN",
    "MANUAL",
    "MAGSTRIPE_NO_CVV",
    "BARCODE",
    "OCR",
    "ICC_CVV",
    "CONTACTLESS_ICC",
    "MAGSTRIPE_CVV",
    "CONTACTLESS_MAGSTRIPE",
    "ICC_NO_CVV",
    "ORIG_MODE",
    "FALLBACK",
]
"""How the card number was read."""

WirePinEntryCapability = Literal[
    "UNKNOWN",
    "CAN_ACCEPT",
    "CANNOT_ACCEPT",
]
"""Whether the terminal can take a PIN."""

PosConditionCode = Literal[
    "NORMAL_PRESENTMENT",
    "CUSTOMER_NOT_PRESENT",
    "CUSTOMER_PRESENT_AND_CARD_NOT_PRESENT",
    "CUSTOMER_IDENTITY_VERIFIED",
    "PUBLIC_UTILITY_TERMINAL",
    "CUSTOMER_TERMINAL",
    "MANUAL_REVERSAL",
    "UNATTENDED_TERMINAL_AND_CARD_CAN_BE_RETAINED",
    "UNATTENDED_TERMINAL_AND_CARD_CANNOT_BE_RETAINED",
]
"""The circumstances at the point of sale."""

WireLedgerIndicator = Literal[
    "DEBIT",
    "CREDIT",
]
"""Which way an amount goes, where that could be in doubt."""

WirePinBlockFormat = Literal[
    "ISO_9564_FORMAT_0",
    "ISO_9564_FORMAT_1",
    "ISO_9564_FORMAT_3",
]
"""ISO 9564 PIN block formats."""

WireQuantityUnit = Literal[
    "UNIT",
    "LITRE",
    "KILOGRAM",
]
"""What a basket item's quantity counts."""

WireReversalReason = Literal[
    "TIMEOUT",
    "CANCELLED",
    "RESPONSE_NOT_FINAL",
]
"""Why the sender reverses; nothing depends on it here."""


class WireInstitution(ElectrumMessage, frozen=True, kw_only=True):
    """A party to the transaction."""

    id: str
    name: Text40


class MerchantName(ElectrumMessage, frozen=True, kw_only=True):
    """The shop's name and place, as printed on slips."""

    name: Annotated[str, Meta(max_length=23)]
    city: Annotated[str, Meta(max_length=13)]
    region: Annotated[str, Meta(max_length=2)]
    country: Annotated[str, Meta(max_length=2)]


class WireMerchant(ElectrumMessage, frozen=True, kw_only=True):
    """The shop; its id has exactly 15 characters."""

    merchant_type: Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")]
    merchant_id: Annotated[str, Meta(min_length=15, max_length=15)]
    merchant_name: MerchantName


class Originator(ElectrumMessage, frozen=True, kw_only=True):
    """Where the transaction began; a terminal id has exactly 8 characters."""

    institution: WireInstitution
    terminal_id: Annotated[str, Meta(min_length=8, max_length=8)]
    merchant: WireMerchant
    operator_id: Annotated[str, Meta(max_length=30)] | None = None
    channel_id: Annotated[str, Meta(max_length=50)] | None = None


class WireThirdPartyIdentifier(ElectrumMessage, frozen=True, kw_only=True):
    """One party's own id for the transaction; nobody alters another's."""

    institution_id: str
    transaction_identifier: str | None = None


class LedgerAmount(ElectrumMessage, frozen=True, kw_only=True):
    """Minor units of a currency by its three-digit ISO 4217 code."""

    amount: WireInt64
    currency: Annotated[str, Meta(pattern=r"^[0-9]{3}\Z")]
    ledger_indicator: WireLedgerIndicator | None = None


class Amounts(ElectrumMessage, frozen=True, kw_only=True):
    """The amounts of a message; one left out is zero, or not said."""

    request_amount: LedgerAmount | None = None
    approved_amount: LedgerAmount | None = None
    fee_amount: LedgerAmount | None = None
    balance_amount: LedgerAmount | None = None
    available_balance: LedgerAmount | None = None
    additional_amounts: dict[str, LedgerAmount] | None = None


class PinClear(ElectrumMessage, frozen=True, kw_only=True, tag_field="type", tag="CLEAR_PIN"):
    """A PIN as typed."""

    pin: Text20


class EncryptionParameters(ElectrumMessage, frozen=True, kw_only=True):
    """How to open a PIN block."""

    account_number: Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]
    pin_block_format: WirePinBlockFormat | None = None
    key_index: int | None = None


class PinEncrypted(ElectrumMessage, frozen=True, kw_only=True, tag_field="type", tag="ENCRYPTED_PIN"):
    """An ISO 9564 PIN block."""

    pin_block: Annotated[str, Meta(pattern=r"^[a-fA-F0-9]{16}\Z")]
    encryption_parameters: EncryptionParameters | None = None


class HashedPinParameters(ElectrumMessage, frozen=True, kw_only=True):
    """The name of the hash."""

    name: Text20


class PinHashed(ElectrumMessage, frozen=True, kw_only=True, tag_field="type", tag="HASHED_PIN"):
    """A hash of the PIN; the comma stands in the documented pattern."""

    hash: Annotated[str, Meta(pattern=r"^[0-9,A-F]{1,512}\Z")]
    hashed_pin_parameters: HashedPinParameters | None = None


class PresentedCard(ElectrumMessage, frozen=True, kw_only=True):
    """The card as the sender presents it; `pin` wins over the two older fields."""

    pan: Annotated[str, Meta(pattern=r"^[0-9]{1,19}\Z")]
    expiry_date: Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")] | None = None
    pin: PinClear | PinEncrypted | PinHashed | None = None
    clear_pin: str | None = None
    encrypted_pin: Annotated[str, Meta(pattern=r"^[0-9ABCDEF]+\Z")] | None = None
    rank: str | None = None


class WireProduct(ElectrumMessage, frozen=True, kw_only=True):
    """A gift card product."""

    id: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,100}\Z")]
    barcode: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,13}\Z")] | None = None
    type: Annotated[str, Meta(pattern=r"^.{1,50}\Z")] | None = None


class WireEntryMode(ElectrumMessage, frozen=True, kw_only=True):
    """How card and PIN were taken."""

    pan_entry_mode: PanEntryMode
    pin_entry_capability: WirePinEntryCapability


class PosInfo(ElectrumMessage, frozen=True, kw_only=True):
    """The circumstances at the point of sale."""

    entry_mode: WireEntryMode | None = None
    pos_condition_code: PosConditionCode | None = None


class Item(ElectrumMessage, frozen=True, kw_only=True):
    """One line of a basket."""

    product_id: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,20}\Z")] | None = None
    product_name: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,50}\Z")] | None = None
    product_type: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,30}\Z")] | None = None
    quantity: float | None = None
    unit: WireQuantityUnit | None = None


class WireBasket(ElectrumMessage, frozen=True, kw_only=True):
    """What the customer buys."""

    basket_id: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,20}\Z")]
    items: tuple[Item, ...] | None = None


class PointsAmount(ElectrumMessage, frozen=True, kw_only=True):
    """Loyalty points."""

    amount: WireInt64
    currency_equivalent: LedgerAmount | None = None
    points_due_to_expire: WireInt64 | None = None
    expiry_date: Time | None = None


class PointAmounts(ElectrumMessage, frozen=True, kw_only=True):
    """Points asked for, granted, held and spendable."""

    request_amount: PointsAmount | None = None
    approved_amount: PointsAmount | None = None
    balance_amount: PointsAmount | None = None
    available_amount: PointsAmount | None = None


class WireAddress(ElectrumMessage, frozen=True, kw_only=True):
    """A postal address."""

    address_line1: Annotated[str, Meta(pattern=r"^.{1,100}\Z")] | None = None
    address_line2: Annotated[str, Meta(pattern=r"^.{1,100}\Z")] | None = None
    city: Annotated[str, Meta(pattern=r"^.{1,30}\Z")] | None = None
    region: CountryCode | None = None
    country: CountryCode | None = None
    postal_code: Annotated[str, Meta(pattern=r"^[A-Za-z0-9 -]{1,20}\Z")] | None = None


class Customer(ElectrumMessage, frozen=True, kw_only=True):
    """The card holder."""

    first_name: Text40 | None = None
    last_name: Text40 | None = None
    address: Annotated[str, Meta(max_length=80)] | None = None
    address_details: WireAddress | None = None
    date_of_birth: Time | None = None
    status: str | None = None
    msisdn: Annotated[str, Meta(pattern=r"^\+?[1-9]\d{0,14}\Z")] | None = None
    email_address: Annotated[str, Meta(pattern=r"^[^@ ]+@[^@ ]+\Z")] | None = None
    profile_id: str | None = None


class WireTender(ElectrumMessage, frozen=True, kw_only=True):
    """One payment towards the sale of a card; a card number is masked by the sender."""

    amount: LedgerAmount
    tender_type: WireTenderType
    account_type: WireAccountType | None = None
    card_number: Annotated[str, Meta(pattern=r"^[0-9]{6}[0-9*]{0,13}\Z")] | None = None
    reference: Text40 | None = None


class Barcode(ElectrumMessage, frozen=True, kw_only=True):
    """A barcode on a slip."""

    data: str
    encoding: str | None = None


class WireSlipLine(ElectrumMessage, frozen=True, kw_only=True):
    """One line of a slip."""

    text: str
    font_width_scale_factor: float | None = None
    font_height_scale_factor: float | None = None
    line: bool | None = None
    cut: bool | None = None
    barcode: Barcode | None = None


class SlipData(ElectrumMessage, frozen=True, kw_only=True):
    """What to print for the customer."""

    message_lines: tuple[WireSlipLine, ...] | None = None
    slip_width: int | None = None
    issuer_reference: Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,40}\Z")] | None = None
