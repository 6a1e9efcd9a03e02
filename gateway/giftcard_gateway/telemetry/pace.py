"""How one provider answered in the last minutes, for people who look: counted in a ring of fixed buckets.

Of this process only, and gone with it. What is kept for longer is the histogram in `metrics`, whose bounds
are used here too, so that a duration is placed once; between two of them there are more here.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from giftcard_gateway.telemetry.durations import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SLOT_S = 15.0
_SLOTS = 20
WINDOW_S = _SLOT_S * _SLOTS
"""How far back it is told, in seconds."""
_PARTS = 8
"""Into how many of its own each bucket of the histogram is split: 100 to 250 ms is told to a fifth."""
_FINER = tuple(
    tuple(low + (high - low) * part / _PARTS for part in range(1, _PARTS + 1))
    for low, high in pairwise((0.0, *SECONDS))
)
"""The upper bounds of our buckets, in seconds, by the histogram's bucket."""
_BOUNDS = tuple(bound for finer in _FINER for bound in finer)
_FAILED_FROM = "500"
_TOO_MANY = "429"
_GIVEN_UP = "CancelledError"
"""What an exchange ends with whose caller left: it says nothing of the provider."""


class SeenPace(NamedTuple):
    """What was seen of a provider in the last `window_s` seconds."""

    window_s: float
    exchanges: int
    failures: int
    p50_s: float | None
    """Half of the answers took no longer, in seconds; None without any answer."""
    p99_s: float | None


class Pace:
    """The exchanges with one provider."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        """Begin with none."""
        self._monotonic_s = monotonic_s
        self._began_s = monotonic_s()
        self._slots: deque[_Slot] = deque(maxlen=_SLOTS)
        self._slot = self._turned(self._began_s // _SLOT_S)

    def add(self, now_s: float, duration_s: float, place: int, status: str, error: str) -> None:
        """Count an exchange that has just ended, and took `duration_s`.

        `place` is that of its duration between SECONDS, `status` its HTTP status and empty without an answer.
        """
        slot = self._slot
        if slot.number != (number := now_s // _SLOT_S):
            slot = self._slot = self._turned(number)
        if status:
            if place == len(_FINER):
                at = -1
            else:
                at = place * _PARTS
                # A loop, where a search would be a call.
                for bound in _FINER[place]:
                    if duration_s <= bound:
                        break
                    at += 1
            slot.answered[at] += 1
            if status >= _FAILED_FROM or status == _TOO_MANY:
                slot.failures += 1
        elif error != _GIVEN_UP:
            slot.silent += 1

    def _turned(self, number: float) -> _Slot:
        self._slots.append(slot := _Slot(number))
        return slot

    def seen(self) -> SeenPace | None:
        """Return what was seen in the last minutes; None without any exchange in them."""
        now_s = self._monotonic_s()
        oldest = now_s // _SLOT_S - _SLOTS
        kept = [slot for slot in self._slots if slot.number > oldest]
        answered = [sum(counts) for counts in zip(*(slot.answered for slot in kept), strict=True)]
        silent = sum(slot.silent for slot in kept)
        if not (exchanges := sum(answered) + silent):
            return None
        return SeenPace(
            window_s=min(WINDOW_S, now_s - self._began_s),
            exchanges=exchanges,
            failures=silent + sum(slot.failures for slot in kept),
            p50_s=_within(answered, 0.5),
            p99_s=_within(answered, 0.99),
        )


class _Slot:
    """What ended in one stretch of time."""

    __slots__ = ("answered", "failures", "number", "silent")

    def __init__(self, number: float) -> None:
        self.number = number
        self.answered = [0] * (len(_BOUNDS) + 1)
        self.failures = 0
        """Answers that are failures."""
        self.silent = 0
        """Exchanges without an answer."""


def _within(counts: Sequence[int], share: float) -> float | None:
    """Return within how many seconds this share of what was counted fell; None where nothing was counted.

    Between two bounds it is as if all stood evenly, as Prometheus's `histogram_quantile` has it. What took
    longer than the last bound is told as that.
    """
    left = share * sum(counts)
    if not left:
        return None
    for place, count in enumerate(counts[:-1]):
        if left <= count:
            below_s = _BOUNDS[place - 1] if place else 0.0
            return below_s + (_BOUNDS[place] - below_s) * left / count
        left -= count
    return _BOUNDS[-1]
