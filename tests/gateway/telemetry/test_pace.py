"""How a provider answered in the last minutes is told from what its exchanges took."""

from __future__ import annotations

from bisect import bisect_left

import httpx
import pytest

from giftcard_adapters.errors import NoAnswer
from giftcard_gateway.telemetry.durations import SECONDS
from giftcard_gateway.telemetry.pace import WINDOW_S, Pace, SeenPace
from tests.gateway.telemetry.test_traces import redeem
from tests.world.seen import Seen


class Hands:
    """A monotonic clock that a test puts forward."""

    def __init__(self) -> None:
        """Begin in the middle of a slot."""
        self.now_s = 1007.0

    def __call__(self) -> float:
        """Return seconds."""
        return self.now_s


def took(pace: Pace, hands: Hands, *durations_s: float, status: str = "200", error: str = "") -> None:
    """Count exchanges that end now."""
    for duration_s in durations_s:
        pace.add(hands.now_s, duration_s, bisect_left(SECONDS, duration_s), status, error)


def seen(pace: Pace) -> SeenPace:
    """Return what is told, which is something."""
    told = pace.seen()
    assert told is not None
    return told


def test_nothing_is_told_without_exchanges() -> None:
    """Nobody is told of a speed that nobody saw."""
    assert Pace(Hands()).seen() is None


def test_the_middle_and_the_slowest_are_told_apart() -> None:
    """Of 100 answers the 50th and the 99th are told, within the bounds between which they fell."""
    hands = Hands()
    pace = Pace(hands)
    took(pace, hands, *[0.06] * 95, *[2.0] * 5)
    told = seen(pace)
    assert told.p50_s is not None
    assert told.p99_s is not None
    assert 0.05 < told.p50_s < 0.075
    assert 1.0 < told.p99_s < 2.5
    assert (told.exchanges, told.failures) == (100, 0)


def test_it_is_told_to_a_quarter() -> None:
    """Whatever all answers took, from 5 ms to a minute, both figures are within a quarter of it."""
    for step in range(95):
        hands = Hands()
        pace = Pace(hands)
        truth_s = 0.005 * 1.1**step
        assert truth_s < SECONDS[-1]
        took(pace, hands, *[truth_s] * 100)
        told = seen(pace)
        for told_s in (told.p50_s, told.p99_s):
            assert told_s == pytest.approx(truth_s, rel=0.25)


def test_no_answer_is_a_failure_and_no_answer_time() -> None:
    """A time-out failed and is no answer; 429 and 503 are answers that failed; 404 did not fail."""
    hands = Hands()
    pace = Pace(hands)
    took(pace, hands, 30.0, status="", error="ReadTimeout")
    told = seen(pace)
    assert (told.exchanges, told.failures, told.p50_s, told.p99_s) == (1, 1, None, None)
    for status in ("429", "503", "404", "200"):
        took(pace, hands, 0.02, status=status)
    told = seen(pace)
    assert (told.exchanges, told.failures) == (5, 3)
    assert told.p99_s is not None
    assert told.p99_s < 0.03


def test_what_a_caller_gave_up_does_not_count() -> None:
    """A read whose caller left says nothing of the provider."""
    hands = Hands()
    pace = Pace(hands)
    took(pace, hands, 5.0, status="", error="CancelledError")
    assert pace.seen() is None


def test_what_took_longer_than_all_bounds_is_told_as_the_last() -> None:
    """The estimate ends at the last bound, a minute."""
    hands = Hands()
    pace = Pace(hands)
    took(pace, hands, 400.0)
    assert seen(pace).p50_s == SECONDS[-1]


def test_old_exchanges_are_forgotten() -> None:
    """After five minutes they are gone, also when nothing came since; a young process tells its age."""
    hands = Hands()
    pace = Pace(hands)
    took(pace, hands, 0.02)
    hands.now_s += 100
    assert seen(pace).window_s == 100.0
    took(pace, hands, 0.02)
    assert seen(pace).exchanges == 2
    hands.now_s += WINDOW_S - 99
    told = seen(pace)
    assert (told.exchanges, told.window_s) == (1, WINDOW_S)
    hands.now_s += WINDOW_S
    assert pace.seen() is None
    took(pace, hands, 0.02)
    assert seen(pace).exchanges == 1


async def test_every_exchange_counts_and_a_new_connection_goes_on(seen: Seen) -> None:
    """What goes out by any transport of a provider is in one view of it, with how it ended."""

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("nothing", request=request)

    await redeem(seen, httpx.MockTransport(lambda _: httpx.Response(200, json={})))
    with pytest.raises(NoAnswer):
        await redeem(seen, httpx.MockTransport(silent))
    told = seen.telemetry.paces["spar-za"].seen()
    assert told is not None
    assert (told.exchanges, told.failures) == (2, 1)
    assert told.p50_s is not None
