"""Events signed as Gr4vy signs them; the caller sends them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from giftcard_simulators.gr4vy.books import MERCHANT_ACCOUNT_ID, WEBHOOK_SECRET
from giftcard_simulators.sandbox import Plain

HEADER_FAMILIES = {
    "guide": ("x-gr4vy-webhook-timestamp", "x-gr4vy-webhook-signatures", "x-gr4vy-webhook-id"),
    "sdk": ("x-gr4vy-timestamp", "x-gr4vy-signature", "x-gr4vy-webhook-id"),
}
"""The header names of Gr4vy's webhook guide, and those of its SDK's README."""


def sign(body: bytes, *, timestamp: int, secrets: Sequence[str]) -> str:
    """Return one signature for each active secret, separated by commas."""
    signed = f"{timestamp}.".encode() + body
    return ",".join(hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)


def signed_event(
    name: str,
    target: Plain,
    *,
    event_id: str,
    at: datetime,
    secrets: Sequence[str] = (WEBHOOK_SECRET,),
    family: str = "guide",
) -> tuple[Mapping[str, str], bytes]:
    """Return the headers and the body of an event about `target`, signed at `at`."""
    body = msgspec.json.encode(
        {
            "type": "event",
            "id": event_id,
            "name": name,
            "created_at": at.isoformat(),
            "merchant_account_id": MERCHANT_ACCOUNT_ID,
            "gr4vy_id": "sandbox",
            "environment": "sandbox",
            "target": target,
        }
    )
    timestamp = int(at.timestamp())
    timestamp_name, signatures_name, id_name = HEADER_FAMILIES[family]
    headers = {
        "content-type": "application/json",
        timestamp_name: str(timestamp),
        signatures_name: sign(body, timestamp=timestamp, secrets=secrets),
        id_name: event_id,
    }
    return headers, body
