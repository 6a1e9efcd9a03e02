"""Gr4vy's webhooks: whether an event is authentic and fresh, and what it tells.

Pure: the webhook carries its time of arrival. The gateway drops repeated deliveries.

Sources: Gr4vy's webhook guides. Gr4vy's SDK calls the headers by other names than its guides, so
both are read.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from uuid import UUID

from giftcard_adapters.errors import Unreadable, WebhookRejected, WebhookUnreadable
from giftcard_adapters.gr4vy import wire
from giftcard_adapters.gr4vy.settings import Gr4vySettings
from giftcard_adapters.scrub import scrub
from giftcard_adapters.times import instant
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.transaction_id import own_id

_HEADER_FAMILIES = (
    ("x-gr4vy-webhook-timestamp", "x-gr4vy-webhook-signatures"),
    ("x-gr4vy-timestamp", "x-gr4vy-signature"),
)
_MOST_SIGNATURES = 10
"""One per active secret; more could only cost time."""


def verify(webhook: Webhook, settings: Gr4vySettings) -> None:
    """Raise WebhookRejected unless one secret signed this very body at about the time it came."""
    timestamp, signatures = _signed_headers(webhook)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len("99999999999")):
        raise WebhookRejected("the timestamp is not Unix seconds")
    if not _is_signed(webhook.body, timestamp, signatures, settings.webhook_secrets):
        raise WebhookRejected("no signature fits")
    if abs(webhook.received_at.timestamp() - int(timestamp)) > settings.webhook_tolerance_s:
        raise WebhookRejected("the event was signed too long ago, or in the future")


def read(webhook: Webhook, zone: str) -> Sequence[ProviderEvent]:
    """Read a verified event, a zoneless time in `zone`; raise WebhookUnreadable when it cannot be.

    It never carries an outcome. The published events are about the payment method and only tell that
    there are redemptions; and whether an amount is the one asked for cannot be told from here.
    """
    try:
        event, _ = wire.WEBHOOK_EVENT.read(webhook.body)
        target, _ = wire.WEBHOOK_TARGET.read(bytes(event.target))
    except Unreadable:
        raise WebhookUnreadable("the event cannot be read") from None
    # The id in the body is signed; the header, the same for every delivery, is not.
    event_id = event.id or webhook.headers.get("x-gr4vy-webhook-id", "")
    if not event_id:
        raise WebhookUnreadable("the event has no id")
    return (
        ProviderEvent(
            event_id=event_id,
            name=event.name or event.type,
            occurred_at=instant(event.created_at, zone),
            transaction_id=_our_id(target),
            references=_references(target),
            attributes=_attributes(event, target),
        ),
    )


def _signed_headers(webhook: Webhook) -> tuple[str, list[str]]:
    for timestamp_name, signatures_name in _HEADER_FAMILIES:
        timestamp = webhook.headers.get(timestamp_name, "").strip()
        signatures = webhook.headers.get(signatures_name, "")
        if timestamp and signatures:
            return timestamp, [signature.strip() for signature in signatures.split(",")][:_MOST_SIGNATURES]
    raise WebhookRejected("the event is not signed")


def _is_signed(body: bytes, timestamp: str, signatures: Sequence[str], secrets: Sequence[Secret]) -> bool:
    is_signed = False
    for secret in secrets:
        signed = timestamp.encode() + b"." + body
        expected = hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest().encode()
        for signature in signatures:
            # Every pair is compared, so that the time taken tells nothing.
            is_signed |= hmac.compare_digest(expected, signature.encode())
    return is_signed


def _our_id(target: wire.WebhookTarget) -> str:
    names = {"transaction": target.external_identifier, "refund": target.transaction_external_identifier}
    name = names.get(target.type) or ""
    try:
        return name if str(UUID(name)) == name else ""
    except ValueError:
        # Other users of the merchant account may use identifiers of any form.
        return ""


def _references(target: wire.WebhookTarget) -> dict[str, str]:
    if target.type == "transaction" and target.id:
        return {"transaction_id": target.id}
    if target.type == "refund" and target.transaction_id:
        return {"transaction_id": target.transaction_id}
    return {}


def _attributes(event: wire.WebhookEvent, target: wire.WebhookTarget) -> dict[str, str]:
    told = {
        "target_type": target.type,
        "target_id": target.id,
        "target_status": target.status or "",
        "external_identifier": target.external_identifier or "",
        "merchant_account_id": event.merchant_account_id,
        "environment": event.environment,
    }
    # An id of our own can look like a run of digits, and is nobody's card.
    return {
        name: value if name == "target_id" or own_id(value) else scrub(value)
        for name, value in told.items()
        if value
    }
