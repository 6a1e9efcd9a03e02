"""What happened in a simulated world, in order: the log a failing seed prints, and counts of what went wrong.

Lines hold ids, states and places, never card data. Nothing is judged here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

WORLD = ""
"""The subject of what concerns everybody."""


@dataclass(frozen=True)
class Event:
    """One thing that happened, at a virtual second, to one transaction or to the world."""

    at_s: float
    subject: str
    text: str

    def __str__(self) -> str:
        """Write it as one line."""
        return f"{self.at_s:12.3f}  {self.subject[:8]:8}  {self.text}"


class Chronicle:
    """Collects events and counts faults."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Take the time from `now_s`."""
        self.now_s = now_s
        self.events: list[Event] = []
        self.faults: Counter[str] = Counter()

    def note(self, subject: str, text: str) -> None:
        """Write one event down."""
        self.events.append(Event(self.now_s(), subject, text))

    def fault(self, kind: str, subject: str, text: str) -> None:
        """Write a fault down that the world was made to suffer, and count it."""
        self.faults[kind] += 1
        self.note(subject, f"!! {kind} {text}".rstrip())

    def about(self, subject: str) -> list[Event]:
        """Return what happened to one transaction, with what happened to the world meanwhile."""
        own = [n for n, event in enumerate(self.events) if event.subject == subject]
        if not own:
            return []
        within = self.events[own[0] : own[-1] + 1]
        return [event for event in within if event.subject in {subject, WORLD}]
