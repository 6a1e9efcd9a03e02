"""JeudiMerci's public part against both readings of it: what the adapter sends, what the simulator answers.

The specification lies beside the repository; only generate and the webhook are in it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from giftcard_adapters.contract import Provider
from giftcard_adapters.http import Moment
from giftcard_adapters.jeudimerci import JeudiMerci
from giftcard_adapters.model import Issue, Outcome, Verdict
from giftcard_adapters.money import Money
from giftcard_adapters.reads import Webhook
from giftcard_adapters.simulators.jeudimerci import JeudiMerciSimulator, sandbox_settings
from giftcard_adapters.simulators.sandbox import SimAnswer, SimRequest, seeded_ids
from giftcard_adapters.simulators.transport import SimulatorTransport
from giftcard_adapters.stanza import open_provider, read_settings

SPEC = Path(__file__).resolve().parents[3] / "shared" / "specs" / "kyzpay-jdm.partial.openapi.json"
AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
GENERATE, WEBHOOK = "/jdm/ecards/generate", "/jdm/webhook"

pytestmark = pytest.mark.specs


@cache
def spec() -> dict[str, Any]:
    """Return the specification."""
    return dict(msgspec.json.decode(SPEC.read_bytes()))


def validate(content: bytes, holder: dict[str, Any]) -> None:
    """Check JSON bytes strictly: every field is one that the specification names, and all are there."""
    name = holder["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = strict(spec()["components"]["schemas"][name])
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(msgspec.json.decode(content))


def strict(schema: Any) -> Any:  # noqa: ANN401 - a schema is any JSON
    """Return a schema that takes no field it does not name and misses none it does."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed |= {"additionalProperties": False, "required": list(schema["properties"])}
    return closed


class Checked(JeudiMerciSimulator):
    """A simulator whose public exchanges are checked against the specification."""

    def answer(self, request: SimRequest) -> SimAnswer:
        """Answer, and check the answer always, and the request where it was taken."""
        answer = super().answer(request)
        if request.path == GENERATE:
            operation = spec()["paths"][GENERATE]["post"]
            if answer.status == 200:
                validate(request.body, operation["requestBody"])
            if str(answer.status) in operation["responses"]:
                validate(answer.body, operation["responses"][str(answer.status)])
        return answer


@pytest.fixture
def simulator() -> Checked:
    """Return a checked simulator."""
    return Checked(now=lambda: AT, ids=seeded_ids(1))


@pytest.fixture
def provider(simulator: Checked) -> Provider:
    """Return the adapter, on the checked simulator."""
    stanza = {"base_url": "http://jeudimerci.test", **sandbox_settings()}
    return open_provider(
        JeudiMerci,
        read_settings(JeudiMerci, stanza),
        transport=SimulatorTransport(simulator),
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
    )


async def issued(provider: Provider, minor: int, quantity: int) -> Outcome:
    """Issue cards."""
    ask = Issue(transaction_id="t", requested_at=AT, amount=Money("EUR", minor), quantity=quantity)
    outcome: Outcome = await provider.issue(ask)  # type: ignore[attr-defined]  # the adapter has it
    return outcome


@pytest.mark.parametrize(("minor", "quantity"), [(1, 1), (123_456, 3), (1313, 2)])
async def test_generate_fits_both_ways(provider: Provider, minor: int, quantity: int) -> None:
    """What the adapter sends and what the simulator answers are an ECardPurchaseRequest and its response."""
    assert (await issued(provider, minor, quantity)).verdict in {Verdict.APPROVED, Verdict.UNKNOWN}


async def test_the_refusal_fits(provider: Provider) -> None:
    """The simulator's 422 is an HTTPValidationError, and the adapter declines by it."""
    outcome = await issued(provider, 100, 0)
    assert outcome.decline is not None
    assert outcome.decline.provider_code == "422"
    assert outcome.decline.provider_text.startswith("body.numCards: ")


async def test_the_event_fits(simulator: Checked, provider: Provider) -> None:
    """The event the simulator sends is a WebhookPayload, and the adapter reads it."""
    sent = simulator.completed_event("JDMDEMO000000001", merchant_operation_id="order-1")
    validate(sent.body, spec()["paths"][WEBHOOK]["post"]["requestBody"])
    events = provider.read_webhook(Webhook(headers=dict(sent.headers), body=sent.body, received_at=AT))
    assert [event.name for event in events] == ["GiftCardPurchaseCompleted"]


def test_the_key_goes_where_the_specification_says(provider: Provider) -> None:
    """The credential is the header the specification names."""
    scheme = spec()["components"]["securitySchemes"]["apiKey"]
    assert (scheme["in"], scheme["name"]) == ("header", "x-api-key")
    assert isinstance(provider, JeudiMerci)
