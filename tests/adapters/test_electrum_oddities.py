"""Electrum's answers with values that fit no field of ours: they do not hide the amounts beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from giftcard_adapters.calls import Reply
from giftcard_adapters.electrum import answers
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.secret import Secret

ID = "6f1c7a52-3f5e-4c39-9d0b-0d2b6f4a1e11"
REDEEM = Redeem(
    transaction_id=ID,
    requested_at=datetime(2026, 11, 20, tzinfo=UTC),
    card=CardRef(number=Secret("6045830000000000017")),
    amount=Money("ZAR", 100),
)


def answered(**more: Any) -> Outcome:  # noqa: ANN401 - any JSON
    """Return what becomes of a redemption that is approved with these fields besides."""
    return answers.outcome_of(
        REDEEM, Reply(status=201, headers={}, body=json.dumps({"id": ID} | more).encode())
    )


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
def test_points_beyond_counting_are_unreadable(field: str) -> None:
    """A count beyond 64 bits makes an answer unreadable, so its outcome stays open (rule 4)."""
    with pytest.raises(Unreadable):
        answered(points={"balanceAmount": {"amount": 5} | {field: 2**63}})
