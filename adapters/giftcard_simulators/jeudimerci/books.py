"""The opening data of the JeudiMerci sandbox: credentials, wallet, cards, offers, accounts. All made up.

The wallet is a card of the bank too, so that every effect moves money between two cards.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from giftcard_simulators.bank import BankCard

API_KEY = "sandbox-jeudimerci-key"
"""The x-api-key of every request."""
WEBHOOK_KEY = "sandbox-jeudimerci-webhook-key"
"""The x-api-key of every event the sandbox sends."""
CURRENCY = "EUR"
"""The API names no currency; the sandbox's wallet holds euros."""
WALLET = "WALLET"
"""The wallet's number in the books; no path of the API leads to it."""
WALLET_OPENING_MINOR = 1_000_000

PENDING_PRICE = Decimal("13.13")
"""Cards of this price are made and the answer's status is `pending`."""
SHORT_PRICE = Decimal("14.14")
"""Of cards of this price one fewer is made than asked for, and the answer's status is `partial`."""
COSTLESS_PRICE = Decimal("15.15")
"""Cards of this price are made with an ECardCost of 0, as in the page's own example."""

ACTIVE, CONSUMED, DELETED = "ACTIVE", "CONSUMED", "DELETED"
_BOUGHT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
_DEMO_CARDS = (
    ("JDMDEMO000000001", ACTIVE, 2_500, 2_500),
    ("JDMDEMO000000002", ACTIVE, 5_000, 5_000),
    ("JDMDEMO000000003", CONSUMED, 2_500, 0),
    ("JDMDEMO000000004", ACTIVE, 2_500, 1_000),
)

_CINEMA_MINOR = 2_500
"""An e-card of the fixed offer's price counts as one of that offer (assumption)."""

OFFERS: tuple[Mapping[str, object], ...] = (
    {
        "offerId": "offer-cinema",
        "name": "Cinema evening",
        "offerType": "FIXED",
        "codeType": "BARCODE",
        "usageLocation": "STORE",
        "price": 25.0,
        "isActive": True,
    },
    {
        "offerId": "offer-free-choice",
        "name": "Free choice",
        "offerType": "OPEN",
        "codeType": "PIN",
        "usageLocation": "ONLINE",
        "minPrice": 5.0,
        "maxPrice": 150.0,
        "isActive": True,
    },
)
ACCOUNTS: tuple[Mapping[str, object], ...] = (
    {
        "accountId": "account-1",
        "name": "Sandbox Wallet",
        "currency": "EUR",
        "mandateType": "OWNER",
        "balance": 10_000.0,
        "contact": {"name": "Ada Sandbox", "email": "ada@sandbox.example"},
    },
    {
        "accountId": "account-2",
        "name": "Sandbox Savings",
        "currency": "EUR",
        "mandateType": "DELEGATE",
        "balance": 250.5,
        "contact": {"name": "Bo Sandbox", "email": "bo@sandbox.example"},
    },
    {
        "accountId": "account-3",
        "name": "Sandbox Zurich",
        "currency": "CHF",
        "mandateType": "OWNER",
        "balance": 0.0,
        "contact": {"name": "Cy Sandbox", "email": "cy@sandbox.example"},
    },
)


def opening_cards() -> list[BankCard]:
    """Return the wallet and the demo cards, fresh; what a demo card cost is its label `cost_minor`."""
    wallet = BankCard(
        number=WALLET,
        currency=CURRENCY,
        state=ACTIVE,
        book_minor=WALLET_OPENING_MINOR,
        available_minor=WALLET_OPENING_MINOR,
    )
    demo = [
        e_card(number, cost, _BOUGHT, operation="demo", state=state, left_minor=left)
        for number, state, cost, left in _DEMO_CARDS
    ]
    return [wallet, *demo]


def e_card(
    code: str,
    cost_minor: int,
    bought: datetime,
    *,
    operation: str,
    state: str = ACTIVE,
    left_minor: int = 0,
) -> BankCard:
    """Return an e-card; `operation` is the generate it came from."""
    labels = {"cost_minor": str(cost_minor), "bought": bought.isoformat(), "operation": operation}
    labels["offer"] = "offer-cinema" if cost_minor == _CINEMA_MINOR else "offer-free-choice"
    return BankCard(
        number=code,
        currency=CURRENCY,
        state=state,
        book_minor=left_minor,
        available_minor=left_minor,
        labels=labels,
    )


def sandbox_settings() -> Mapping[str, object]:
    """Return the settings an adapter needs for this sandbox, besides `base_url`."""
    return {
        "api_key": API_KEY,
        "currency": CURRENCY,
        "webhook_api_key": WEBHOOK_KEY,
        "card_id_key": "sandbox-jeudimerci-card-ids",
        "is_list_complete": True,
        "offers_path": "/jdm/offers",
    }
