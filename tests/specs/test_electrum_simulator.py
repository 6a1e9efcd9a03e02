"""Every answer of the Electrum simulator fits Electrum's wire format, and so does what the till sends."""

from __future__ import annotations

import pytest

from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.sandbox import SimRequest, seeded_ids
from tests.simulators.electrum_till import EMPTY, FUNDED, INACTIVE, NOW, Body, Till
from tests.specs.validating import Watched, described

ELECTRUM = described("electrum")
BASE = "/giftcard/v3"
CARDS = {"transfer": (FUNDED, EMPTY), "replace": (FUNDED, INACTIVE), "activate": (INACTIVE,)}


@pytest.fixture
def watched() -> Watched:
    """Return a watched simulator; the till makes mistakes on purpose."""
    simulator = ElectrumSimulator(now=lambda: NOW, ids=seeded_ids(1))
    return Watched(simulator, ELECTRUM, may_be_asked_wrongly=True)


@pytest.fixture
def till(watched: Watched) -> Till:
    """Return a till at it."""
    return Till(watched)


def dated(pan: str) -> Body:
    """Return a card with the expiry date the documents ask for."""
    return {"pan": pan, "expiryDate": "4912"}


def test_every_answer_fits(till: Till, watched: Watched) -> None:
    """All 19 operations, approved, acknowledged and refused, answer as the wire format says."""
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
    assert len(ELECTRUM.operations) == 19
    assert {name for name, status in watched.seen if status < 300} == set(ELECTRUM.operations)
    assert {status for _, status in watched.seen} == {201, 202, 400, 404}


@pytest.mark.parametrize("status", [500, 503, 504])
def test_failures_fit(status: int) -> None:
    """A scripted failure's body fits ErrorDetail."""
    simulator = ElectrumSimulator(now=lambda: NOW, ids=seeded_ids(1))
    asked = SimRequest(method="POST", path=f"{BASE}/loads/8f14e45f-ceea-467a-9f15-1a1b7d7f5b23")
    answer = simulator.failure(status, asked)
    assert not ELECTRUM.answer_faults(asked, answer)
