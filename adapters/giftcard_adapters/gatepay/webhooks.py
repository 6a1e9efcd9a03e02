"""GatePay's callbacks: whether one is authentic and fresh, and what it tells.

Pure: the time of arrival comes with the webhook. Repeated deliveries are recognised by the gateway.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from giftcard_adapters.errors import Unreadable, WebhookRejected, WebhookUnreadable
from giftcard_adapters.gatepay import wire
from giftcard_adapters.gatepay.settings import GatePaySettings
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.transaction_id import own_id

ACKNOWLEDGEMENT = b'{"returnCode":"SUCCESS","returnMessage":""}'
"""What GatePay waits for; any other answer makes it repeat the callback for a day."""

_BATCH = "PAY_GIFT_BATCH"
_MS = 1000
_MOST_DIGITS = 19
"""Of an amount, before its point and before its first digit that is not zero; of a time besides."""
_EXACTLY = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
"""Arithmetic that refuses where the usual context would round."""


def verify(webhook: Webhook, settings: GatePaySettings) -> None:
    """Raise WebhookRejected unless the callback is signed with our secret and about as old as it says."""
    timestamp = webhook.headers.get("x-gatepay-timestamp", "")
    nonce = webhook.headers.get("x-gatepay-nonce", "")
    given = webhook.headers.get("x-gatepay-signature", "")
    secret = settings.webhook_secret or settings.api_secret
    expected = wire.signature(secret, timestamp, nonce, webhook.body)
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise WebhookRejected("the event's signature is not ours")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MOST_DIGITS):
        raise WebhookRejected("the event's timestamp is not a number")
    drift_s = abs(webhook.received_at.timestamp() - int(timestamp) / _MS)
    if drift_s > settings.webhook_drift_s:
        raise WebhookRejected("the event is too old, or from the future")


def read(webhook: Webhook, settings: GatePaySettings) -> Sequence[ProviderEvent]:
    """Read a verified callback; raise WebhookUnreadable, or WebhookRejected for another client's."""
    try:
        told, _ = wire.NOTIFICATION.read(webhook.body)
        batch = wire.BATCH.read(told.data.encode())[0] if told.bizType == _BATCH else wire.Batch()
    except Unreadable:
        raise WebhookUnreadable("the event cannot be read") from None
    if told.client_id != settings.client_id:
        raise WebhookRejected("the event is for another client")
    return [_event(told, batch, webhook.body)]


def _event(told: wire.Notification, batch: wire.Batch, body: bytes) -> ProviderEvent:
    """Return a callback as an event, named by what the provider says to de-duplicate by.

    It proves nothing about a create: the API that makes batches is not public.
    """
    named = batch.externalId or told.bizId or hashlib.sha256(body).hexdigest()
    ids = {"external_id": batch.externalId, "biz_id": told.bizId}
    return ProviderEvent(
        event_id=f"{told.bizType}:{named}:{told.bizStatus}",
        name=told.bizType,
        transaction_id=own_id(batch.externalId),
        references={name: value for name, value in ids.items() if value},
        attributes={"status": scrub(told.bizStatus), **_totals(batch)},
    )


def _totals(batch: wire.Batch) -> dict[str, str]:
    """Return how many cards a batch has, and their worth in each currency in which all of it can be told."""
    sums: dict[str, Decimal | None] = {}
    for item in batch.batchItemList:
        sums[item.currency] = _sum(sums.get(item.currency, Decimal(0)), item.amount)
    totals = {f"total_{currency}": f"{total:f}" for currency, total in sums.items() if total is not None}
    return {"cards": str(len(batch.batchItemList)), **totals} if sums else {}


def _sum(before: Decimal | None, amount: Decimal) -> Decimal | None:
    """Return an exact sum; None for what is no number, or has more digits than an amount can have."""
    if before is None or not amount.is_finite():
        return None
    try:
        total = _EXACTLY.add(before, amount)
    except (Inexact, InvalidOperation, Overflow):
        return None
    return total if abs(total.adjusted()) < _MOST_DIGITS else None
