"""A transaction as the gateway knows it: its state, what was asked, what came of it, what is promised.

Values only. How an entry may change is in `lifecycle`; how it is kept is in `journal.records`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from giftcard_adapters.calls import Call
from giftcard_adapters.values.advices import Advice, AdviceWords, Receipt, ReversalReason
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_gateway.ledger.attempts import Attempt
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT


class State(StrEnum):
    """The nine states; what each means and owes stands in `docs/states.md`."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    CONFIRMING = "CONFIRMING"
    CONFIRMED = "CONFIRMED"
    REVERSING = "REVERSING"
    REVERSED = "REVERSED"
    UNRESOLVED = "UNRESOLVED"


UNSETTLED = frozenset({State.PENDING, State.CONFIRMING, State.REVERSING})
"""States in which the gateway is still finding something out."""

FINAL = frozenset({State.DECLINED, State.FAILED, State.CONFIRMED, State.REVERSED})
"""States that nothing leaves."""


class StateChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a transaction's life, and what caused it in a few words."""

    state: State
    at: datetime
    cause: str
    actor: str = ""
    """The name of the caller or operator who made it so; empty for the gateway itself."""


class WantedReversal(AdviceWords, frozen=True, kw_only=True, omit_defaults=True):
    """A reversal asked for while the request was in flight, or before it came; `note` is the caller's why."""

    reason: ReversalReason
    amount: Money | None = None
    actor: str = ""
    """The name of who asked for it."""


class AskedEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An end by hand that somebody asked for, and that another identity has to approve."""

    state: State
    note: str
    at: datetime
    expires_at: datetime
    actor: str
    """The name of who asked."""
    signature: str
    """Which identity asked, by which it is told from every other."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One transaction. `version` counts its writes, `fence` counts its leases (rule 14)."""

    transaction_id: str
    """Its key, by which journal, driver and provider know it; see `tenants`."""
    operation: Operation
    state: State
    created_at: datetime
    updated_at: datetime
    provider: str = ""
    """Empty for a reversal that came before its request."""
    ask: AnyOperation | None = None
    """None for a reversal that came before its request."""
    sent_by: datetime | None = None
    """No byte of the request left after this time; None while it may still be sent."""
    outcome: Outcome | None = None
    advice: Advice | None = None
    calls: tuple[Call, ...] = ()
    """The advice as it is sent: the same bytes every time."""
    wanted_reversal: WantedReversal | None = None
    evidence: str = ""
    refusal: Decline | None = None
    """The provider's final no to an advice."""
    refused_as: Receipt | None = None
    """The answer to its advice that left no safe step; None where none came."""
    retried_at: datetime | None = None
    """When a person last had it tried again after it was UNRESOLVED; see `lifecycle.again`."""
    note: str = ""
    """What the person wrote who resolved it."""
    asked_end: AskedEnd | None = None
    """The end by hand that a second person has to approve."""
    confirm_by: datetime | None = None
    lost_before: timedelta = timedelta()
    """How long the outages were in all that `confirm_by` has already been put off for (rule 10)."""
    is_graced: bool = False
    """Whether it had its grace after an outage, which is granted once."""
    changes: tuple[StateChange, ...] = ()
    attempts: int = 0
    """Tries at what the present state owes that came to nothing final."""
    tried: tuple[Attempt, ...] = ()
    """The first and the last attempts of its whole life, for people."""
    tried_in_all: int = 0
    """How many attempts there were; those that are not in `tried` were between its first and its last."""
    due_at: datetime | None = None
    """When whoever is not driving this entry may take it; None when nothing is owed."""
    driver: str = ""
    """The process that drives it now; empty when nobody does."""
    version: int = 1
    fence: int = 1
    is_indexed_elsewhere: bool = False
    """Whether not all that it is found by is under the hash key that is active here."""
    are_pins_erased: bool = False
    """Whether the request had PINs that are no longer kept; see `erasing`."""
    numbers_erased_at: datetime | None = None
    """When its card numbers and codes, and all secrets of the cards it made, were erased; None while kept."""
    promised_fence: int = 0
    """The fence its advice was promised under: with a later one, another process may have sent copies."""
    window_told: float = 0.0
    """The last level of the provider's reversal window that somebody was told of."""
    traceparent: str = ""
    """The trace the transaction began in, for the exchanges that come later."""
    tenant: str = DEFAULT_TENANT
    """Whose it is: who asked for it, or first reversed it."""
    asked_id: str = ""
    """The id its caller made, where that is not the key."""
    asked_by: str = ""
    """Which identity of the tenant asked; empty for one from before identities, and for a tombstone."""

    @property
    def callers_id(self) -> str:
        """Return the id that its caller knows it by."""
        return self.asked_id or self.transaction_id
