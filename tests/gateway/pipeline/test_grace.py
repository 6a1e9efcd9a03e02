"""Until when an approval may be decided, by arithmetic alone (rule 10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.ledger.entry import Entry, State, StateChange
from giftcard_gateway.ledger.grace import Outage, decide_by, extended

T0 = datetime(2026, 1, 1, tzinfo=UTC)
GRACE_S = 300


def at(seconds: float) -> datetime:
    """Return the time so many seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def approved(at_s: float, confirm_by_s: float) -> Entry:
    """Return an approval, and until when its caller was told to decide."""
    return Entry(
        transaction_id="t",
        operation=Operation.REDEEM,
        state=State.APPROVED,
        created_at=T0 - timedelta(days=1),
        updated_at=at(at_s),
        changes=(StateChange(state=State.APPROVED, at=at(at_s), cause="provider approved"),),
        confirm_by=at(confirm_by_s),
        due_at=at(confirm_by_s),
        driver="one",
    )


def outage(since_s: float, until_s: float, lost_s: float | None = None) -> Outage:
    """Return an outage."""
    lost = until_s - since_s if lost_s is None else lost_s
    return Outage(since=at(since_s), until=at(until_s), lost=timedelta(seconds=lost))


@pytest.mark.parametrize(
    ("approved_s", "confirm_by_s", "during", "decided_s"),
    [
        pytest.param(0, 900, None, 900, id="no outage"),
        pytest.param(0, 8, outage(5, 17), 17 + GRACE_S, id="came due in it"),
        pytest.param(0, 20, outage(5, 17), 17 + GRACE_S, id="came due soon after it"),
        pytest.param(0, 8, outage(5, 3605), 3605 + 3600, id="longer than the grace"),
        pytest.param(0, 900, outage(5, 17), 900, id="enough time left"),
        pytest.param(0, 8, outage(8, 17), 8, id="came due before it"),
        pytest.param(17, 25, outage(5, 17), 25, id="approved after it"),
        pytest.param(0, 8, outage(5, 3605, 20), 3605 + GRACE_S, id="several short ones"),
    ],
)
def test_when_it_is_decided(
    approved_s: float, confirm_by_s: float, during: Outage | None, decided_s: float
) -> None:
    """An outage puts a decision off only where it took from the time before, by no more than it must."""
    entry = approved(approved_s, confirm_by_s)
    assert decide_by(entry, during, timedelta(seconds=GRACE_S)) == at(decided_s)


def test_what_has_no_time_gets_none() -> None:
    """A transaction that nobody has to decide is put off by nothing."""
    entry = msgspec.structs.replace(approved(0, 8), confirm_by=None)
    assert decide_by(entry, outage(5, 17), timedelta(seconds=GRACE_S)) is None


@given(st.floats(0, 1e5), st.floats(1, 1e5), st.floats(0, 1e5), st.floats(1, 1e5), st.integers(0, 1000))
def test_one_outage_is_granted_once(
    approved_s: float, within_s: float, since_s: float, for_s: float, grace_s: int
) -> None:
    """Asked again after the extension, the same outage extends nothing, and it never takes time away."""
    entry, grace = approved(approved_s, approved_s + within_s), timedelta(seconds=grace_s)
    during = outage(since_s, since_s + for_s)
    first = decide_by(entry, during, grace)
    assert first is not None
    assert entry.confirm_by is not None
    assert first >= entry.confirm_by
    later = extended(entry, first)
    assert decide_by(later, during, grace) == first
    assert (later.confirm_by, later.due_at, later.driver) == (first, first, "")
