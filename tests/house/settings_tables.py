"""Every table of the configuration with the struct it is read into, and how our pages write a default."""

from __future__ import annotations

import msgspec

from giftcard_adapters.contract import Settings as AdapterSettings
from giftcard_adapters.engine import PoolLimits, Tls
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config import settings
from giftcard_gateway.config.access import Access, Grant, Issuer
from giftcard_gateway.config.tls import ListenerTls
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.kms.settings import Pkcs11Settings
from giftcard_gateway.providers.connections import Terms
from giftcard_gateway.providers.routing import Rule

TABLES: dict[str, type[msgspec.Struct]] = {
    "[server]": settings.Server,
    "[server.tls]": ListenerTls,
    "[access]": Access,
    "[access.issuers.ID]": Issuer,
    '[access.certificates."NAME"]': Grant,
    "[journal]": JournalSettings,
    "[cells.ID]": JournalSettings,
    '[tenants."NAME"]': settings.Tenant,
    "[seal]": settings.Seal,
    "[kms.ID]": Pkcs11Settings,
    "[telemetry]": settings.Telemetry,
    "[limits]": settings.Limits,
    "[webhooks]": settings.Webhooks,
    "[console]": settings.Console,
    "[routing]": settings.Routing,
    "[[routing.rules]]": Rule,
    "[providers.ID]": settings.Provider,
    "[providers.ID.settings]": AdapterSettings,
    "[providers.ID.limits]": PoolLimits,
    "[providers.ID.tls]": Tls,
    "[providers.ID.terms]": Terms,
}


def written(field: msgspec.structs.FieldInfo) -> str:
    """Return a setting's default as the page writes it."""
    if field.required:
        return "needed"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    value = value.reveal() if isinstance(value, Secret) else value
    if isinstance(value, msgspec.Struct):
        return "below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple) and value:
        return ", ".join(f"`{one}`" for one in value)
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{value}`" if value else "–"
