"""Until when an approval may be decided, by arithmetic alone (rule 10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.ledger.entry import Entry, State, StateChange
from giftcard_gateway.ledger.grace import Outage, counted, put_off

T0 = datetime(2026, 1, 1, tzinfo=UTC)
GRACE_S = 300
GRACE = timedelta(seconds=GRACE_S)


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


def outage(since_s: float, until_s: float, *, lost_before_s: float = 0) -> Outage:
    """Return an outage, and how long others were before it."""
    lost_s = lost_before_s + until_s - since_s
    return Outage(since=at(since_s), until=at(until_s), lost_in_all=timedelta(seconds=lost_s))


@pytest.mark.parametrize(
    ("confirm_by_s", "during", "decided_s"),
    [
        pytest.param(900, None, 900, id="no outage"),
        pytest.param(8, outage(5, 17), 17 + GRACE_S, id="came due in it"),
        pytest.param(20, outage(5, 17), 17 + GRACE_S, id="came due soon after it"),
        pytest.param(8, outage(5, 3605), 3605 + 3600, id="longer than the grace"),
        pytest.param(900, outage(5, 17), 912, id="enough time left"),
        pytest.param(8, outage(5, 17, lost_before_s=588), 17 + 600, id="another one before it"),
    ],
)
def test_when_it_is_decided(confirm_by_s: float, during: Outage | None, decided_s: float) -> None:
    """What an outage took is given back, and whom it left little time gets at least the grace."""
    later = put_off(approved(0, confirm_by_s), during, GRACE)
    assert later.confirm_by == at(decided_s)
    assert later.due_at == later.confirm_by


def test_outage_before_the_approval_gives_nothing() -> None:
    """An approval is put off only for outages after it."""
    before = outage(5, 17)
    entry = counted(approved(17, 25), before)
    assert put_off(entry, before, GRACE) == entry
    later = put_off(entry, outage(20, 30, lost_before_s=12), GRACE)
    assert later.confirm_by == at(30 + GRACE_S)
    assert put_off(counted(entry, None), before, GRACE) == entry


def test_what_has_no_time_gets_none() -> None:
    """A transaction that nobody has to decide is put off by nothing."""
    entry = msgspec.structs.replace(approved(0, 8), confirm_by=None)
    assert put_off(entry, outage(5, 17), GRACE) == entry


@given(st.floats(1, 1e5), st.lists(st.tuples(st.floats(0, 1e4), st.floats(1, 1e4)), min_size=1, max_size=20))
def test_time_to_decide_is_bounded_however_often_nobody_served(
    within_s: float, lives: list[tuple[float, float]]
) -> None:
    """The same outage counts once, and all together give what they took and one grace, never more."""
    entry, now_s, lost_s = approved(0, within_s), 0.0, 0.0
    for served_s, away_s in lives:
        assert entry.confirm_by is not None
        if entry.confirm_by <= at(now_s + served_s):
            break
        during = outage(now_s + served_s, now_s + served_s + away_s, lost_before_s=lost_s)
        now_s, lost_s = now_s + served_s + away_s, lost_s + away_s
        later = put_off(entry, during, GRACE)
        assert later.confirm_by is not None
        assert later.confirm_by >= entry.confirm_by
        assert put_off(later, during, GRACE) == later
        entry = later
    assert entry.confirm_by is not None
    could_decide = entry.confirm_by - at(lost_s)
    longest_s = max(away_s for _, away_s in lives)
    assert could_decide <= timedelta(seconds=within_s + max(longest_s, GRACE_S) + 0.001)
