"""A webhook edge on a real port over a real journal, with the adapters and what signs for their providers.

Only the edge and the journal are started: what is proved here ends with the event in the journal.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from giftcard_adapters.codec import unpacker
from giftcard_adapters.contract import Provider, Settings
from giftcard_adapters.electrum import Electrum
from giftcard_adapters.errors import WebhookRejected
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.gatepay import GatePay
from giftcard_adapters.gr4vy import Gr4vy
from giftcard_adapters.jeudimerci import JeudiMerci
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.settings import Webhooks
from giftcard_gateway.journal.contract import EventRow
from giftcard_gateway.process.app import App
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from giftcard_simulators import electrum, gatepay, gr4vy, jeudimerci
from giftcard_simulators.gatepay.simulator import GatePaySimulator
from giftcard_simulators.gr4vy.webhooks import signed_event
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from giftcard_simulators.sandbox import Plain, SimRequest, seeded_ids
from tests.patience import PATIENCE_S
from tests.world.app import HOST, assemble, edge_of, settings
from tests.world.clock import ShiftedClock
from tests.world.journal import Door, Unsteady
from tests.world.observer import Heard
from tests.world.provider import Refusing

OLD_SECRET, NEW_SECRET = "gr4vy-secret-of-last-year", "gr4vy-secret-of-this-year"
E_CARD = "JDMDEMO000000001"
KEY = "k" * 24
OUR_ID = "0e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e11"
_EVENT = unpacker(ProviderEvent)


class Herald(Provider):
    """A made-up provider: its events are ours as they are packed, authentic under one key."""

    settings_type = Settings

    def __init__(self, settings: Settings, exchange: Exchange) -> None:
        """Have heard nothing."""
        super().__init__(settings, exchange)
        self.heard: list[Webhook] = []
        self.fault: Exception | None = None

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Read an event, or fail as told to."""
        self.heard.append(webhook)
        if self.fault is not None:
            raise self.fault
        if webhook.headers.get("x-key") != KEY:
            raise WebhookRejected("not ours")
        return [] if webhook.body == b"-" else [_EVENT.decode(webhook.body)]


@dataclass
class Edge:
    """The edge, what is behind it, and the providers' pens."""

    app: App
    clock: ShiftedClock
    journal: Unsteady
    door: Door
    heard: Heard
    http: httpx.AsyncClient
    ids: Callable[[], str] = field(default_factory=lambda: seeded_ids(1))

    @property
    def url(self) -> str:
        """Return where events are brought to."""
        return f"http://{HOST}:{edge_of(self.app).port}/webhooks"

    @property
    def herald(self) -> Herald:
        """Return the made-up provider."""
        provider = self.app.connections.get("herald").provider
        assert isinstance(provider, Herald)
        return provider

    async def post(self, provider: str, event: SimRequest, **headers: str) -> httpx.Response:
        """Bring an event, with headers changed or added."""
        sent = dict(event.headers) | headers
        return await self.http.post(f"{self.url}/{provider}", headers=sent, content=event.body)

    async def kept(self) -> Sequence[EventRow]:
        """Return every event the journal has."""
        return await self.journal.events(after="", limit=100)

    def gr4vy(
        self, secret: str = NEW_SECRET, target: Plain | None = None, event_id: str = "e1"
    ) -> SimRequest:
        """Return a Gr4vy event about a transaction of ours, signed now."""
        headers, body = signed_event(
            "transaction.captured",
            target or {"type": "transaction", "id": "t1", "external_identifier": OUR_ID},
            event_id=event_id,
            at=self.clock.now(),
            secrets=(secret,),
        )
        return SimRequest(method="POST", path="/", headers=headers, body=body)

    def jeudimerci(self) -> SimRequest:
        """Return a JeudiMerci event about a demo card."""
        played = JeudiMerciSimulator(now=self.clock.now, ids=self.ids)
        return played.completed_event(E_CARD)

    def gatepay(self) -> SimRequest:
        """Return a GatePay callback about a batch, signed now."""
        played = GatePaySimulator(now=self.clock.now, ids=self.ids)
        return played.batch_event("batch-7", ["10", "2.5"])

    def signed(self, provider: str, body: bytes) -> SimRequest:
        """Return any body as an authentic event."""
        if provider == "gr4vy":
            timestamp = str(int(self.clock.now().timestamp()))
            signed = hmac.new(
                NEW_SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256
            ).hexdigest()
            headers = {"x-gr4vy-webhook-timestamp": timestamp, "x-gr4vy-webhook-signatures": signed}
        else:
            headers = dict(self.event_of(provider).headers)
        return SimRequest(method="POST", path="/", headers=headers, body=body)

    def event_of(self, provider: str) -> SimRequest:
        """Return an authentic event of a provider."""
        pens: Mapping[str, Callable[[], SimRequest]] = {
            "gr4vy": self.gr4vy,
            "jeudimerci": self.jeudimerci,
            "gatepay": self.gatepay,
        }
        return pens[provider]()


@asynccontextmanager
async def open_edge(**wanted: Any) -> AsyncIterator[Edge]:  # noqa: ANN401 - settings of [webhooks]
    """Listen on a free port; the arguments are settings of `[webhooks]`."""
    clock, journal = ShiftedClock(), Unsteady()
    heard, door = Heard(clock), Door(journal)
    app = assemble(
        settings(webhooks=Webhooks(**{"listen": f"{HOST}:0", **wanted})),
        clock,
        heard=heard,
        journal=door,
        connections=Connections(_connection(name, clock) for name in _STANZAS),
    )
    await journal.start()
    if app.webhooks is not None:
        await app.webhooks.start()
    async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
        try:
            yield Edge(app, clock, journal, door, heard, http)
        finally:
            if app.webhooks is not None:
                await app.webhooks.stop()
            await journal.close()


_STANZAS: Mapping[str, tuple[type[Provider], Mapping[str, object]]] = {
    "gr4vy": (
        Gr4vy,
        {
            "base_url": "http://gr4vy.test",
            **gr4vy.sandbox_settings(),
            "webhook_secrets": [OLD_SECRET, NEW_SECRET],
        },
    ),
    "jeudimerci": (JeudiMerci, {"base_url": "http://jdm.test", **jeudimerci.sandbox_settings()}),
    "gatepay": (GatePay, {"base_url": "http://gatepay.test", **gatepay.sandbox_settings()}),
    "electrum": (Electrum, {"base_url": "http://electrum.test", **electrum.sandbox_settings()}),
    "herald": (Herald, {"base_url": "http://herald.test"}),
}


def _connection(name: str, clock: SystemClock) -> Connection:
    adapter, stanza = _STANZAS[name]
    settings = read_settings(adapter, stanza)
    provider = open_provider(adapter, settings, transport=Refusing(), moment=clock.moment)
    return Connection(name, provider, Terms(), clock)
