"""The page of the providers: how each fares, and what is owed to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.http.console.words import time_of

if TYPE_CHECKING:
    from datetime import datetime

    from aiohttp import web

    from giftcard_gateway.http.console.visits import Visit

_MOST = 500


@dataclass(frozen=True, kw_only=True)
class ProviderRow:
    """One provider, as the page shows it."""

    provider: str
    name: str
    is_enabled: bool
    health: str
    circuit: str
    backlog: int
    oldest_at: datetime | None
    unresolved: int
    answered_at: datetime | None


async def show_providers(visit: Visit) -> web.Response:
    """Show every provider that the person may use."""
    rows = [_row(one) for one in await read_providers(visit)]
    return visit.page("providers.html", rows=rows)


async def read_providers(visit: Visit) -> list[v1.Provider]:
    """Return the providers; raise CallRefused."""
    # Providers are of no tenant: whoever acts for all of them at once reads their own.
    told = await visit.call("ListProviders", v1.ListProvidersRequest(page_size=_MOST), tenant="")
    return list(told.providers)


def _row(one: v1.Provider) -> ProviderRow:
    return ProviderRow(
        provider=one.provider,
        name=one.display_name,
        is_enabled=one.enabled,
        health=v1.ProviderHealth.Name(one.health)
        .removeprefix("PROVIDER_HEALTH_")
        .replace("UNSPECIFIED", "–"),
        circuit=v1.CircuitState.Name(one.circuit_state).removeprefix("CIRCUIT_STATE_").replace("_", " "),
        backlog=one.advice_backlog,
        oldest_at=time_of(one.oldest_advice_time),
        unresolved=one.unresolved_count,
        answered_at=time_of(one.last_answer_time),
    )
