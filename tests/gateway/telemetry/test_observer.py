"""What cannot be opened is counted each time and said seldom."""

from __future__ import annotations

import logging
import os
from datetime import timedelta

import msgspec
import pytest

from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.seal import KeyMissing, SealBroken
from giftcard_gateway.telemetry import handshakes, open_telemetry
from giftcard_gateway.telemetry.observer import Seldom
from tests.gateway.access.issuing import TurnedClock

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
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


@pytest.mark.parametrize("is_declined", [True, False])
def test_a_transactions_end_is_one_line(caplog: pytest.LogCaptureFixture, is_declined: bool) -> None:
    """It tells how long it took, how often the provider was asked, why it was declined, and its trace."""
    clock = TurnedClock()
    telemetry = open_telemetry({}, clock)
    began = clock.now()
    entry = Entry(
        transaction_id=FIRST,
        operation=Operation.REDEEM,
        state=State.PENDING,
        created_at=began,
        updated_at=began,
        provider="spar-za",
        traceparent=f"00-{TRACE}-00f067aa0ba902b7-00",
    )
    decline = Decline(reason=DeclineReason.FUNDS_INSUFFICIENT, provider_text="no money")
    verdict = Outcome(verdict=Verdict.DECLINED, decline=decline) if is_declined else None
    ended = msgspec.structs.replace(
        entry,
        state=State.DECLINED if is_declined else State.UNRESOLVED,
        updated_at=began + timedelta(seconds=1, milliseconds=250),
        tried_in_all=2,
        outcome=verdict,
    )
    with caplog.at_level(logging.INFO):
        telemetry.observer.wrote(None, entry)
        telemetry.observer.wrote(entry, ended)
        telemetry.observer.wrote(ended, ended)
    telemetry.close()
    (line,) = caplog.records
    assert line.levelno == (logging.INFO if is_declined else logging.ERROR)
    told = {key: vars(line)[key] for key in ("transaction_id", "duration_s", "attempts", "began_in_trace_id")}
    assert told == {
        "transaction_id": FIRST,
        "duration_s": 1.25,
        "attempts": 2,
        "began_in_trace_id": TRACE,
    }
    assert vars(line).get("decline_reason") == ("FUNDS_INSUFFICIENT" if is_declined else None)
    assert "no money" not in str(vars(line))


@pytest.mark.parametrize("is_all_shown", [False, True])
def test_grpcs_own_lines(capfd: pytest.CaptureFixture[str], is_all_shown: bool) -> None:
    """GRPC's core is heard on failed handshakes alone, unless all is shown; others' lines pass."""
    heard: list[str] = []
    own = b"E1128 18:15:35.945129   18842 add_port.cc:83] Failed to add port to server\n"
    failed = (
        b"E1128 18:15:35.945129   1 ssl.cc:1] Handshake failed with error OPENSSL_internal:HTTP_REQUEST\n"
    )
    fatal = b"F1128 18:15:35.945129   1 check.cc:1] Check failed\n"
    with handshakes.told(heard.append, is_all_shown=is_all_shown) as ours:
        os.write(2, own + failed + fatal + b"Fatal Python error: Aborted\n")
    ours.close()
    shown = capfd.readouterr().err
    assert heard == ["HTTP_REQUEST"]
    assert ("Failed to add port" in shown) is is_all_shown
    assert "Handshake" not in shown
    assert shown.endswith("Check failed\nFatal Python error: Aborted\n")


def test_no_more_than_a_thousand_kinds_are_said() -> None:
    """A thousand transactions that cannot be opened fill neither log nor memory; later others are said."""
    clock = TurnedClock()
    may_say = Seldom(clock)
    assert [may_say((str(number),)) for number in range(1200)] == [True] * 1000 + [False] * 200
    clock.skip(seconds=61)
    assert may_say(("1100",))
    assert may_say(("0",))
