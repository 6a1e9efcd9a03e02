"""The opening data of the GatePay sandbox: credentials, templates, cards, test switches. All made up.

The merchant's payment account is a card of the bank too. Amounts are in millionths, because
GatePay writes six decimals.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from giftcard_simulators.bank import BankCard

CLIENT_ID = "sandbox-gatepay-client"
"""The X-GatePay-Certificate-ClientId of every request."""
SECRET = "sandbox-gatepay-secret"  # noqa: S105  # fixed, documented, worth nothing
"""The Payment API Secret; it signs requests and callbacks."""
SUB_ACCOUNT = "sandbox-sub-account"
"""The X-GatePay-On-Behalf-Of of the institution variant."""
MERCHANT_UID = 10_000_001
MERCHANT_NAME = "sandbox-merchant"

ACCOUNT = "ACCOUNT-"
"""Before a currency: the number of the merchant's account in it; no path of the API leads to it."""
ACCOUNT_OPENING = 10_000
MILLIONTHS = 1_000_000

PENDING, READY, REDEEMED, FROZEN = "1", "2", "3", "4"
PAYMENT_FAILED, REVIEW, REJECTED, REVIEW_PAYMENT_FAILED = "5", "6", "7", "8"

COURSES: Mapping[str, tuple[str, str]] = {
    "sandbox: at once": (READY, READY),
    "sandbox: review": (REVIEW, READY),
    "sandbox: payment failed": (PENDING, PAYMENT_FAILED),
    "sandbox: rejected": (REVIEW, REJECTED),
    "sandbox: review payment failed": (REVIEW, REVIEW_PAYMENT_FAILED),
    "sandbox: frozen": (PENDING, FROZEN),
}
"""Test switches: a title, the status its card is created with, and the status it settles to."""
USUAL_COURSE = (PENDING, READY)

TEMPLATES = (
    ("255267012439183360", "Sandbox Birthday", "沙盒生日", "birthday"),
    ("255267012439183361", "Sandbox Thank you", "沙盒感谢", "thanks"),
    ("255267012439183362", "Sandbox Plain", "沙盒简约", "plain"),
)
"""Template id, English title, Chinese title, cover type."""

PREFIX = "60452"
"""How every card number of this sandbox begins, so that it can be routed by."""
_MADE = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
_DEMO_CARDS = (
    ("6045200000000001", READY),
    ("6045200000000002", REDEEMED),
    ("6045200000000003", FROZEN),
    ("6045200000000004", PAYMENT_FAILED),
)
_DEMO_WORTH = 25 * MILLIONTHS


def key_of(number: str) -> str:
    """Return a card's key: 44 characters of base64, as in the manual's examples."""
    return base64.b64encode(hashlib.sha256(f"sandbox {number}".encode()).digest()).decode()


def opening_cards() -> list[BankCard]:
    """Return the merchant's accounts and the demo cards of 25 USDT, fresh."""
    accounts = [_account(currency) for currency in ("USDT", "USD", "EUR")]
    return accounts + [
        gift_card(
            number,
            _DEMO_WORTH,
            "USDT",
            title="Sandbox demo",
            template=TEMPLATES[0][0],
            made=_MADE,
            course=(status, status),
        )
        for number, status in _DEMO_CARDS
    ]


def gift_card(
    number: str,
    worth: int,
    currency: str,
    *,
    title: str,
    template: str,
    made: datetime,
    course: tuple[str, str],
) -> BankCard:
    """Return a gift card; it holds its amount at once only if it starts as settled."""
    first, last = course
    held = worth if first == last and first in {READY, FROZEN} else 0
    labels = {
        "worth": str(worth),
        "title": title,
        "template": template,
        "made": made.isoformat(),
        "settles_to": last,
        "queries": "0",
        "key": key_of(number),
    }
    return BankCard(
        number=number,
        currency=currency,
        state=first,
        book_minor=held,
        available_minor=held,
        labels=labels,
    )


def sandbox_settings() -> Mapping[str, object]:
    """Return the settings an adapter needs for this sandbox in the reference dialect, besides `base_url`."""
    return {
        "client_id": CLIENT_ID,
        "api_secret": SECRET,
        "dialect": "reference",
        "currencies": {"USD": "USDT"},
        "title": "Gift card",
        "template_id": TEMPLATES[0][0],
    }


def guide_settings() -> Mapping[str, object]:
    """Return the same in the guide's dialect."""
    return {**sandbox_settings(), "dialect": "guide"}


def _account(currency: str) -> BankCard:
    opening = ACCOUNT_OPENING * MILLIONTHS
    return BankCard(
        number=ACCOUNT + currency,
        currency=currency,
        state=READY,
        book_minor=opening,
        available_minor=opening,
    )
