"""The settings of one Gr4vy merchant account. No behaviour lives here."""

from __future__ import annotations

from typing import Annotated

import msgspec

from giftcard_adapters.bounds import SpanSeconds
from giftcard_adapters.contract import Settings
from giftcard_adapters.values.secret import Secret


class Gr4vySettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one Gr4vy merchant account is reached."""

    private_key: Secret
    """The PEM of the EC P-521 key whose public half Gr4vy has."""
    merchant_account_id: Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]+\Z")] = "default"
    """Sent as a header."""
    scopes: tuple[str, ...] = (
        "gift-cards.read",
        "gift-cards.write",
        "transactions.read",
        "transactions.write",
    )
    token_lifetime_s: Annotated[float, msgspec.Meta(ge=120, le=86400)] = 3600.0
    time_zone: str = "UTC"
    """Where a time without an offset is read, as an IANA name; Gr4vy documents times with one."""
    webhook_secrets: tuple[Secret, ...] = ()
    """Every secret that is active now: while one is rotated there are two."""
    webhook_tolerance_s: SpanSeconds = 300.0
    """How far the time of signing may be from the time of arrival."""
