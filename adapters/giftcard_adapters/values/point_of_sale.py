"""Where and by whom an operation was asked for: the till, the merchant, the basket, the customer.

Pure values; every field is optional to the gateway, and an adapter refuses what its provider needs
and did not get.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from giftcard_adapters.values.money import Money


class EntryMode(StrEnum):
    """How the card's number was read."""

    MANUAL = "MANUAL"
    MAGSTRIPE = "MAGSTRIPE"
    MAGSTRIPE_WITHOUT_CVV = "MAGSTRIPE_WITHOUT_CVV"
    BARCODE = "BARCODE"
    OCR = "OCR"
    CHIP = "CHIP"
    CHIP_WITHOUT_CVV = "CHIP_WITHOUT_CVV"
    CONTACTLESS_CHIP = "CONTACTLESS_CHIP"
    CONTACTLESS_MAGSTRIPE = "CONTACTLESS_MAGSTRIPE"
    ON_FILE = "ON_FILE"
    FALLBACK = "FALLBACK"


class PinEntryCapability(StrEnum):
    """Whether the terminal can take a PIN."""

    CAN_ACCEPT = "CAN_ACCEPT"
    CANNOT_ACCEPT = "CANNOT_ACCEPT"


class PosCondition(StrEnum):
    """The circumstances at the point of sale."""

    NORMAL = "NORMAL"
    CUSTOMER_NOT_PRESENT = "CUSTOMER_NOT_PRESENT"
    CARD_NOT_PRESENT = "CARD_NOT_PRESENT"
    IDENTITY_VERIFIED = "IDENTITY_VERIFIED"
    PUBLIC_UTILITY_TERMINAL = "PUBLIC_UTILITY_TERMINAL"
    CUSTOMER_TERMINAL = "CUSTOMER_TERMINAL"
    MANUAL_REVERSAL = "MANUAL_REVERSAL"
    UNATTENDED_CAN_RETAIN = "UNATTENDED_CAN_RETAIN"
    UNATTENDED_CANNOT_RETAIN = "UNATTENDED_CANNOT_RETAIN"


class AccountType(StrEnum):
    """The kind of account money comes from or goes to."""

    DEFAULT = "DEFAULT"
    SAVINGS = "SAVINGS"
    CHEQUE = "CHEQUE"
    CREDIT = "CREDIT"
    UNIVERSAL = "UNIVERSAL"
    ELECTRONIC_PURSE = "ELECTRONIC_PURSE"
    GIFT_CARD = "GIFT_CARD"
    STORED_VALUE = "STORED_VALUE"


class Institution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A party to the transaction, by the id agreed with the provider."""

    institution_id: str
    name: str = ""


class Merchant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The shop: its id, its ISO 18245 category code, and the name and place printed on slips."""

    merchant_id: str = ""
    category_code: str = ""
    name: str = ""
    city: str = ""
    region: str = ""
    country: str = ""


class PointOfSale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The till an operation was asked for at."""

    institution: Institution | None = None
    merchant: Merchant | None = None
    terminal_id: str = ""
    operator_id: str = ""
    channel_id: str = ""
    entry_mode: EntryMode | None = None
    pin_entry_capability: PinEntryCapability | None = None
    condition: PosCondition | None = None


class Product(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sold: a gift card product, as the provider knows it."""

    product_id: str
    barcode: str = ""
    product_type: str = ""


class QuantityUnit(StrEnum):
    """What a basket item's quantity counts."""

    UNIT = "UNIT"
    LITRE = "LITRE"
    KILOGRAM = "KILOGRAM"


class BasketItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the basket; `quantity` is exact."""

    product_id: str = ""
    name: str = ""
    product_type: str = ""
    quantity: Decimal | None = None
    unit: QuantityUnit | None = None


class Basket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the customer buys."""

    basket_id: str
    items: tuple[BasketItem, ...] = ()


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A postal address."""

    lines: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


class CardHolder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The customer who holds the card; personal data, sealed at rest like the card itself."""

    first_name: str = ""
    last_name: str = ""
    address: Address | None = None
    date_of_birth: date | None = None
    status: str = ""
    phone: str = ""
    email: str = ""
    profile_id: str = ""

    def __repr__(self) -> str:
        """Show nothing of a person."""
        return "CardHolder(***)"


class Buyer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose vault a stored card is in: by the provider's id, or by the caller's own."""

    buyer_id: str = ""
    external_id: str = ""


class TenderType(StrEnum):
    """How the customer paid."""

    CASH = "CASH"
    CHEQUE = "CHEQUE"
    CREDIT_CARD = "CREDIT_CARD"
    DEBIT_CARD = "DEBIT_CARD"
    WALLET = "WALLET"
    ROUNDING = "ROUNDING"
    GIFT_CARD = "GIFT_CARD"
    LOYALTY_CARD = "LOYALTY_CARD"
    OTHER = "OTHER"


class Tender(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One payment towards a sale; `masked_card_number` is masked by the caller already."""

    tender_type: TenderType
    amount: Money
    account_type: AccountType | None = None
    masked_card_number: str = ""
    reference: str = ""


class ThirdPartyIdentifier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One party's own id for the transaction; nobody alters another's."""

    institution_id: str
    transaction_identifier: str
