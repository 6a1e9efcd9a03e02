"""JeudiMerci's webhook events: whether one is authentic, and what it tells.

An event has no signature and no time of sending, so a replay is recognised by `event_id` alone.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from giftcard_adapters.errors import Unreadable, WebhookRejected, WebhookUnreadable
from giftcard_adapters.jeudimerci import wire
from giftcard_adapters.jeudimerci.answers import card_id, money_of
from giftcard_adapters.jeudimerci.settings import JeudiMerciSettings
from giftcard_adapters.paths import is_segment
from giftcard_adapters.scrub import scrub
from giftcard_adapters.times import instant
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.transaction_id import own_id


def verify(webhook: Webhook, settings: JeudiMerciSettings) -> None:
    """Raise WebhookRejected unless the event carries the x-api-key of the settings."""
    expected = settings.webhook_api_key
    given = webhook.headers.get("x-api-key", "")
    if expected is None or not hmac.compare_digest(given.encode(), expected.reveal().encode()):
        raise WebhookRejected("the event's x-api-key is not ours")


def read(webhook: Webhook, settings: JeudiMerciSettings) -> Sequence[ProviderEvent]:
    """Read a verified event; raise WebhookUnreadable when it cannot be."""
    try:
        event = wire.WEBHOOK_PAYLOAD.read(webhook.body)[0]
    except Unreadable:
        raise WebhookUnreadable("the event cannot be read") from None
    return [_event(event, webhook.body, settings)]


def _event(event: wire.WebhookPayload, body: bytes, settings: JeudiMerciSettings) -> ProviderEvent:
    """Return a webhook's event.

    An event that names a card does not prove that its issue is complete, and the values of eventType are
    not public. So its outcome is UNKNOWN with the card, and `find` asks for the card's details.
    """
    about = event.resource
    card = _card(about, settings)
    proof = Outcome(
        verdict=Verdict.UNKNOWN,
        issued_cards=(card,) if card else (),
        evidence=f"the provider's event {scrub(event.event_type)} names an e-card",
    )
    return ProviderEvent(
        event_id=_event_id(event, body, settings.id_key),
        name=event.event_type,
        occurred_at=instant(event.date, settings.time_zone),
        transaction_id=own_id(about.merchant_operation_id),
        references=_told(operation_id=about.operation_id, merchant_operation_id=about.merchant_operation_id),
        outcome=proof if card else None,
        attributes=_told(
            offer_id=scrub(about.offer_id or ""), amount=None if about.amount is None else str(about.amount)
        ),
    )


def _card(about: wire.WebhookResource, settings: JeudiMerciSettings) -> IssuedCard | None:
    code = about.virtual_card_code or ""
    if not is_segment(code):
        return None
    return IssuedCard(
        redemption_key=Secret(code),
        pin=Secret(about.pin_code) if about.pin_code else None,
        barcode=Secret(about.bar_code) if about.bar_code else None,
        provider_card_id=card_id(code, settings.id_key),
        amount=money_of(about.amount, settings.currency),
        expires_at=instant(about.expiration_date, settings.time_zone),
    )


def _event_id(event: wire.WebhookPayload, body: bytes, key: Secret) -> str:
    """Return an id made from what the event is about, or from its whole body without an operation id."""
    about = event.resource
    named = (event.event_type, about.operation_id or "", about.virtual_card_code or "")
    identity = wire.encode(named) if about.operation_id else body
    return hmac.new(key.reveal().encode(), identity, hashlib.sha256).hexdigest()


def _told(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
