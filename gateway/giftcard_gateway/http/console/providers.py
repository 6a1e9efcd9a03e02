"""The page of the providers: how each fares, what is owed to it, and which are paused."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.http.console.visits import see
from giftcard_gateway.http.console.words import exchanges_of, latency_of, time_of

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
    paused_at: datetime | None
    paused_by: str
    paused_why: str
    latency: str
    """Within what time half of the last minutes' answers came, and 99 of 100; empty without any."""
    exchanges: str
    """How many exchanges a minute this process made in them, and how many failed; empty without any."""


async def show_providers(visit: Visit) -> web.Response:
    """Show every provider that the person may use."""
    rows = [_row(one) for one in await read_providers(visit)]
    return visit.page("providers.html", rows=rows)


async def pause(visit: Visit) -> web.Response:
    """Have nothing new sent to a provider, or send to it again."""
    reason, provider = visit.form.line("reason"), visit.form.text("provider")
    is_resumed = visit.form.text("action") == "resume"
    if not reason or not provider or not visit.form.text("sure"):
        sentence = "Choose a provider, give a reason, and say that you are sure."
        return visit.page("refused.html", status=HTTPStatus.BAD_REQUEST, sentence=sentence)
    # Whoever acts for another tenant pauses as themselves: an account is their own tenant's to pause.
    if is_resumed:
        resumed = v1.ResumeProviderRequest(provider=provider, note=reason)
        await visit.call("ResumeProvider", resumed, tenant="", reason=reason)
    else:
        paused = v1.PauseProviderRequest(provider=provider, note=reason)
        await visit.call("PauseProvider", paused, tenant="", reason=reason)
    takes = "takes new transactions" if is_resumed else "is paused: nothing new is sent to it"
    visit.session.notice = f"{provider} {takes}."
    return see("/providers")


async def read_providers(visit: Visit) -> list[v1.Provider]:
    """Return the providers; raise CallRefused."""
    # Providers are of no tenant, but what is counted of them is of whom the person acts for.
    told = await visit.call("ListProviders", v1.ListProvidersRequest(page_size=_MOST))
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
        paused_at=time_of(one.pause.pause_time) if one.HasField("pause") else None,
        paused_by=one.pause.paused_by,
        paused_why=one.pause.note,
        latency=latency_of(one),
        exchanges=exchanges_of(one),
    )
