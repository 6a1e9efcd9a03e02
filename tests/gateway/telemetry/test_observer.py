"""What cannot be opened is counted each time and said seldom."""

from __future__ import annotations

import logging

import pytest

from giftcard_gateway.seal import KeyMissing, SealBroken
from giftcard_gateway.telemetry import open_telemetry
from giftcard_gateway.telemetry.observer import Seldom
from tests.gateway.access.issuing import TurnedClock

FIRST, SECOND = "0e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e11", "1e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e12"


def test_a_transaction_that_cannot_be_opened_is_said_once_in_minutes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line has its id, its key's and why; asked for again and again it is counted, and said later."""
    clock = TurnedClock()
    telemetry = open_telemetry({}, clock)
    counted: list[tuple[str, str]] = []
    monkeypatch.setattr(telemetry.metrics, "fault", lambda *kind: counted.append(kind))
    with caplog.at_level(logging.ERROR):
        for _ in range(50):
            telemetry.observer.unreadable(FIRST, KeyMissing("k2"))
            telemetry.observer.unreadable(SECOND, SealBroken("cut off"))
            telemetry.observer.unreadable_event("7", SealBroken("cut off"))
        said = [vars(record) for record in caplog.records]
        assert [one.get("transaction_id") for one in said] == [FIRST, SECOND, None]
        assert (said[0]["key_id"], said[1]["why"], said[2]["cursor"]) == ("k2", "cut off", "7")
        clock.skip(seconds=301)
        telemetry.observer.unreadable(FIRST, KeyMissing("k2"))
    assert len(caplog.records) == 4
    assert counted == [("seal", "KeyMissing"), ("seal", "SealBroken"), ("seal", "SealBroken")] * 50 + [
        ("seal", "KeyMissing")
    ]
    telemetry.close()


def test_no_more_than_a_thousand_kinds_are_said() -> None:
    """A thousand transactions that cannot be opened fill neither log nor memory; later others are said."""
    clock = TurnedClock()
    may_say = Seldom(clock)
    assert [may_say((str(number),)) for number in range(1200)] == [True] * 1000 + [False] * 200
    clock.skip(seconds=61)
    assert may_say(("1100",))
    assert may_say(("0",))
