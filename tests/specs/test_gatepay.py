"""GatePay's adapter and simulator speak to each other as its wire format says, in both dialects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import pytest

from giftcard_adapters.calls import Moment
from giftcard_adapters.gatepay import GatePay
from giftcard_adapters.gatepay.codes import DECLINES, OPEN, STANDINGS
from giftcard_adapters.gatepay.wire import signature
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.outcomes import Verdict
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_simulators.gatepay import sandbox_settings
from giftcard_simulators.gatepay.books import COURSES
from giftcard_simulators.gatepay.envelope import BALANCE_SHORT
from giftcard_simulators.gatepay.simulator import GatePaySimulator
from giftcard_simulators.sandbox import SimRequest, seeded_ids
from giftcard_simulators.transport import SimulatorTransport
from tests.specs.validating import Watched, described

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def opened(dialect: Literal["reference", "guide"]) -> tuple[Watched, GatePay]:
    """Return a watched simulator and the adapter on it, in one dialect."""
    simulator = GatePaySimulator(now=lambda: AT, ids=seeded_ids(1), dialect=dialect)
    watched = Watched(simulator, described(f"gatepay-{dialect}"))
    stanza = {"base_url": "http://gatepay.test", **sandbox_settings(), "dialect": dialect}
    nonces = iter(range(10**6))
    provider = open_provider(
        GatePay,
        read_settings(GatePay, stanza),
        transport=SimulatorTransport(watched),
        moment=lambda: Moment(now_s=AT.timestamp(), nonce=f"{next(nonces):032x}"),
    )
    assert isinstance(provider, GatePay)
    return watched, provider


def asks() -> Iterator[Issue]:
    """Give an issue of every course a card can take."""
    for title in ("Thank you", *COURSES):
        yield Issue(transaction_id="t", requested_at=AT, amount=Money("USD", 99), title=title)


@pytest.mark.parametrize(
    ("dialect", "asked"),
    [
        ("reference", {"create", "query", "listTemplates"}),
        ("guide", {"create", "query", "listTemplates", "cardBalance"}),
    ],
)
async def test_a_dialect_fits_both_ways(dialect: Literal["reference", "guide"], asked: set[str]) -> None:
    """Every request and every answer of a dialect is as its wire format says, refusals too."""
    simulator, provider = opened(dialect)
    for ask in asks():
        outcome = await provider.issue(ask)
        for _ in range(3):
            if outcome.verdict is Verdict.UNKNOWN:
                outcome = await provider.find(ask, outcome)
    look = Lookup(lookup_id="l", asked_at=AT)
    for number in ("6045200000000001", "6045200000000004", "6045200000009999"):
        await provider.balances([CardRef(number=Secret(number))], look)
    await provider.lookup(msgspec.structs.replace(look, card=CardRef(redemption_key=Secret(_key(simulator)))))
    await provider.list_templates()
    assert {name for name, _ in simulator.seen} == asked


def _key(simulator: Watched) -> str:
    labels: Any = simulator.cards()[-1]["labels"]
    return str(labels["key"])


def test_the_merchant_account_fits() -> None:
    """The reference's two account calls, which the adapter never makes, answer as specified."""
    simulator, _ = opened("reference")
    for path in ("/v1/pay/balance", "/v1/pay/balance/query"):
        simulator.answer(signed(path))
    assert simulator.seen == {("accountBalances", 200), ("accountBalanceList", 200)}


def signed(path: str) -> SimRequest:
    """Return a GET with the right signature."""
    timestamp = str(int(AT.timestamp() * 1000))
    secret = Secret(str(sandbox_settings()["api_secret"]))
    return SimRequest(
        method="GET",
        path=path,
        headers={
            "content-type": "application/json",
            "x-gatepay-certificate-clientid": str(sandbox_settings()["client_id"]),
            "x-gatepay-timestamp": timestamp,
            "x-gatepay-nonce": "n1",
            "x-gatepay-signature": signature(secret, timestamp, "n1", b""),
        },
    )


@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_fits(status: int) -> None:
    """A scripted failure is the envelope of a system error."""
    simulator, _ = opened("reference")
    asked = msgspec.structs.replace(signed("/v1/pay/gift/create"), method="POST")
    assert not described("gatepay-reference").answer_faults(asked, simulator.failure(status, asked))


def test_the_callback_fits() -> None:
    """The callback the simulator sends is a Notification with a Batch in it."""
    document = described("gatepay-reference")
    sent = GatePaySimulator(now=lambda: AT, ids=seeded_ids(1)).batch_event("batch-1", ["0.99", "12"])
    assert not document.event_faults("batch", sent)
    inside = msgspec.json.decode(msgspec.json.decode(sent.body)["data"])
    assert not document.schema_faults(inside, {"$ref": "#/components/schemas/Batch"})


def test_every_status_has_a_meaning() -> None:
    """The adapter knows each status of both dialects, and no other."""
    numbers = {str(number) for number in described("gatepay-reference").words("Status")}
    assert numbers | described("gatepay-guide").words("Status") == STANDINGS.keys()


def test_every_code_has_a_meaning() -> None:
    """The adapter knows each documented code of a failure, and no other; our simulator's own is none."""
    codes = described("gatepay-reference").words("FailureCode")
    assert codes - {BALANCE_SHORT} == DECLINES.keys() | OPEN.keys()
    assert described("gatepay-guide").words("FailureCode") == codes
