"""The settings of one AcmeCards shop, as an operator writes them."""

from __future__ import annotations

from giftcard_adapters.contract import Settings
from giftcard_adapters.values.secret import Secret


class AcmeCardsSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one AcmeCards shop is reached."""

    key_id: str
    signing_key: Secret
    """Signs what we send."""
