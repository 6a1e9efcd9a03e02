"""What a journal tells of how it works, for those who measure it; nothing is read or written by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from giftcard_gateway.clock import SystemClock

monotonic_s = SystemClock().monotonic_s
"""The time that batches are measured by; nothing is decided by it."""


class Pool(NamedTuple):
    """Sessions with a database: in use, idle, and how many there may be."""

    used: int
    idle: int
    most: int


OnBatch: TypeAlias = Callable[[str, float, float, Sequence[object]], None]


def ignore(_system: str, _waited_s: float, _took_s: float, _callers: Sequence[object]) -> None:
    """Do nothing: nobody measures."""


def nobody() -> None:
    """Name no call: nobody wants to know."""
