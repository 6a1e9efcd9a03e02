"""Gr4vy's official SDK for JavaScript, unchanged, works with the simulator on a real port."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from giftcard_simulators.gr4vy import books, sandbox_settings
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.gr4vy.webhooks import signed_event
from giftcard_simulators.sandbox import seeded_ids
from giftcard_simulators.serve import serve

SCRIPT = Path(__file__).parent / "gr4vy_node" / "calls.mjs"
MODULES = Path(__file__).parents[2] / ".tools" / "gr4vy-node"
CARD = {"number": "6045100000000001", "pin": "050000", "other": "6045100000000002", "buyer": "user-12"}
INSTALL = "cp -r tests/simulators/gr4vy_node .tools/gr4vy-node && npm ci --prefix .tools/gr4vy-node"

Told = Mapping[str, Any]


def event(family: str, *, age: timedelta = timedelta(0), secret: str = books.WEBHOOK_SECRET) -> Told:
    """Return an event under a family's header names, as the SDK's check of signatures takes it."""
    at = datetime.now(UTC) - age
    headers, body = signed_event("refund.succeeded", {"type": "refund"}, event_id="1", at=at, family=family)
    (signature,) = (told for name, told in headers.items() if "signature" in name)
    (timestamp,) = (told for name, told in headers.items() if "timestamp" in name)
    return {"body": body.decode(), "secret": secret, "signature": signature, "timestamp": timestamp}


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    """Have the SDK make every call on a fresh simulator; gives what came of each, by the call's name."""
    node = shutil.which("node")
    if node is None or not (MODULES / "node_modules" / "@gr4vy" / "sdk").is_dir():
        pytest.skip(f"node or Gr4vy's JavaScript SDK is not on this machine: {INSTALL}")
    simulator = Gr4vySimulator(now=lambda: datetime.now(UTC), ids=seeded_ids(1))
    served = await serve(simulator, "127.0.0.1", 0)
    settings = sandbox_settings()
    asked = {
        "url": served.url,
        "merchant": settings["merchant_account_id"],
        "key": settings["private_key"],
        "events": {
            "event": event("guide"),
            "event of the other header names": event("sdk"),
            "event that is old": event("guide", age=timedelta(hours=1)),
            "event of another secret": event("guide", secret="another"),
        },
        **CARD,
    }
    script = await asyncio.create_subprocess_exec(
        node, SCRIPT, MODULES, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await script.communicate(msgspec.json.encode(asked))
    yield msgspec.json.decode(printed)
    await served.close()


async def test_every_call_for_gift_cards(told: Told) -> None:
    """The SDK's schemas read every answer, and only what is wrong is refused, as the SDK's own error."""
    refused = {
        name: each["error"] for name, each in told.items() if isinstance(each, dict) and "error" in each
    }
    assert refused == {
        "store again": "Error409",
        "get by a wrong id": "HTTPValidationError",
        "pay with nothing": "Error400",
        "refund too much": "Error400",
        # Nobody published what these do to gift cards, and the simulator invents nothing.
        "void": "Error404",
        "cancel": "Error404",
        "get what is deleted": "Error404",
        "event that is old": "Error",
        "event of another secret": "Error",
    }
    check_cards(told)
    check_money(told)


def check_cards(told: Told) -> None:
    """What is stored is found, one by one and in pages, with balances."""
    stored = told["store"]
    assert told["get"] == stored
    assert told["list of a buyer"] == [[stored]]
    assert [card["balance"] for card in told["list with balances"]["items"]] == [50_000]
    assert [[card["last4"] for card in page] for page in told["list by pages"]] == [["0001"], ["0002"]]
    seen = [(card["balance"], card["balanceErrorCode"]) for card in told["balances"]["items"]]
    assert seen == [(50_000, None), (50_000, None), (None, "expired_card")]


def check_money(told: Told) -> None:
    """Money moves once for each key, is found again, and goes back."""
    paid, part = told["pay"], told["refund"]
    assert (paid["intentOutcome"], paid["giftCardRedemptions"][0]["status"]) == ("succeeded", "succeeded")
    assert told["pay again"] == paid
    assert told["transaction"] == paid
    assert told["pay by stored card"]["giftCardRedemptions"][0]["giftCard"]["id"] == told["store"]["id"]
    assert told["pay too much"]["giftCardRedemptions"][0]["errorCode"] == "insufficient_funds"
    made = [told[name]["id"] for name in ("pay too much", "pay by stored card", "pay")]
    assert [[row["id"] for row in page] for page in told["transactions of a card"]] == [made]
    assert [[row["id"] for row in page] for page in told["transactions of an order"]] == [[paid["id"]]]
    assert told["refund again"] == told["refund of a transaction"] == told["refund by its id"] == part
    assert [one["amount"] for one in told["refunds"]["items"]] == [700, 300]
    assert [one["reason"] for one in told["refund all, with a reason"]["items"]] == ["closed"]
    assert told["balances in the end"]["items"][0]["balance"] == 50_000
