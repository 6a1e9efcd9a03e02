"""Electrum's published interface against both readings of it: adapter and simulator.

The specification is read beside the repository, made strict (no field it does not name, patterns for
the whole value), and the tests skip without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft4Validator, FormatChecker

from giftcard_adapters.calls import Moment
from giftcard_adapters.electrum import Electrum
from giftcard_adapters.electrum.codes import (
    CONDITIONS,
    DECLINES,
    ENTRY_MODES,
    PIN_BLOCK_FORMATS,
    PIN_ENTRY,
    TRANSACTION_TYPES,
    UNKNOWN_MODE,
)
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind, Receipt, ReversalReason
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import (
    Activate,
    AnyOperation,
    Load,
    Redeem,
    Replace,
    Transfer,
    Void,
)
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import AccountType, Product, Tender, TenderType
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_conformance.golden import variants
from giftcard_simulators.electrum import ElectrumSimulator
from giftcard_simulators.electrum.books import EXPIRY, INSTITUTION_ID, PASSWORD, PIN
from giftcard_simulators.sandbox import seeded_ids
from giftcard_simulators.transport import SimulatorTransport

pytestmark = pytest.mark.specs

HERE = Path(__file__).resolve().parent
SPEC = HERE.parents[2] / "shared" / "specs" / "electrum-giftcard.reconstructed.swagger.json"
GOLDEN = HERE / "golden" / "electrum"
BASE_PATH = "/giftcard/v3"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    """Tell whether a text is an RFC 3339 time with its zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def spec() -> dict[str, Any]:
    """Read the specification, strict."""
    read: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    pin = read["definitions"]["Pin"]
    subtypes = pin.pop("x-subtypes")
    tighten(read["definitions"])
    for word, name in subtypes.items():
        read["definitions"][name]["properties"]["type"]["enum"] = [word]
    read["definitions"]["Pin"] = {"oneOf": [{"$ref": f"#/definitions/{name}"} for name in subtypes.values()]}
    return read


def tighten(schema: object) -> None:
    """Allow no field that is not named, and let a pattern speak of the whole value."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        if isinstance(schema.get("pattern"), str):
            schema["pattern"] = f"^(?:{schema['pattern']})$"
        for inner in schema.values():
            tighten(inner)
    elif isinstance(schema, list):
        for inner in schema:
            tighten(inner)


def operation_of(path: str) -> dict[str, Any]:
    """Find the documented operation a path belongs to."""
    for template, methods in spec()["paths"].items():
        if re.fullmatch(BASE_PATH + re.sub(r"\{\w+\}", "[^/]+", template), path):
            operation: dict[str, Any] = methods["post"]
            return operation
    raise AssertionError(f"no documented path: {path}")


def demand_fit(body: object, schema: dict[str, Any]) -> None:
    """Assert that a body fits a schema of the specification."""
    whole = {**schema, "definitions": spec()["definitions"]}
    faults = [
        f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}"
        for fault in Draft4Validator(whole, format_checker=FORMATS).iter_errors(body)
    ]
    assert not faults, faults


def demand_request(path: str, body: object) -> None:
    """Assert that a request's body is the documented one."""
    parameters = operation_of(path)["parameters"]
    demand_fit(body, next(one["schema"] for one in parameters if one["in"] == "body"))


class Witness(httpx.AsyncBaseTransport):
    """Validates both directions of every exchange with the simulator."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        """Keep the transport that answers."""
        self.inner = inner
        self.seen: list[tuple[str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Validate one exchange."""
        path = request.url.path
        demand_request(path, json.loads(await request.aread()))
        answer = await self.inner.handle_async_request(request)
        responses = operation_of(path)["responses"]
        assert str(answer.status_code) in responses, f"{answer.status_code} is not documented for {path}"
        demand_fit(json.loads(await answer.aread()), responses[str(answer.status_code)]["schema"])
        self.seen.append((operation_of(path)["operationId"], answer.status_code))
        return answer


def card(number: str, pin: str = "") -> CardRef:
    """Name a demo card."""
    return CardRef(number=Secret(number), expiry=EXPIRY, pin=ClearPin(pin=Secret(pin)) if pin else None)


FRESH_ID = seeded_ids(9)
NEW, FUNDED, LOW = card("6045000000000012"), card("6045000000000061"), card("6045000000000087")
PRODUCT = Product(product_id="product003")
TEN = Money("ZAR", 1_000)


def operations() -> Iterator[AnyOperation]:
    """Give each operation once as the simulator approves it, under a fresh id."""
    asked: dict[str, Any] = {"requested_at": NOW, "system_trace_number": "000001"}
    yield Activate(transaction_id=FRESH_ID(), card=NEW, product=PRODUCT, amount=TEN, **asked)
    yield Load(transaction_id=FRESH_ID(), card=FUNDED, amount=TEN, **asked)
    yield Redeem(transaction_id=FRESH_ID(), card=card("6045000000000079", PIN), amount=TEN, **asked)
    yield Transfer(transaction_id=FRESH_ID(), source_card=FUNDED, target_card=LOW, amount=TEN, **asked)
    yield Replace(transaction_id=FRESH_ID(), old_card=FUNDED, new_card=NEW, **asked)
    yield Void(transaction_id=FRESH_ID(), card=FUNDED, **asked)


def open_witness() -> tuple[Electrum, Witness]:
    """Open the adapter on a fresh simulator, with a witness in between."""
    simulator = ElectrumSimulator(now=lambda: NOW, ids=seeded_ids(1))
    witness = Witness(SimulatorTransport(simulator))
    stanza = json.loads((GOLDEN / "provider.json").read_text(encoding="utf-8"))["settings"]
    settings = read_settings(Electrum, {**stanza, "institution_id": INSTITUTION_ID, "password": PASSWORD})
    provider = open_provider(
        Electrum, settings, transport=witness, moment=lambda: Moment(now_s=0.0, nonce="")
    )
    assert isinstance(provider, Electrum)
    return provider, witness


async def request(provider: Electrum, ask: AnyOperation) -> Outcome:
    """Send an operation."""
    outcome: Outcome = await getattr(provider, names_of(ask.operation).method)(ask)
    return outcome


def advice(kind: AdviceKind, *, amount: Money | None = None) -> Advice:
    """Write an advice with all it can carry."""
    tender = Tender(
        tender_type=TenderType.CREDIT_CARD,
        amount=TEN,
        account_type=AccountType.CREDIT,
        masked_card_number="411111******1111",
        reference="till 1",
    )
    return Advice(
        advice_id=FRESH_ID(),
        kind=kind,
        written_at=NOW,
        amount=amount,
        reason=ReversalReason.CANCELLED if kind is AdviceKind.REVERSAL else None,
        tenders=(tender,) if kind is AdviceKind.CONFIRMATION else (),
    )


def golden_requests() -> list[Any]:
    """Give each request of the golden exchanges, variants too."""
    return [
        pytest.param(golden["request"], id=f"{path.stem}-{n}")
        for path in sorted(GOLDEN.glob("*.json"))
        for n, golden in enumerate(variants(path))
        if "request" in golden
    ]


@pytest.mark.parametrize("golden", golden_requests())
def test_golden_requests_fit(golden: dict[str, Any]) -> None:
    """Every request the goldens prove is one the interface documents, field for field."""
    demand_request(golden["path"], golden["body"])


@pytest.mark.parametrize("ask", [*operations()], ids=lambda ask: ask.operation.value)
@pytest.mark.parametrize("kind", AdviceKind)
async def test_two_phases_fit(ask: AnyOperation, kind: AdviceKind) -> None:
    """Requests, responses, advices and acknowledgements of both readings fit the interface."""
    provider, witness = open_witness()
    outcome = await request(provider, ask)
    assert outcome.verdict is Verdict.APPROVED, outcome.decline
    written = advice(kind)
    write = provider.confirmation if kind is AdviceKind.CONFIRMATION else provider.reversal
    for call in write(ask, outcome, written):
        receipt = await provider.deliver(call, written, age_s=0.0)
        assert receipt.receipt is Receipt.DONE, receipt.evidence
    assert [status for _, status in witness.seen] == [201, 202]


async def test_refusals_fit() -> None:
    """A decline, an advice for nothing and a lookup of nothing are documented ErrorDetails."""
    provider, witness = open_witness()
    ask = Load(transaction_id=FRESH_ID(), requested_at=NOW, card=NEW, amount=TEN)
    assert (await request(provider, ask)).verdict is Verdict.DECLINED
    stray = advice(AdviceKind.REVERSAL)
    for call in provider.reversal(
        Load(transaction_id=FRESH_ID(), requested_at=NOW, card=NEW, amount=TEN), None, stray
    ):
        assert (await provider.deliver(call, stray, age_s=0.0)).receipt is Receipt.NO_SUCH_TRANSACTION
    assert witness.seen == [("load", 400), ("reverseLoad", 404)]


async def test_lookup_fits() -> None:
    """A lookup and all it tells of a card with points and clubs fit the interface."""
    provider, witness = open_witness()
    view = await provider.lookup(Lookup(lookup_id=FRESH_ID(), asked_at=NOW, card=FUNDED))
    assert view.clubs
    assert view.points is not None
    assert witness.seen == [("lookupGiftcard", 201)]


def words(definition: str, field: str) -> set[str]:
    """Give the words an enum of the interface documents."""
    return set(spec()["definitions"][definition]["properties"][field]["enum"])


def test_every_error_has_a_row() -> None:
    """Every documented errorType has a decline reason, and no other word has."""
    assert set(DECLINES) == words("ErrorDetail", "errorType")


def test_every_word_is_documented() -> None:
    """Each table says every documented word, and nothing else."""
    assert {*ENTRY_MODES.values(), UNKNOWN_MODE} == words("PosEntryMode", "panEntryMode")
    assert {*PIN_ENTRY.values(), UNKNOWN_MODE} == words("PosEntryMode", "pinEntryCapability")
    assert set(CONDITIONS.values()) == words("PosInfo", "posConditionCode")
    assert set(PIN_BLOCK_FORMATS.values()) == words("EncryptionParameters", "pinBlockFormat")
    assert words("LoadRequest", "tranType") == TRANSACTION_TYPES
    assert {str(kind) for kind in TenderType} == words("Tender", "tenderType")
    assert {str(kind) for kind in AccountType} == words("LoadRequest", "srcAccType")


def test_every_operation_is_spoken() -> None:
    """The goldens speak all nineteen documented operations."""
    spoken = {operation_of(parameter.values[0]["path"])["operationId"] for parameter in golden_requests()}
    documented = {methods["post"]["operationId"] for methods in spec()["paths"].values()}
    assert spoken == documented
    assert len(documented) == 19
