"""The only source of time, chance and fresh ids (rule 18).

Everything else is handed a `Clock`, so that a test can turn it and one seed makes one run. What is
done with the time, and when, is elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from giftcard_adapters.calls import Moment

_NONCE_BYTES = 16
"""128 bits, written as 32 hexadecimal digits: what `Moment` promises."""


class Clock(Protocol):
    """The source of time and chance that the rest of the gateway is handed."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...

    def now_ns(self) -> int:
        """Return the time in Unix nanoseconds, as spans want it."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back, for measuring how long something took."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait so many seconds."""
        ...

    def uuid4(self) -> str:
        """Return a fresh version-4 UUID, written as usual."""
        ...

    def fraction(self) -> float:
        """Return a number from 0 up to but not including 1, for jitter; not for secrets."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Return unpredictable bytes, for keys and nonces."""
        ...

    def moment(self) -> Moment:
        """Return the time and a fresh nonce, for a signature."""
        ...


class SystemClock:
    """The machine's own time and chance."""

    now = staticmethod(partial(datetime.now, UTC))
    now_ns = staticmethod(time.time_ns)
    monotonic_s = staticmethod(time.monotonic)
    # Asked several times in every call, so without a function of ours in between.

    async def sleep(self, delay_s: float) -> None:
        """Wait so many seconds."""
        await asyncio.sleep(delay_s)

    def uuid4(self) -> str:
        """Return a fresh version-4 UUID."""
        return str(uuid.uuid4())

    def fraction(self) -> float:
        """Return a number from 0 up to but not including 1."""
        return random.random()  # noqa: S311 -- it spreads retries in time and guards nothing

    def random_bytes(self, count: int) -> bytes:
        """Return bytes nobody can foresee."""
        return os.urandom(count)

    def moment(self) -> Moment:
        """Return the time and a fresh nonce."""
        return Moment(now_s=time.time(), nonce=os.urandom(_NONCE_BYTES).hex())
