"""Sees what went over every wire and what every caller was told, and judges it at that moment.

What must hold in the end is judged in `agreement`. A broken rule is a sentence about a transaction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.advices import AdviceKind
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import AnyOperation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.errors import GatewayError, TransactionIdReused, TransactionNotFound
from giftcard_gateway.ledger.entry import Entry, State
from tests.crash.providers import ELECTRUM, GR4VY, Purpose
from tests.crash.store import REACH, Auditor

if TYPE_CHECKING:
    import httpx

    from giftcard_gateway.journal.contract import Row
    from tests.crash.chronicle import Chronicle
    from tests.crash.life import Life

_OWED = {
    Purpose.REQUEST: State.PENDING,
    Purpose.CONFIRMATION: State.CONFIRMING,
    Purpose.REVERSAL: State.REVERSING,
}
"""The state in which a process must hold a transaction, in the journal, to send this."""


@dataclass(frozen=True)
class Broken:
    """A rule that did not hold."""

    subject: str
    sentence: str


class Witness:
    """Judges the traffic and the answers of one world."""

    def __init__(self, chronicle: Chronicle) -> None:
        """Have seen nothing."""
        self.broken: list[Broken] = []
        self.auditor: Auditor | None = None
        self.promises: dict[str, list[tuple[AdviceKind, Money | None]]] = defaultdict(list)
        """What callers were promised: the amount to confirm or to put back."""
        self._chronicle = chronicle
        self._sent: dict[tuple[str, Purpose], list[tuple[str, ...]]] = defaultdict(list)
        self._heard: dict[tuple[str, Purpose], set[tuple[str, ...]]] = defaultdict(set)
        self._told: dict[str, list[State]] = defaultdict(list)
        self._answers: dict[str, Outcome] = {}

    def blame(self, subject: str, sentence: str) -> None:
        """Write down that a rule did not hold."""
        self._chronicle.note(subject, f"BROKEN: {sentence}")
        self.broken.append(Broken(subject, sentence))

    def sent(
        self, provider_id: str, purpose: Purpose, subject: str, request: httpx.Request, life: Life
    ) -> None:
        """See a request leave."""
        sender = life.name
        self._chronicle.note(subject, f"{sender} sends a {purpose.value} to {provider_id}")
        if purpose is Purpose.READ:
            return
        self._judge_written(purpose, subject, life)
        copies, copy = self._sent[subject, purpose], _copy_of(request)
        may_be_afresh = provider_id == ELECTRUM and set(copies) <= self._heard[subject, purpose]
        is_afresh = bool(copies) and copy not in copies
        copies.append(copy)
        path = copy[0]
        if purpose is Purpose.REQUEST:
            is_repeatable = provider_id == GR4VY and path.endswith("/transactions")
            if len(copies) > 1 and not is_repeatable:
                self.blame(subject, "a request was sent twice")
        is_one_call = provider_id in {ELECTRUM, GR4VY}
        # Other bytes only where every earlier copy was answered: then it is known to have done nothing.
        if is_one_call and is_afresh and not may_be_afresh:
            self.blame(subject, f"a {purpose.value} was sent with other bytes than before")
        if self._sent.keys() >= {(subject, Purpose.CONFIRMATION), (subject, Purpose.REVERSAL)}:
            self.blame(subject, "both a confirmation and a reversal were sent")

    def heard_of(self, purpose: Purpose, subject: str, request: httpx.Request) -> None:
        """See an answer arrive."""
        self._heard[subject, purpose].add(_copy_of(request))

    def _judge_written(self, purpose: Purpose, subject: str, life: Life) -> None:
        sender = life.name
        row = self._row(subject)
        if row is None or self.auditor is None:
            self.blame(subject, f"a {purpose.value} was sent before anything was written")
        elif (subject, sender, _OWED[purpose].value) not in self.auditor.held:
            self.blame(subject, f"a {purpose.value} was sent by {sender}, who never held it {_OWED[purpose]}")
        elif row.driver == sender and row.state != _OWED[purpose] and not life.was_paused:
            # Whoever stood still between its last look at the time and the first byte cannot know.
            self.blame(subject, f"a {purpose.value} was sent of what is {row.state}")

    def known(self, subject: str) -> int:
        """Return how much was told of a transaction so far; hand it back with what a later call is told."""
        return len(self._told[subject])

    def told(self, subject: str, call: str, entry: Entry, known: int) -> None:
        """Hear what a caller was told by a call that began when `known` was known."""
        self._chronicle.note(subject, f"{call}: told {entry.state}")
        row = self._row(subject)
        if row is None:
            self.blame(subject, f"told {entry.state} of what is not written")
        elif State(row.state) not in REACH[entry.state] or row.version < entry.version:
            self.blame(subject, f"told {entry.state} version {entry.version} of what is {row.state}")
        self.heard(subject, entry.state, known)
        if entry.outcome is not None and entry.outcome.verdict is not Verdict.UNKNOWN:
            self._compare(subject, msgspec.structs.replace(entry.outcome, references={}))

    def heard(self, subject: str, state: State, known: int) -> None:
        """Hear that a caller was shown a state, in an answer or a refusal."""
        for earlier in self._told[subject][:known]:
            if state not in REACH[earlier]:
                self.blame(subject, f"told {state} after {earlier}")
        self._told[subject].append(state)

    def missed(self, subject: str, call: str) -> None:
        """See a caller hear nothing."""
        self._chronicle.note(subject, f"{call}: heard nothing")

    def refused(self, subject: str, call: str, refusal: GatewayError, known: int) -> None:
        """Hear how a call was refused; what it says of the state must fit what was told before."""
        state = refusal.metadata.get("state", "")
        self._chronicle.note(subject, f"{call}: refused, {type(refusal).__name__} {state}".rstrip())
        if call == "begin" and isinstance(refusal, TransactionNotFound | TransactionIdReused):
            self.blame(subject, "met somebody else's transaction")
        if isinstance(refusal, TransactionNotFound) and known:
            self.blame(subject, "forgotten")
        if state and "operation" not in refusal.metadata:
            self.heard(subject, State(state), known)

    def accepted(self, subject: str, ask: AnyOperation, kind: AdviceKind, amount: Money | None) -> None:
        """Hear that a caller was promised a confirmation or reversal, of a part or of all."""
        if kind is AdviceKind.REVERSAL and self.auditor is not None:
            self.auditor.reversal_accepted.add(subject)
        self.promises[subject].append((kind, amount or ask.amount))

    def _compare(self, subject: str, outcome: Outcome) -> None:
        first = self._answers.setdefault(subject, outcome)
        if first != outcome:
            self.blame(subject, "the recorded answer changed")

    def _row(self, subject: str) -> Row | None:
        return self.auditor.rows.get(subject) if self.auditor is not None else None


def _copy_of(request: httpx.Request) -> tuple[str, ...]:
    return request.url.path, request.headers.get("idempotency-key", ""), request.content.hex()
