"""The moments that metrics, logs and traces are made of, told by those who work and heard by telemetry.

The default implementation does nothing.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.seal import SealBroken


class Observer:
    """Hears of durable writes and of what went wrong; must neither raise nor wait."""

    def wrote(self, before: Entry | None, after: Entry) -> None:
        """`after` is durable now; `before` is what it replaced, None for a new transaction."""

    def resuming(self, entry: Entry) -> AbstractContextManager[None]:  # noqa: ARG002 - an override reads it
        """Return what surrounds one go at an entry that no caller waits for, from begin to end."""
        return nullcontext()

    def faulted(self, place: str, fault: BaseException) -> None:
        """Something failed that should not have; only its type may be shown, never its text."""

    def unreadable(self, transaction_id: str, fault: SealBroken) -> None:
        """A transaction cannot be opened: its key is not here, or it is not what was last written."""

    def unreadable_event(self, cursor: str, fault: SealBroken) -> None:
        """A provider's event, at this place of the feed, is not what was written down."""

    def damaged(self, count: int) -> None:
        """So many transactions stand in the journal where no list or claim finds them; now."""

    def sealed_elsewhere(self, counts: Mapping[str, int]) -> None:
        """So many open transactions are under keys that are in use and not here, by the keys' names; now."""

    def left_out(self, provider: str, place: str) -> None:
        """A provider's answer was understood without what could not be read at `place` (rule 19)."""

    def window_closing(self, entry: Entry, share: float) -> None:
        """A reversal is not through and `share` of the provider's window is gone (rule 8)."""

    def journal_lost(self, why: str) -> None:
        """The journal cannot be written: from now on nothing new is accepted."""

    def journal_found(self, away_s: float) -> None:
        """The journal can be written again, after so many seconds."""

    def journal_forgot(self, since: datetime, until: datetime) -> None:
        """A copy of the journal that lacks what was written between these times took its place."""

    def refused(self, method: str, reason: str, cause: str) -> None:
        """A call was refused for who asked: `reason` and `cause` are words of ours, never what was shown."""

    def erred(self, reason: str, budget: str) -> None:
        """A call was answered with an error; `budget` names the limit that was used up, if one was."""

    def webhook(self, provider: str, result: str) -> None:
        """A webhook was kept, refused or failed; `provider` is empty where it named none that we know."""

    def handshake_failed(self, why: str) -> None:
        """A connection was not made, because its TLS handshake failed; may come on any thread."""

    def traceparent(self) -> str:
        """Return the W3C trace the caller is in, or nothing."""
        return ""
