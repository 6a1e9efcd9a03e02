"""The opening data of the Electrum sandbox: credentials, products, demo cards. All of it is made up.

Every card number begins with 6045, has 16 or 19 digits, passes the Luhn check, and is of a card in
South African rand. `docs/providers/electrum.md` lists them for people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from giftcard_simulators.bank import BankCard
from giftcard_simulators.electrum.checks import CardStage, Refusal

INSTITUTION_ID = "70000001"
"""The sandbox's Basic user name: the caller's institution id."""

PASSWORD = "sandbox-electrum-password"  # noqa: S105  # fixed, documented, worth nothing
"""The sandbox's Basic password."""

RECEIVER = {"id": "70000002", "name": "Sandbox Gift Cards"}
"""The institution that answers; its own transaction identifiers carry this id."""

SETTLEMENT_ENTITY = {"id": "70000003", "name": "Sandbox Settlement"}
"""The institution that settles."""

CURRENCY = "ZAR"
EXPIRY = "4912"
"""`YYMM`, far in the future."""
PAST_EXPIRY = "1512"
PIN = "1234"  # fixed, documented, worth nothing
PIN_BLOCK = "0412AC89ABCDEF67"
"""What the sandbox takes for the encrypted form of the demo PIN; no key is involved."""

PRODUCTS = {
    "product001": ("physical", 0),
    "product002": ("por", 0),
    "product003": ("physical", 100),
    "product004": ("por", 100),
    "product005": ("physical", 1_000),
    "product006": ("por", 1_000),
    "product007": ("physical", 5_000),
    "product008": ("por", 5_000),
    "product009": ("physical", 10_000),
    "product010": ("por", 10_000),
}
"""Product id to its type and the balance a card starts with, in cents."""

_NEW, _ACTIVE = CardStage.NEW, CardStage.ACTIVATED_CONFIRMED

_INACTIVE = ("6045000000000012", "6045000000000020", "6045000000000038", "6045000000000000017")
_DEMO_CARDS = (
    *((number, _NEW, 0, EXPIRY, "") for number in _INACTIVE),
    ("6045000000000046", _NEW, 0, EXPIRY, PIN),
    ("6045000000000053", _NEW, 0, PAST_EXPIRY, ""),
    ("6045000000000061", _ACTIVE, 50_000, EXPIRY, ""),
    ("6045000000000079", _ACTIVE, 50_000, EXPIRY, PIN),
    ("6045000000000000025", _ACTIVE, 50_000, EXPIRY, ""),
    ("6045000000000000033", _ACTIVE, 50_000, EXPIRY, PIN),
    ("6045000000000087", _ACTIVE, 100, EXPIRY, ""),
    ("6045000000000095", _ACTIVE, 0, EXPIRY, ""),
    ("6045000000000103", _ACTIVE, 50_000, PAST_EXPIRY, ""),
    ("6045000000000111", _ACTIVE, 100_000_000, EXPIRY, ""),
    ("6045000000000129", CardStage.VOIDED_CONFIRMED, 2_500, EXPIRY, ""),
    ("6045000000000137", Refusal.CARD_BLOCKED, 50_000, EXPIRY, ""),
    ("6045000000000145", Refusal.CARD_DELETED, 0, EXPIRY, ""),
    ("6045000000000152", Refusal.FUNCTION_BLOCKED_FOR_CARD_RANK, 50_000, EXPIRY, ""),
    ("6045000000000160", Refusal.PIN_ATTEMPTS_EXCEEDED, 50_000, EXPIRY, PIN),
    ("6045000000000178", Refusal.DO_NOT_HONOUR, 50_000, EXPIRY, ""),
    ("6045000000000186", Refusal.TEMPORARY_FAILURE, 50_000, EXPIRY, ""),
    ("6045000000000194", Refusal.FUNCTION_NOT_SUPPORTED, 50_000, EXPIRY, ""),
    ("6045000000000202", Refusal.ROUTING_ERROR, 50_000, EXPIRY, ""),
)
"""Number, state, both balances in cents, expiry, and PIN if the card has one."""

HOLDERS = {"6045000000000061": "sandbox-ada", "6045000000000087": "sandbox-bo"}
"""Profile id of the holder, by card: what a lookup by card holder finds."""

_LOYAL = "6045000000000061"
LOYALTY: dict[str, dict[str, object]] = {
    "gold": {
        "points": {
            "balanceAmount": {"amount": 1_250, "currencyEquivalent": {"amount": 1_250, "currency": "710"}},
            "availableAmount": {"amount": 1_200, "pointsDueToExpire": 50},
        },
        "clubs": [
            {
                "name": "Sandbox Gold",
                "description": "A club that does not exist",
                "member": True,
                "marketToCustomer": False,
                "products": [{"id": "product001", "type": "physical"}],
            }
        ],
        "marketingAttributes": [{"name": "newsletter", "member": False, "marketToCustomer": True}],
    }
}
"""What a lookup adds for a card with this loyalty label; one demo card has it."""

TOLD_AMOUNTS: dict[str, dict[str, object]] = {
    "gold": {
        "feeAmount": {"amount": 150, "currency": "710", "ledgerIndicator": "DEBIT"},
        "approvedAmount": {"amount": 0, "currency": "710"},
        "additionalAmounts": {"pending": {"amount": 2_500, "currency": "710", "ledgerIndicator": "CREDIT"}},
    }
}
"""The amounts a lookup tells of such a card besides its balances. No fee is taken: it is there to be seen."""


def demo_cards() -> list[BankCard]:
    """Return the demo cards, fresh: number, state, balance in cents, expiry, and PIN if any.

    The last eight are always refused, each with the error type that is its state: Electrum documents
    these errors and no operation that leads to them (assumption).
    """
    return [
        BankCard(
            number=number,
            currency=CURRENCY,
            state=str(state),
            book_minor=balance,
            available_minor=balance,
            expiry=expiry,
            pin=pin,
            labels=_labels(number, state, pin),
        )
        for number, state, balance, expiry, pin in _DEMO_CARDS
    ]


def _labels(number: str, state: str, pin: str) -> dict[str, str]:
    holder = HOLDERS.get(number)
    return {
        **({"holder": holder} if holder else {}),
        **(pin_labels(pin, PIN_BLOCK) if pin else {}),
        **({} if state is _NEW else {"product": "product001"}),
        **({"loyalty": "gold", "rank": "primary"} if number == _LOYAL else {}),
    }


def pin_labels(pin: str, block: str = "") -> dict[str, str]:
    """Return the encrypted and hashed forms a card takes for its PIN; the hash is SHA-256."""
    digest = hashlib.sha256(pin.encode()).hexdigest().upper()
    return {"pin_hash": digest, **({"pin_block": block} if block else {})}


def sandbox_settings() -> Mapping[str, object]:
    """Return the settings an adapter needs for this sandbox, besides `base_url`."""
    return {
        "institution_id": INSTITUTION_ID,
        "institution_name": "Sandbox Retailer",
        "password": PASSWORD,
        "terminal_id": "SANDBOX1",
        "merchant_id": "SANDBOXSHOP0001",
        "merchant_category_code": "5411",
        "merchant_name": "Sandbox Shop",
        "merchant_city": "Cape Town",
        "merchant_region": "WC",
        "merchant_country": "ZA",
        "is_expiry_needed": False,
        "partial_advices": True,
    }
