"""Electrum's answers with values that fit no field of ours: they do not hide the amounts beside them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from giftcard_adapters.calls import Reply
from giftcard_adapters.electrum import answers, readings
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.slips import Slip

ID = "6f1c7a52-3f5e-4c39-9d0b-0d2b6f4a1e11"
REDEEM = Redeem(
    transaction_id=ID,
    requested_at=datetime(2026, 11, 20, tzinfo=UTC),
    card=CardRef(number=Secret("6045830000000000017")),
    amount=Money("ZAR", 100),
)


JOHANNESBURG = ZoneInfo("Africa/Johannesburg")


def read(body: bytes) -> Outcome:
    """Return what becomes of a redemption that is answered 201 with this body."""
    return answers.outcome_of(REDEEM, Reply(status=201, headers={}, body=body), JOHANNESBURG)


def answered(**more: Any) -> Outcome:  # noqa: ANN401 - any JSON
    """Return what becomes of a redemption that is approved with these fields besides."""
    return read(json.dumps({"id": ID} | more).encode())


@pytest.mark.parametrize("written", ["soon", "2026/12/31", "2026-02-30T00:00:00Z"])
def test_points_that_expire_on_no_day(written: str) -> None:
    """An unreadable date is left out, and the redemption stays approved."""
    told = answered(points={"balanceAmount": {"amount": 5, "expiryDate": written}})
    assert told.verdict is Verdict.APPROVED
    assert told.points is not None
    assert told.points.book is not None
    assert told.points.book.expires_on == ""


@pytest.mark.parametrize("width", [-1, 10**10])
def test_slip_of_no_printers_width(width: int) -> None:
    """An impossible slip width is left out, and the slip's lines are kept."""
    told = answered(slipData={"slipWidth": width, "messageLines": [{"text": "Thank you"}]})
    assert told.slip is not None
    assert (told.slip.width, told.slip.lines[0].text) == (None, "Thank you")


@pytest.mark.parametrize("field", ["amount", "pointsDueToExpire"])
def test_points_beyond_counting(field: str) -> None:
    """A count beyond 64 bits is left out and named, and the redemption stays approved (rule 19)."""
    told = answered(points={"balanceAmount": {"amount": 5} | {field: 2**63}})
    assert told.verdict is Verdict.APPROVED
    assert f"points.balanceAmount.{field}" in told.left_out


ODD: list[tuple[str, dict[str, Any]]] = [
    ("stan", {"stan": 17}),
    ("rrn", {"rrn": 777}),
    ("product.id", {"product": {"id": 17}}),
    ("receiver", {"receiver": {"name": "no id"}}),
    ("receiver", {"receiver": "nobody"}),
    ("thirdPartyIdentifiers", {"thirdPartyIdentifiers": "none"}),
    ("thirdPartyIdentifiers", {"thirdPartyIdentifiers": [{"transactionIdentifier": "1"}]}),
    ("amounts.feeAmount", {"amounts": {"feeAmount": {"amount": 5}}}),
    ("amounts.balanceAmount", {"amounts": {"balanceAmount": {"currency": "710"}}}),
    ("amounts.additionalAmounts", {"amounts": {"additionalAmounts": {"tip": 5}}}),
    ("cardHolder.dateOfBirth", {"cardHolder": {"dateOfBirth": 636336000000}}),
    ("card.expiryDate", {"card": {"expiryDate": 3012}}),
    ("slipData.messageLines", {"slipData": {"messageLines": [{"line": True}, {"text": "Thank you"}]}}),
    ("clubs.member", {"clubs": [{"name": "Gold", "member": "perhaps"}]}),
]


@pytest.mark.parametrize(("place", "more"), ODD, ids=[f"{place}-{n}" for n, (place, _) in enumerate(ODD)])
def test_what_does_not_decide_is_left_out(place: str, more: dict[str, Any]) -> None:
    """A field that decides nothing and cannot be read is left out and named (rule 19)."""
    told = answered(**more)
    assert told.verdict is Verdict.APPROVED
    assert place in told.left_out


NULLS: list[dict[str, Any]] = [
    {"stan": None, "rrn": None},
    {"thirdPartyIdentifiers": None},
    {"receiver": {"id": "1", "name": None}},
    {"amounts": None, "card": None, "errorType": None},
    {"card": {"pan": None}, "amounts": {"approvedAmount": None, "additionalAmounts": {"tip": None}}},
]


@pytest.mark.parametrize("more", NULLS, ids="+".join)
def test_null_is_absent(more: dict[str, Any]) -> None:
    """A null is as good as a field that is not there, and nothing is called unreadable for it."""
    told = answered(**more)
    assert (told.verdict, told.left_out) == (Verdict.APPROVED, ())


DECISIVE: list[dict[str, Any]] = [
    {"id": 17},
    {"errorType": 17},
    {"amounts": {"approvedAmount": {"amount": 100}}},
    {"amounts": {"approvedAmount": {"amount": "much", "currency": "710"}}},
    {"amounts": {"requestAmount": {"amount": 100, "currency": 710}}},
    {"amounts": "many"},
    {"card": {"pan": 17}},
    {"card": "none"},
]


@pytest.mark.parametrize("more", DECISIVE, ids=[str(more) for more in DECISIVE])
def test_what_decides_must_be_right(more: dict[str, Any]) -> None:
    """An id, an amount or a card that cannot be read leaves the outcome open (rules 4 and 19)."""
    with pytest.raises(Unreadable):
        answered(**more)


def test_fee_in_a_currency_nobody_has() -> None:
    """A fee, a balance or an additional amount that cannot be said exactly is left out."""
    nothing = {"amount": 1, "currency": "000"}
    told = answered(
        amounts={"feeAmount": nothing, "balanceAmount": nothing, "additionalAmounts": {"tip": nothing}}
    )
    assert told.verdict is Verdict.APPROVED
    assert (told.fee, told.balances, told.additional_amounts) == (None, (), {})


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + json.dumps({"id": ID}).encode(),
        json.dumps({"id": ID, "receiver": {"id": "1", "name": "Caf\u00e9"}}, ensure_ascii=False).encode(
            "latin-1"
        ),
    ],
    ids=["byte order mark", "latin-1"],
)
def test_odd_encoding(body: bytes) -> None:
    """A byte order mark and a name in another encoding hide no approval."""
    assert read(body).verdict is Verdict.APPROVED


@pytest.mark.parametrize("body", [b"[" * 100_000, b"", b"[]", b"nothing", b'{"id": NaN}'])
def test_no_answer_at_all(body: bytes) -> None:
    """What is no JSON object with an id is unreadable, however deep it is."""
    with pytest.raises(Unreadable):
        read(body)


def test_many_faults() -> None:
    """An answer of faults alone is read in few steps: from some number on all of a kind are left out."""
    lines = [{"line": True} for _ in range(5_000)]
    told = answered(slipData={"messageLines": lines})
    assert (told.verdict, told.slip) == (Verdict.APPROVED, Slip(lines=()))
    assert len(told.left_out) < 20


def test_many_faults_hide_no_amount() -> None:
    """However many lines of a slip cannot be read, an approval of another amount is none (rule 4)."""
    lines = [{"text": "a", "line": "zz"} for _ in range(50)]
    amounts = {"approvedAmount": {"amount": 1, "currency": "710"}, "feeAmount": "n/a"}
    assert answered(slipData={"messageLines": lines}, amounts=amounts).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("pan", ["6045830000000000025", "604583000000000001", "604583*********0025"])
def test_another_card(pan: str) -> None:
    """A redemption answered with another card's number is not approved."""
    assert answered(card={"pan": pan}).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("pan", ["6045830000000000017", "604583*********0017", None])
def test_our_card(pan: str | None) -> None:
    """Our own number, masked or not told is as good as echoed."""
    assert answered(card={"pan": pan}).verdict is Verdict.APPROVED


@pytest.mark.parametrize(
    ("told", "zone", "day"),
    [
        ("1990-02-27T22:00:00.000Z", "Africa/Johannesburg", date(1990, 2, 28)),
        ("1990-02-28T00:00:00.000+02:00", "Africa/Johannesburg", date(1990, 2, 28)),
        ("1990-02-28T00:00:00.000Z", "Africa/Johannesburg", date(1990, 2, 28)),
        ("1990-02-28T05:00:00Z", "America/New_York", date(1990, 2, 28)),
        ("1990-02-28T00:00:00", "America/New_York", date(1990, 2, 28)),
        ("1990-02-28", "America/New_York", date(1990, 2, 28)),
        ("9999-12-31T23:59:59Z", "Africa/Johannesburg", None),
        ("28/02/1990", "Africa/Johannesburg", None),
    ],
)
def test_day(told: str, zone: str, day: date | None) -> None:
    """Local midnight in UTC names the day of the zone; a time without offset is in that zone."""
    assert readings.day(told, ZoneInfo(zone)) == day


def test_an_id_in_capitals_is_the_same() -> None:
    """A UUID is the same in capital letters: an approval that spells it so is about our transaction."""
    assert read(json.dumps({"id": ID.upper()}).encode()).verdict is Verdict.APPROVED
