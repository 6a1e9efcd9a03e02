"""The opening data of the Gr4vy sandbox: keys, secrets, demo cards. All of it is made up.

The key pair is computed from a fixed number, so that every process has the same one without a key
file. It protects nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from giftcard_simulators.bank import BankCard

MERCHANT_ACCOUNT_ID = "default"
"""The only merchant account of the sandbox."""

WEBHOOK_SECRET = "sandbox-gr4vy-webhook-secret"  # noqa: S105  # fixed, documented, worth nothing
"""The secret the sandbox signs events with."""

CURRENCY = "USD"
"""The currency of every card of the sandbox."""

THEME = "031111372"
"""The one theme cards can be issued with; Gr4vy's own example."""

PAST_EXPIRY = "2020-01-31T00:00:00+00:00"
EXPIRY = "2049-12-31T00:00:00+00:00"

_DEMO_CARDS = (
    ("6045100000000001", "050000", 50_000, "active", EXPIRY),
    ("6045100000000002", "050000", 50_000, "active", EXPIRY),
    ("6045100000000003", "00100", 100, "active", EXPIRY),
    ("6045100000000004", "00000", 0, "active", EXPIRY),
    ("6045100000000005", "050000", 50_000, "active", PAST_EXPIRY),
    ("6045100000000006", "01234", 0, "inactive", EXPIRY),
    ("6045100000000007", "01234", 0, "inactive", EXPIRY),
    ("6045100000000000008", "0100000", 100_000, "active", EXPIRY),
)
"""Number, PIN, balance in cents, state, expiry."""


def demo_cards() -> Iterable[BankCard]:
    """Return the demo cards with their opening balances."""
    for number, pin, balance, state, expiry in _DEMO_CARDS:
        yield BankCard(
            number=number,
            currency=CURRENCY,
            state=state,
            book_minor=balance,
            available_minor=balance,
            pin=pin,
            expiry=expiry,
        )


@cache
def private_key_pem() -> str:
    """Return the sandbox's signing key, the same in every process."""
    digest = hashlib.sha512(
        b"the gr4vy sandbox of the gift card gateway: fake, fixed, worth nothing"
    ).digest()
    key = ec.derive_private_key(int.from_bytes(digest, "big"), ec.SECP521R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def sandbox_settings() -> Mapping[str, object]:
    """Return the settings an adapter needs for this sandbox, besides `base_url`."""
    return {
        "private_key": private_key_pem(),
        "merchant_account_id": MERCHANT_ACCOUNT_ID,
        "webhook_secrets": [WEBHOOK_SECRET],
    }
