"""The settings of one GatePay application, and the checks that their types cannot make."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from giftcard_adapters.bounds import SpanSeconds
from giftcard_adapters.calls import is_header_value
from giftcard_adapters.contract import Settings
from giftcard_adapters.values.money import CURRENCIES
from giftcard_adapters.values.secret import Secret


class Dialect(StrEnum):
    """Which of GatePay's two descriptions the server speaks."""

    REFERENCE = "reference"
    """The API reference and the three official SDKs; most likely the real server (assumption)."""
    GUIDE = "guide"
    """The gift card guide."""


class GatePaySettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one GatePay application is reached. The public base URL is https://openplatform.gateapi.io."""

    client_id: str
    api_secret: Secret
    """The "Payment API Secret"; signs what we send."""
    webhook_secret: Secret | None = None
    """Verifies callbacks; the api secret where left out, because the scheme is the same."""
    dialect: Dialect = Dialect.REFERENCE
    currencies: dict[str, str] = msgspec.field(default_factory=dict)
    """Our ISO 4217 code to the provider's, such as `USD = "USDT"`: the operator's decision, never ours."""
    title: str = ""
    """The title of a card whose issue names none."""
    template_id: str = ""
    """The template of a card whose issue names none."""
    certificate_sn: Secret | None = None
    """Sent with every POST, as the Java SDK does; not in the current documentation."""
    on_behalf_of: str = ""
    """The sub-account id of the institution variant, reference dialect only."""
    institution_prefix: str = "/payment/open/institution"
    webhook_drift_s: SpanSeconds = 600.0
    """How old a callback may be; whether a repeated one is signed anew is not public."""


def faults_of(settings: GatePaySettings) -> Sequence[str]:
    """Return what is wrong with settings whose types are right, one sentence each."""
    faults = [
        f"key 'currencies': {ours!r:.12} is not an ISO 4217 currency with minor units"
        for ours in settings.currencies
        if ours not in CURRENCIES
    ]
    if len(set(settings.currencies.values())) != len(settings.currencies):
        faults.append("key 'currencies': two of our currencies have one name at the provider")
    if settings.on_behalf_of and settings.dialect is not Dialect.REFERENCE:
        faults.append("key 'on_behalf_of': only the reference dialect has an institution variant")
    sn = settings.certificate_sn
    sent = {
        "client_id": settings.client_id,
        "certificate_sn": sn.reveal() if sn else "",
        "on_behalf_of": settings.on_behalf_of,
    }
    faults += [
        f"key {key!r}: cannot stand in a header" for key, text in sent.items() if not is_header_value(text)
    ]
    return faults
