"""A circuit breaker: stops sending to a provider that does not answer, and probes it after a pause.

State of this process only; other replicas find out for themselves. It counts consecutive
exchanges without an answer, because one success proves the provider is there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class CircuitState(StrEnum):
    """Whether a provider may be asked."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Circuit:
    """Opens after `threshold` exchanges in a row without an answer; lets one through every `cooldown_s`."""

    def __init__(self, *, threshold: int, cooldown_s: float, now: Callable[[], datetime]) -> None:
        """Start closed."""
        self._threshold = threshold
        self._cooldown = timedelta(seconds=cooldown_s)
        self._now = now
        self._failures = 0
        self._open_until: datetime | None = None
        self._is_probing = False

    @property
    def state(self) -> CircuitState:
        """Tell whether calls pass."""
        if self._open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._now() < self._open_until else CircuitState.HALF_OPEN

    @property
    def wait_s(self) -> float:
        """Return the seconds until the next call may try; 0 when one may now."""
        if self._open_until is None:
            return 0.0
        return max(0.0, (self._open_until - self._now()).total_seconds())

    def admits(self) -> bool:
        """Tell whether a call may go out now; a half-open circuit admits while nobody probes."""
        if self._open_until is None:
            return True
        return self.state is CircuitState.HALF_OPEN and not self._is_probing

    @property
    def is_failing(self) -> bool:
        """Tell whether the latest exchange had no answer, whether calls still pass or not."""
        return self._failures > 0

    def began(self) -> None:
        """Count a call that goes out; in a half-open circuit it is the probe."""
        self._is_probing = self._open_until is not None and self.state is CircuitState.HALF_OPEN

    def succeeded(self) -> None:
        """Close: the provider answered."""
        self._failures = 0
        self._open_until = None
        self._is_probing = False

    def abandoned(self) -> None:
        """Forget an exchange that this process cut short: it proves nothing, and the next call may probe."""
        self._is_probing = False

    def failed(self) -> None:
        """Count an exchange without an answer; open when there were too many in a row."""
        self._failures += 1
        self._is_probing = False
        if self._failures >= self._threshold:
            self._open_until = self._now() + self._cooldown
