"""Limits how often a caller may look up cards that do not exist, so that numbers cannot be guessed (rule 16).

A bucket of tokens per caller, in this process. A miss takes one; with none left, look-ups are
refused before anybody is asked, hits too, or the refusal itself would tell.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from giftcard_adapters.values.declines import DeclineReason
from giftcard_gateway.errors import CardNotFound, GatewayError, RateLimited, ReadRefused

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock

_GUESSES = frozenset({DeclineReason.CARD_UNKNOWN, DeclineReason.PIN_INCORRECT})
_CALLERS = 10_000
"""How many callers are remembered; the one not heard of for longest is forgotten first."""


class LookupThrottle:
    """A token bucket of failed look-ups per caller."""

    def __init__(self, clock: Clock, *, burst: int = 30, refill_per_s: float = 0.2) -> None:
        """Let a caller miss `burst` times at once and then one in every five seconds."""
        self._clock = clock
        self._burst = burst
        self._refill_per_s = refill_per_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, caller: str) -> None:
        """Raise RateLimited for a caller who has missed too often."""
        tokens = self._tokens(caller)
        if tokens < 1:
            refusal = RateLimited("Too many look-ups of cards that are not there; nothing was asked.")
            refusal.retry_after_s = (1 - tokens) / self._refill_per_s
            raise refusal

    def note(self, caller: str, refusal: GatewayError) -> None:
        """Take a token if a wrong guess gets `refusal`; concurrent reads may take the bucket below zero."""
        is_guess = isinstance(refusal, CardNotFound) or (
            isinstance(refusal, ReadRefused) and refusal.decline.reason in _GUESSES
        )
        if is_guess:
            self._buckets[caller] = self._tokens(caller) - 1, self._clock.monotonic_s()
            self._buckets.move_to_end(caller)
            if len(self._buckets) > _CALLERS:
                self._buckets.popitem(last=False)

    def _tokens(self, caller: str) -> float:
        tokens, at_s = self._buckets.get(caller, (float(self._burst), 0.0))
        return min(self._burst, tokens + (self._clock.monotonic_s() - at_s) * self._refill_per_s)
