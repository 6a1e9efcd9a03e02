"""Gr4vy's OpenAPI document against adapter requests, simulator answers and golden exchanges."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jsonschema
import pytest

from giftcard_adapters.errors import Refused
from giftcard_adapters.gr4vy import Gr4vy
from giftcard_adapters.http import Moment
from giftcard_adapters.model import (
    Activate,
    Advice,
    AdviceKind,
    CardRef,
    ClearPin,
    Issue,
    Redeem,
    Verdict,
)
from giftcard_adapters.money import Money
from giftcard_adapters.point_of_sale import Buyer
from giftcard_adapters.reads import Lookup, StoreCard, StoredCardQuery
from giftcard_adapters.secret import Secret
from giftcard_adapters.simulators.gr4vy import Gr4vySimulator, sandbox_settings
from giftcard_adapters.simulators.sandbox import SimRequest, seeded_ids
from giftcard_adapters.simulators.transport import SimulatorTransport
from giftcard_adapters.stanza import open_provider, read_settings

pytestmark = pytest.mark.specs

SPEC = Path(__file__).resolve().parents[3] / "shared" / "specs" / "gr4vy.giftcards-subset.openapi.json"
GOLDEN = Path(__file__).parent / "golden" / "gr4vy"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FIFTY = Money("USD", 5_000)
BUYER = Buyer(external_id="user-12")
SUCCESS = range(200, 300)


@cache
def spec() -> dict[str, Any]:
    """Read the document."""
    read: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    return read


def validate(content: object, schema: Mapping[str, Any]) -> None:
    """Check a value against a schema of the document, its references resolved inside it."""
    whole = {**schema, "components": spec()["components"]}
    jsonschema.Draft202012Validator(whole).validate(content)


def operation(method: str, path: str) -> dict[str, Any]:
    """Return the operation at a path; a literal part goes before a template's."""
    parts = path.split("/")
    templates = sorted(spec()["paths"], key=lambda each: each.count("{"))
    for template in templates:
        shape = template.split("/")
        if len(shape) == len(parts) and all(
            a == b or a.startswith("{") for a, b in zip(shape, parts, strict=True)
        ):
            found: dict[str, Any] = spec()["paths"][template][method.lower()]
            return found
    raise AssertionError(path)


def check_request(method: str, target: str, headers: Mapping[str, str], body: object) -> None:
    """Check query, headers and body of a request."""
    path, _, query = target.partition("?")
    described = operation(method, path)
    known = {(each["in"], each["name"]): each["schema"] for each in described["parameters"]}
    for name, value in parse_qsl(query):
        schema = known["query", name]
        validate(int(value) if schema.get("type") == "integer" else value, schema)
    for name in ("idempotency-key", "x-gr4vy-merchant-account-id"):
        if name in headers:
            validate(headers[name], known["header", name])
    if body is None:
        assert "requestBody" not in described
    else:
        validate(body, described["requestBody"]["content"]["application/json"]["schema"])


def check_answer(method: str, target: str, status: int, body: object) -> None:
    """Check an answer's status and body."""
    described = operation(method, target.partition("?")[0])["responses"][str(status)]
    if "content" in described:
        validate(body, described["content"]["application/json"]["schema"])
    else:
        assert body is None


class Checked(httpx.AsyncBaseTransport):
    """Checks every exchange of the adapter with the simulator."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        """Keep who answers."""
        self._inner = inner
        self.seen: set[tuple[str, int]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Check the request, pass it on, check the answer."""
        target = request.url.raw_path.decode()
        body = await request.aread()
        check_request(request.method, target, request.headers, json.loads(body) if body else None)
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        check_answer(request.method, target, response.status_code, json.loads(content) if content else None)
        name = operation(request.method, target.partition("?")[0])["operationId"]
        self.seen.add((name, response.status_code))
        return response


@pytest.fixture
def wire() -> Checked:
    """Give a checked way to a simulator whose outcomes show at once."""
    return Checked(SimulatorTransport(Gr4vySimulator(now=lambda: NOW, ids=seeded_ids(1))))


@pytest.fixture
def provider(wire: Checked) -> Gr4vy:
    """Open the adapter on it."""
    settings = read_settings(Gr4vy, {"base_url": "http://gr4vy.test", **sandbox_settings()})
    moment = Moment(now_s=NOW.timestamp(), nonce=uuid.UUID(int=7).hex)
    opened = open_provider(Gr4vy, settings, transport=wire, moment=lambda: moment)
    assert isinstance(opened, Gr4vy)
    return opened


def card(number: str, pin: str) -> CardRef:
    """Name a card."""
    return CardRef(number=Secret(number), pin=ClearPin(pin=Secret(pin)))


FUNDED = card("6045100000000001", "050000")


def redeem(named: CardRef = FUNDED, **rest: Any) -> Redeem:  # noqa: ANN401 - Redeem's own fields
    """Ask for fifty dollars."""
    return Redeem(transaction_id=str(uuid.UUID(int=1)), requested_at=NOW, card=named, amount=FIFTY, **rest)


async def test_money_fits(wire: Checked, provider: Gr4vy) -> None:
    """Money requests, look-ups and refunds fit the document, and so do the answers."""
    ask = redeem(external_reference="order 9", buyer=BUYER)
    approved = await provider.redeem(ask)
    assert approved.verdict is Verdict.APPROVED
    assert await provider.find(ask, None) == approved
    advice = Advice(advice_id=str(uuid.UUID(int=2)), kind=AdviceKind.REVERSAL, written_at=NOW)
    (call,) = provider.reversal(ask, approved, advice)
    for age_s in (0.0, 90_000.0):
        await provider.deliver(call, advice, age_s=age_s)
    declined = await provider.redeem(
        Redeem(
            transaction_id=str(uuid.UUID(int=3)),
            requested_at=NOW,
            card=card("6045" * 4, "20009"),
            amount=FIFTY,
        )
    )
    assert declined.verdict is Verdict.DECLINED
    for store in (False, True):
        number = card(f"604510000000000{6 + store}", "01234")
        await provider.activate(
            Activate(
                transaction_id=str(uuid.UUID(int=4)), requested_at=NOW, card=number, amount=FIFTY, store=store
            )
        )
    await provider.issue(
        Issue(transaction_id=str(uuid.UUID(int=5)), requested_at=NOW, theme_id="031111372", amount=FIFTY)
    )
    assert wire.seen == {
        ("create_transaction", 201),
        ("list_transactions", 200),
        ("get_transaction", 200),
        ("create_transaction_refund", 201),
        ("list_transaction_refunds", 200),
        ("activate_gift_card", 201),
        ("issue_gift_card", 201),
    }


async def test_reads_fit(wire: Checked, provider: Gr4vy) -> None:
    """Balances and the vault fit the document, refusals too."""
    ask = Lookup(lookup_id=str(uuid.UUID(int=1)), asked_at=NOW, card=FUNDED)
    await provider.lookup(ask)
    await provider.balances([FUNDED, card("6045" * 4, "10001")], ask)
    stored = await provider.store_card(StoreCard(card=FUNDED, buyer=BUYER))
    assert (
        await provider.redeem(redeem(CardRef(stored_card_id=stored.stored_card_id), buyer=BUYER))
    ).approved
    await provider.get_stored_card(stored.stored_card_id)
    await provider.list_stored_cards(StoredCardQuery(buyer=BUYER, page_size=1))
    query = StoredCardQuery(buyer=BUYER, with_balances=True, order_by="usage_count")
    (seen,) = (await provider.list_stored_cards(query)).cards
    assert seen.usage_count == 1
    with pytest.raises(Refused):
        await provider.store_card(StoreCard(card=FUNDED, buyer=BUYER))
    await provider.delete_stored_card(stored.stored_card_id)
    with pytest.raises(Refused):
        await provider.get_stored_card(stored.stored_card_id)
    assert {("create_gift_card", 201), ("create_gift_card", 409), ("delete_gift_card", 204)} <= wire.seen
    assert {("get_gift_card", 404), ("list_gift_cards", 200), ("list_buyer_gift_cards", 200)} <= wire.seen


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 425, 429, 500, 502, 504])
def test_failures_fit(status: int) -> None:
    """What the simulator says with an error status is what the document says for every endpoint."""
    simulator = Gr4vySimulator(now=lambda: NOW, ids=seeded_ids(1))
    answer = simulator.failure(status, SimRequest(method="POST", path="/transactions"))
    check_answer("POST", "/transactions", answer.status, json.loads(answer.body))


def golden_exchanges() -> Iterator[Any]:
    """Give the exchanges of every golden as they stand, variants aside."""
    for path in sorted(GOLDEN.glob("*.json")):
        golden = json.loads(path.read_text(encoding="utf-8"))
        single = [golden] if golden.get("request") and golden.get("reply") else []
        for n, exchange in enumerate([*single, *golden.get("exchanges", [])]):
            yield pytest.param(exchange["request"], exchange["reply"], id=f"{path.stem}-{n}")


@pytest.mark.parametrize(("request_", "reply"), [*golden_exchanges()])
def test_goldens_fit(request_: dict[str, Any], reply: dict[str, Any]) -> None:
    """Each golden request, and each golden reply that has a body, is one the document allows."""
    headers = {name: value for name, value in request_["headers"].items() if isinstance(value, str)}
    check_request(request_["method"], request_["path"], headers, request_.get("body"))
    check_answer(request_["method"], request_["path"], reply["status"], reply.get("body"))
