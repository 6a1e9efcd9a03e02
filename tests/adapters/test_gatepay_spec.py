"""GatePay's two dialects against both readings of them: what the adapter sends, what the simulator answers.

The specification lies beside the repository. Where it says that fields are not public, ours are invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from giftcard_adapters.calls import Moment
from giftcard_adapters.contract import Provider
from giftcard_adapters.gatepay import GatePay
from giftcard_adapters.gatepay.codes import STANDINGS
from giftcard_adapters.gatepay.wire import signature
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.outcomes import Verdict
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_simulators.gatepay import GatePaySimulator, sandbox_settings
from giftcard_simulators.gatepay.books import COURSES
from giftcard_simulators.sandbox import SimAnswer, SimRequest, seeded_ids
from giftcard_simulators.transport import SimulatorTransport

SPEC = (
    Path(__file__).resolve().parents[3] / "shared" / "specs" / "gatepay-giftcard.reconstructed.openapi.json"
)
AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
INVENTED = {
    ("guide", "/v1/pay/giftcard/query"): {"cardNumber", "status", "amount", "currency", "title"},
    ("guide", "/v1/pay/balance/query"): {"cardNumber", "currency", "balance", "status"},
}
"""The data of these is not public."""

pytestmark = pytest.mark.specs


@cache
def spec() -> dict[str, Any]:
    """Return the specification."""
    return dict(msgspec.json.decode(SPEC.read_bytes()))


def strict(schema: Any) -> Any:  # noqa: ANN401 - a schema is any JSON
    """Return a schema that takes no field it does not name, where it names any."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed["additionalProperties"] = False
    return closed


def validate(content: bytes, holder: dict[str, Any]) -> None:
    """Check JSON bytes against the schema of a request or an answer."""
    schema = strict({**holder["content"]["application/json"]["schema"], "components": spec()["components"]})
    Draft202012Validator(schema).validate(msgspec.json.decode(content))


class Checked(GatePaySimulator):
    """A simulator whose every exchange is checked against the specification."""

    dialect: str = "reference"
    seen: set[str]

    def answer(self, request: SimRequest) -> SimAnswer:
        """Answer, and check the answer always, and the request where it was taken."""
        answer = super().answer(request)
        operation = spec()["paths"][request.path][request.method.lower()]
        self._check_answer(request, answer, operation)
        if b'"SUCCESS"' in answer.body:
            required = {part["name"].lower() for part in operation["parameters"] if part["required"]}
            assert required <= request.headers.keys()
            named = {part["name"] for part in operation["parameters"] if part["in"] == "query"}
            assert set(request.parameters()) <= named
            if "requestBody" in operation:
                validate(request.body, operation["requestBody"])
            self.seen.add(request.path)
        return answer

    def _check_answer(self, request: SimRequest, answer: SimAnswer, operation: dict[str, Any]) -> None:
        invented = INVENTED.get((self.dialect, request.path))
        told = msgspec.json.decode(answer.body)
        if invented is None or told["status"] == "FAIL":
            validate(answer.body, operation["responses"][str(answer.status)])
        else:
            assert set(told["data"]) == invented


def opened(dialect: str) -> tuple[Checked, Provider]:
    """Return a checked simulator and the adapter on it, in one dialect."""
    simulator = (
        Checked(now=lambda: AT, ids=seeded_ids(1), dialect="guide")
        if dialect == "guide"
        else Checked(now=lambda: AT, ids=seeded_ids(1))
    )
    simulator.dialect, simulator.seen = dialect, set()
    stanza = {"base_url": "http://gatepay.test", **sandbox_settings(), "dialect": dialect}
    nonces = iter(range(10**6))
    provider = open_provider(
        GatePay,
        read_settings(GatePay, stanza),
        transport=SimulatorTransport(simulator),
        moment=lambda: Moment(now_s=AT.timestamp(), nonce=f"{next(nonces):032x}"),
    )
    return simulator, provider


def asks() -> Iterator[Issue]:
    """Give an issue of every course a card can take."""
    for title in ("Thank you", *COURSES):
        yield Issue(transaction_id="t", requested_at=AT, amount=Money("USD", 99), title=title)


PATHS = {
    "reference": {
        "/v1/pay/gift/create",
        "/v1/pay/gift/query",
        "/v1/pay/gift/temp/list",
    },
    "guide": {
        "/v1/pay/giftcard/create",
        "/v1/pay/giftcard/query",
        "/v1/pay/giftcard/template/list",
        "/v1/pay/balance/query",
    },
}


@pytest.mark.parametrize("dialect", PATHS)
async def test_a_dialect_fits_both_ways(dialect: str) -> None:
    """Every request and every answer of a dialect is as the specification says, refusals too."""
    simulator, provider = opened(dialect)
    assert isinstance(provider, GatePay)
    for ask in asks():
        outcome = await provider.issue(ask)
        for _ in range(3):
            if outcome.verdict is Verdict.UNKNOWN:
                outcome = await provider.find(ask, outcome)
    asked = Lookup(lookup_id="l", asked_at=AT)
    for number in ("6045200000000001", "6045200000000004", "6045200000009999"):
        await provider.balances([CardRef(number=Secret(number))], asked)
    await provider.lookup(
        msgspec.structs.replace(asked, card=CardRef(redemption_key=Secret(_key(simulator))))
    )
    await provider.list_templates()
    assert simulator.seen == PATHS[dialect]


def _key(simulator: GatePaySimulator) -> str:
    labels: Any = simulator.cards()[-1]["labels"]
    return str(labels["key"])


def test_the_merchant_account_fits() -> None:
    """The reference's two account calls, which the adapter never makes, answer as specified."""
    simulator, _ = opened("reference")
    for path in ("/v1/pay/balance", "/v1/pay/balance/query"):
        simulator.answer(signed(path))
    assert simulator.seen == {"/v1/pay/balance", "/v1/pay/balance/query"}


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
    answer = simulator.failure(status, signed("/v1/pay/gift/create"))
    validate(answer.body, spec()["paths"]["/v1/pay/gift/create"]["post"]["responses"]["500"])


def test_every_status_has_a_meaning() -> None:
    """The adapter knows each status of both dialects, and no other."""
    schemas = spec()["components"]["schemas"]
    numbers = {str(number) for number in schemas["GiftCard"]["properties"]["status"]["enum"]}
    words = set(schemas["SeedCreated"]["properties"]["status"]["enum"])
    assert numbers | words == STANDINGS.keys()
