"""What others do at a provider can be played over HTTP, and is the same for every simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiohttp import web

from giftcard_simulators.catalogue import SANDBOXES, Sandbox, sandboxes_at
from giftcard_simulators.sandbox import seeded_ids
from giftcard_simulators.serve import serve
from tests.patience import PATIENCE_S

NOW = datetime(2026, 11, 5, 10, tzinfo=UTC)
BY_ID = {sandbox.provider_id: sandbox for sandbox in SANDBOXES}


@asynccontextmanager
async def played(sandbox: Sandbox, webhooks_url: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Serve a simulator, and give a client of its sandbox's own paths."""
    simulator = sandbox.make(now=lambda: NOW, ids=seeded_ids(1))
    served = await serve(simulator, "127.0.0.1", 0, webhooks_url=webhooks_url)
    try:
        url = f"{served.url}/_sandbox"
        async with httpx.AsyncClient(base_url=url, verify=False, timeout=PATIENCE_S) as client:  # noqa: S501 - no TLS
            yield client
    finally:
        await served.close()


@asynccontextmanager
async def listening(heard: list[tuple[Mapping[str, str], bytes]]) -> AsyncIterator[str]:
    """Keep what is posted to a free port, and give its address."""

    async def take(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.read()))
        return web.Response(status=202)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


async def state_of(client: httpx.AsyncClient, number: str) -> tuple[str, int]:
    """Return a card's state and what can be spent of it."""
    cards = (await client.get("/cards")).json()["cards"]
    (card,) = (one for one in cards if one["number"] == number)
    return card["state"], card["available_minor"]


@pytest.mark.parametrize("provider_id", BY_ID)
async def test_verbs_are_listed(provider_id: str) -> None:
    """Every simulator tells its verbs, what each does and takes; any other is refused with the list."""
    async with played(BY_ID[provider_id]) as client:
        verbs = (await client.get("/act")).json()["verbs"]
        assert "redeem" in verbs
        assert all(verb["does"] and verb["fields"] for verb in verbs.values())
        for body in ({"verb": "fly"}, {"verb": "redeem"}, {"verb": "redeem", "fields": {"cards": "1"}}, {}):
            answer = await client.post("/act", json=body)
            assert answer.status_code == 400
        assert "redeem" in (await client.post("/act", json={"verb": "fly"})).json()["error"]


@pytest.mark.parametrize(
    ("provider_id", "verb", "fields", "after"),
    [
        (
            "electrum-sandbox",
            "redeem",
            {"card": "6045000000000061", "amount_minor": 100},
            ("ACTIVATED_CONFIRMED", 49_900),
        ),
        ("electrum-sandbox", "block", {"card": "6045000000000061"}, ("CARD_BLOCKED", 50_000)),
        ("gr4vy-sandbox", "redeem", {"card": "6045100000000001", "amount_minor": 1}, ("active", 49_999)),
        ("gr4vy-sandbox", "block", {"card": "6045100000000001"}, ("blocked", 50_000)),
        ("jeudimerci-sandbox", "consume", {"card": "JDMDEMO000000001"}, ("CONSUMED", 0)),
        (
            "jeudimerci-sandbox",
            "redeem",
            {"card": "JDMDEMO000000001", "amount_minor": 500},
            ("ACTIVE", 2_000),
        ),
        ("gatepay-sandbox", "redeem", {"card": "6045200000000001"}, ("3", 0)),
        ("gatepay-guide-sandbox", "block", {"card": "6045200000000001"}, ("4", 25_000_000)),
    ],
)
async def test_act(provider_id: str, verb: str, fields: dict[str, Any], after: tuple[str, int]) -> None:
    """An act changes the card, and the books stay balanced."""
    async with played(BY_ID[provider_id]) as client:
        answer = await client.post("/act", json={"verb": verb, "fields": fields})
        assert (answer.status_code, answer.json()) == (200, {"done": verb})
        assert await state_of(client, fields["card"]) == after


@pytest.mark.parametrize("amount_minor", [0, -1, 50_001, "x"])
async def test_impossible_act(amount_minor: object) -> None:
    """More than is on a card, nothing and no number cannot be spent; a card nobody has neither."""
    async with played(BY_ID["electrum-sandbox"]) as client:
        for card in ("6045000000000061", "1"):
            fields = {"card": card, "amount_minor": amount_minor}
            assert (await client.post("/act", json={"verb": "redeem", "fields": fields})).status_code == 400
        assert (await client.get("/effects")).json() == {"effects": []}


@pytest.mark.parametrize(
    ("provider_id", "fields", "header"),
    [
        ("jeudimerci-sandbox", {"card": "JDMDEMO000000001"}, "x-api-key"),
        (
            "gr4vy-sandbox",
            {"name": "transaction.captured", "transaction_id": "1"},
            "x-gr4vy-webhook-signatures",
        ),
        ("gatepay-sandbox", {"external_id": "b-1", "amount": "25"}, "x-gatepay-signature"),
    ],
)
async def test_event_is_sent(provider_id: str, fields: dict[str, str], header: str) -> None:
    """An event goes signed to the address of the act, else to the simulator's; the answer is told."""
    heard: list[tuple[Mapping[str, str], bytes]] = []
    act: dict[str, Any] = {"verb": "webhook", "fields": fields}
    async with listening(heard) as url:
        async with played(BY_ID[provider_id], webhooks_url=url) as client:
            assert (await client.post("/act", json=act)).json() == {"sent": "webhook", "answer": 202}
        async with played(BY_ID[provider_id]) as client:
            assert (await client.post("/act", json=act | {"url": url})).json()["answer"] == 202
            assert (await client.post("/act", json=act)).status_code == 502
    assert len(heard) == 2
    assert all(header in {name.lower() for name in headers} and body for headers, body in heard)


def test_events_go_to_the_gateway() -> None:
    """Beside a gateway, each simulator's events go to the gateway's own edge."""
    assert {one.webhooks_url for one in sandboxes_at(51051)} == {
        f"http://127.0.0.1:51060/webhooks/{one.provider_id}" for one in SANDBOXES
    }
