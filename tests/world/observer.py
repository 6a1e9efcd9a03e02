"""An observer that keeps all it was told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from giftcard_gateway.clock import Clock
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.seal import SealBroken


class Heard(Observer):
    """Keeps what was written, what went wrong, and which windows are closing."""

    def __init__(self, clock: Clock) -> None:
        """Have heard of nothing."""
        self._clock = clock
        self.written: list[State] = []
        self.faults: list[tuple[str, BaseException]] = []
        """Where something failed, and what."""
        self.left_out_of: list[tuple[str, str]] = []
        """Whose answers were read without which place."""
        self.closing: list[tuple[float, float]] = []
        """How much of a reversal window is gone, and how many seconds after the request that was told."""
        self.elsewhere: list[Mapping[str, int]] = []
        """What was sealed under keys that are not here, by key, each time it was counted."""
        self.damaged_rows = 0
        """How many rows' columns could not be, when they were counted last."""
        self.webhooks: list[tuple[str, str]] = []
        """What became of webhooks, by provider."""
        self.journal: list[str] = []
        """When the journal went, with the reason, and when it came back."""

    def webhook(self, provider: str, result: str) -> None:
        """Keep what became of a webhook."""
        self.webhooks.append((provider, result))

    def wrote(self, before: Entry | None, after: Entry) -> None:
        """Keep the state that was reached."""
        del before
        self.written.append(after.state)

    def faulted(self, place: str, fault: BaseException) -> None:
        """Keep the fault."""
        self.faults.append((place, fault))

    def unreadable(self, transaction_id: str, fault: SealBroken) -> None:
        """Keep the fault."""
        del transaction_id
        self.faults.append(("seal", fault))

    def unreadable_event(self, cursor: str, fault: SealBroken) -> None:
        """Keep the fault."""
        del cursor
        self.faults.append(("event", fault))

    def damaged(self, count: int) -> None:
        """Keep the count."""
        self.damaged_rows = count

    def sealed_elsewhere(self, counts: Mapping[str, int]) -> None:
        """Keep the counts."""
        self.elsewhere.append(counts)

    def left_out(self, provider: str, place: str) -> None:
        """Keep the place."""
        self.left_out_of.append((provider, place))

    def window_closing(self, entry: Entry, share: float) -> None:
        """Keep the level, and when it was told."""
        self.closing.append((share, (self._clock.now() - entry.created_at).total_seconds()))

    def journal_lost(self, why: str) -> None:
        """Keep that it went."""
        self.journal.append(f"lost: {why}")

    def journal_found(self, away_s: float) -> None:
        """Keep that it came."""
        assert away_s >= 0
        self.journal.append("found")

    def journal_forgot(self, since: datetime, until: datetime) -> None:
        """Keep for how long it has no memory."""
        self.journal.append(f"forgot {(until - since).total_seconds():g} s")

    def kinds(self) -> list[type[BaseException]]:
        """Return the type of each fault."""
        return [type(fault) for _, fault in self.faults]
