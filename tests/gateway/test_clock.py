"""The machine's clock: the forms its answers have."""

from __future__ import annotations

import re
import uuid
from datetime import UTC

from giftcard_gateway.clock import Clock, SystemClock

CLOCK: Clock = SystemClock()


def test_now_is_aware() -> None:
    """Times carry their zone, which is UTC."""
    assert CLOCK.now().tzinfo is UTC


def test_times_agree() -> None:
    """The same instant in three forms differs only by what passed between the questions."""
    before, in_ns, moment, after = CLOCK.now(), CLOCK.now_ns(), CLOCK.moment(), CLOCK.now()
    # A microsecond is what the first form rounds to.
    assert before.timestamp() - 1e-6 <= in_ns / 1e9 <= after.timestamp() + 1e-6
    assert before.timestamp() - 1e-6 <= moment.now_s <= after.timestamp() + 1e-6


def test_monotonic() -> None:
    """The measure of durations never goes back."""
    first = CLOCK.monotonic_s()
    assert CLOCK.monotonic_s() >= first


def test_ids_are_fresh() -> None:
    """Each id is a version-4 UUID in its usual form, and no two are the same."""
    ids = [CLOCK.uuid4() for _ in range(100)]
    assert len(set(ids)) == 100
    assert {(uuid.UUID(one).version, str(uuid.UUID(one)) == one) for one in ids} == {(4, True)}


def test_nonces_are_fresh() -> None:
    """Each nonce has 32 hexadecimal digits, and no two are the same."""
    nonces = {CLOCK.moment().nonce for _ in range(100)}
    assert len(nonces) == 100
    assert all(re.fullmatch(r"[0-9a-f]{32}", nonce) for nonce in nonces)


def test_fraction() -> None:
    """Jitter lies between 0 and 1 and varies."""
    drawn = [CLOCK.fraction() for _ in range(100)]
    assert all(0 <= one < 1 for one in drawn)
    assert len(set(drawn)) > 50


def test_random_bytes() -> None:
    """As many bytes come as were asked for, and not the same ones twice."""
    assert len(CLOCK.random_bytes(12)) == 12
    assert CLOCK.random_bytes(16) != CLOCK.random_bytes(16)


async def test_sleep() -> None:
    """Sleeping takes at least the time asked for."""
    began = CLOCK.monotonic_s()
    await CLOCK.sleep(0.01)
    assert CLOCK.monotonic_s() - began >= 0.009
