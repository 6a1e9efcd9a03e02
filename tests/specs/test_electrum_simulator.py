"""Every answer of the Electrum simulator fits the rebuilt specification, and so does what the till sends."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from giftcard_adapters.simulators.electrum import ElectrumSimulator
from giftcard_adapters.simulators.sandbox import SimAnswer, SimRequest, seeded_ids
from tests.simulators.electrum_till import EMPTY, FUNDED, INACTIVE, NOW, Body, Till

SPEC = (
    Path(__file__).resolve().parents[3] / "shared" / "specs" / "electrum-giftcard.reconstructed.swagger.json"
)
BASE = "/giftcard/v3"
CARDS = {"transfer": (FUNDED, EMPTY), "replace": (FUNDED, INACTIVE), "activate": (INACTIVE,)}

pytestmark = pytest.mark.specs


@cache
def spec() -> dict[str, Any]:
    """Return the specification; its own references resolve inside it."""
    return dict(msgspec.json.decode(SPEC.read_bytes()))


def operation_of(path: str) -> dict[str, Any]:
    """Return the operation whose path template fits."""
    parts = path.removeprefix(BASE).split("/")
    for template, methods in spec()["paths"].items():
        shape = template.split("/")
        if len(shape) == len(parts) and all(
            a == b or a[:1] == "{" for a, b in zip(shape, parts, strict=True)
        ):
            return dict(methods["post"])
    raise AssertionError(path)


def validate(content: bytes, schema: dict[str, Any]) -> None:
    """Check JSON bytes against a schema of the specification."""
    jsonschema.Draft4Validator({**schema, "definitions": spec()["definitions"]}).validate(
        msgspec.json.decode(content)
    )


class Checked(ElectrumSimulator):
    """A simulator whose every exchange is checked against the specification."""

    seen: set[tuple[str, int]] = set()  # noqa: RUF012  # replaced for each instance below

    def answer(self, request: SimRequest) -> SimAnswer:
        """Answer, and check the request where it was accepted, and the answer always."""
        answer = super().answer(request)
        operation = operation_of(request.path)
        documented = operation["responses"][str(answer.status)]
        validate(answer.body, documented["schema"])
        assert ("Location" in documented.get("headers", {})) == ("location" in answer.headers)
        if answer.status < 300:
            body = next(part for part in operation["parameters"] if part["in"] == "body")
            validate(request.body, body["schema"])
        self.seen.add((operation["operationId"], answer.status))
        return answer


@pytest.fixture
def till() -> Till:
    """Return a till at a checked simulator."""
    simulator = Checked(now=lambda: NOW, ids=seeded_ids(1))
    simulator.seen = set()
    return Till(simulator)


def dated(pan: str) -> Body:
    """Return a card with the expiry date the documents ask for."""
    return {"pan": pan, "expiryDate": "4912"}


def test_every_answer_fits(till: Till) -> None:
    """All 19 operations, approved, acknowledged and refused, answer as the specification says."""
    for operation in ("activate", "load", "redeem", "transfer", "replace", "void"):
        for advise in (till.confirm, till.reverse):
            till.simulator.reset()
            amount = None if operation in {"replace", "void"} else 100
            cards = [dated(pan) for pan in CARDS.get(operation, (FUNDED,))]
            request_id = str(till.ask(operation, *cards, amount=amount).body["id"])
            tenders: Body = (
                {"tenders": []} if operation in {"activate", "load"} and advise == till.confirm else {}
            )
            assert advise(operation, request_id, **tenders).status == 202
            advise(operation, till.fresh_id())
            till.ask(operation, *cards, amount=amount, id=request_id)
            till.ask(operation, *cards, amount=amount, time="never")
    till.look_up(FUNDED, card=dated(FUNDED))
    till.look_up("1")
    simulator = till.simulator
    assert isinstance(simulator, Checked)
    names = {methods["post"]["operationId"] for methods in spec()["paths"].values()}
    assert len(names) == 19
    assert {name for name, status in simulator.seen if status < 300} == names
    assert {status for _, status in simulator.seen} == {201, 202, 400, 404}


@pytest.mark.parametrize("status", [500, 503, 504])
def test_failures_fit(status: int) -> None:
    """A scripted failure's body fits ErrorDetail."""
    simulator = Till().simulator
    asked = SimRequest(method="POST", path=f"{BASE}/loads/8f14e45f-ceea-467a-9f15-1a1b7d7f5b23")
    answer = simulator.failure(status, asked)
    validate(answer.body, operation_of(asked.path)["responses"][str(status)]["schema"])
