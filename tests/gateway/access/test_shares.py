"""What one caller may take: places, calls and money a second; others do not miss it (rule 20)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from giftcard_gateway.access.buckets import Bucket, ByName
from giftcard_gateway.access.shares import Shares
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.settings import Limits
from giftcard_gateway.errors import Overloaded, RateLimited


class Turned(SystemClock):
    """A clock that a test turns."""

    seconds = 0.0

    def monotonic_s(self) -> float:
        """Return what the test says."""
        return self.seconds


def test_a_bucket_never_goes_below_none() -> None:
    """What is lent counts as gone until it is put back, and is not refilled meanwhile."""
    clock = Turned()
    bucket = Bucket(clock, size=2, every_s=5.0)
    bucket.lend(1)
    bucket.lend(1)
    assert not bucket.take()
    clock.seconds = 60.0
    assert bucket.tokens == 0
    bucket.end(is_back=True)
    bucket.end(is_back=False)
    assert bucket.tokens == 1
    assert bucket.wait_s == 0.0
    assert not bucket.take(2)
    clock.seconds = 65.0
    assert bucket.take(2)
    assert bucket.wait_s == pytest.approx(5.0)


def test_a_callers_places_are_its_own() -> None:
    """Who has all its calls in flight gets no more, and anybody else does."""
    shares = Shares(Limits(calls_in_flight=2), Turned())
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(shares.taken("a"))
        with pytest.raises(Overloaded), shares.taken("a"):
            pass
        with shares.taken("b"):
            pass
    with shares.taken("a"):
        pass


def test_where_places_are_scarce_each_caller_has_an_equal_part() -> None:
    """Who holds them all gets no more, and who comes with few gets them, and no more than its part."""
    shares = Shares(Limits(), Turned())
    with ExitStack() as held:
        for _ in range(64):
            held.enter_context(shares.taken("many"))
        with pytest.raises(Overloaded):
            shares.demand("many", is_stream=False, to_share=64)
        for _ in range(32):
            shares.demand("few", is_stream=False, to_share=64)
            held.enter_context(shares.taken("few"))
        with pytest.raises(Overloaded) as refused:
            shares.demand("few", is_stream=False, to_share=64)
        assert refused.value.metadata["cause"] == "share"
        shares.demand("few", is_stream=False)
    assert shares.callers == 0


def test_of_more_callers_than_places_some_wait() -> None:
    """With every place taken by another caller, one more has no part of them."""
    shares = Shares(Limits(), Turned())
    with ExitStack() as held:
        for caller in range(64):
            held.enter_context(shares.taken(str(caller)))
        with pytest.raises(Overloaded):
            shares.demand("one more", is_stream=False, to_share=64)


def test_streams_take_no_calls_place() -> None:
    """Streams are counted apart: with all of them open a call is let in, and the next stream is not."""
    shares = Shares(Limits(calls_in_flight=1, streams=1), Turned())
    with shares.taken("a", is_stream=True), shares.taken("a"):
        with pytest.raises(Overloaded), shares.taken("a", is_stream=True):
            pass
        with shares.taken("b", is_stream=True):
            pass


def test_calls_a_second() -> None:
    """A caller may make those of two seconds at once, then as many as come in, and hears when."""
    clock = Turned()
    shares = Shares(Limits(calls_per_s=5), clock)

    def call() -> None:
        with shares.taken("a"):
            pass

    for _ in range(10):
        call()
    with pytest.raises(RateLimited) as refused:
        call()
    assert refused.value.retry_after_s == pytest.approx(0.2)
    with shares.taken("b"):
        pass
    clock.seconds = 0.2
    call()


def test_money_a_second() -> None:
    """Money has a rate of its own, and a caller that has used it up still confirms, reverses and reads."""
    shares = Shares(Limits(money_per_s=1), Turned())
    for _ in range(2):
        with shares.taken("a", is_money=True):
            pass
    with pytest.raises(RateLimited), shares.taken("a", is_money=True):
        pass
    with shares.taken("a"):
        pass


def test_callers_are_forgotten_but_not_who_is_inside() -> None:
    """However many names come, a table keeps ten thousand and those that are held."""
    table: ByName[int, list[int]] = ByName(list, is_held=bool)
    table.get(0).append(1)
    for name in range(1, 20_000):
        table.get(name)
    assert len(table) <= 10_001
    assert table.get(0) == [1]
