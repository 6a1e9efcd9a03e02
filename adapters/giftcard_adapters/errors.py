"""The errors that adapters raise, as a tree.

    AdapterError
    ├── MoneyError          an amount or currency that cannot be represented exactly (values.money)
    ├── SettingsError       a provider's stanza is wrong; lists every fault
    ├── Unsupported         the provider cannot do what was asked
    ├── Invalid             the provider needs a field that is missing or misshapen; lists every one
    ├── Unfindable          nothing the provider can be asked would show what became of a request
    ├── Refused             a provider said no to a read or a vault call; carries the Decline
    ├── WebhookRejected     an event that is not authentic or not fresh
    │   └── WebhookUnreadable  an authentic event that nobody can read
    └── ExchangeError       one exchange with a provider went wrong
        ├── NotSent         no byte left: nothing can have happened
        └── NoAnswer        bytes left, and no final answer was understood
            ├── TimedOut    no answer within the time we wait
            ├── BrokenOff   the connection ended before a whole answer
            └── Unreadable  an answer came, but not one we can read

NotSent and NoAnswer are different things: only NotSent is safe to call a failure (rules 3 and 4).
No text of these errors ever holds a card number, a PIN, a key or a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_adapters.values.declines import Decline


class AdapterError(Exception):
    """An adapter refused something or could not do it."""


class SettingsError(AdapterError):
    """A provider's settings are wrong; `faults` names each one."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep every fault, so that all can be fixed at once."""
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class Unsupported(AdapterError):
    """The provider cannot do what was asked; the text says what."""


Violation = tuple[str, str]
"""One bad field: its path in the caller's words, and what is wrong with it."""


class Invalid(AdapterError):
    """The provider needs fields that are missing or misshapen; nothing was sent.

    `violations` holds every one.
    """

    def __init__(self, violations: Sequence[Violation]) -> None:
        """Keep every violation, so that a caller can fix all at once."""
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in violations))
        self.violations = tuple(violations)


class Unfindable(AdapterError):
    """Nothing the provider can be asked would show what became of a request; the text is the evidence."""


class Refused(AdapterError):
    """The provider said no to a read or a vault call, and `decline` says why."""

    def __init__(self, decline: Decline) -> None:
        """Carry the reason; the provider's own text stays inside `decline`."""
        super().__init__(f"refused: {decline.reason.value}")
        self.decline = decline


class WebhookRejected(AdapterError):
    """A webhook that is not authentic, not fresh, or for somebody else."""


class WebhookUnreadable(WebhookRejected):
    """An authentic webhook that cannot be read: no forgery, so it is kept as it came."""


class ExchangeError(AdapterError):
    """One exchange with a provider went wrong."""


class NotSent(ExchangeError):
    """No byte of the request left for the provider."""


class NoAnswer(ExchangeError):
    """Bytes left for the provider and no final answer was understood: the effect is unknown."""


class TimedOut(NoAnswer):
    """The provider did not answer within the time we wait."""


class BrokenOff(NoAnswer):
    """The connection ended before a whole answer had come."""


class Unreadable(NoAnswer):
    """The provider's answer cannot be read; the text names the fault, never the body."""
