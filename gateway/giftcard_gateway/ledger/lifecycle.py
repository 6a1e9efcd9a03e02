"""How a transaction may change: the states, the table between them, and what each state still owes.

Pure functions from entry to entry: no clock, no journal, no provider. Whoever calls them hands in
the time, writes the result down, and only then acts on it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from giftcard_adapters.calls import Call
from giftcard_adapters.values.advices import Acknowledgement, Advice, AdviceKind
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.traits import Ending, OperationTraits
from giftcard_gateway.ledger import attempts
from giftcard_gateway.ledger.attempts import Attempt
from giftcard_gateway.ledger.entry import (
    FINAL,
    UNSETTLED,
    AskedEnd,
    Entry,
    State,
    StateChange,
    WantedReversal,
)
from giftcard_gateway.ledger.tenants import key_of

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

ALLOWED: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset(
        {State.APPROVED, State.DECLINED, State.FAILED, State.REVERSING, State.UNRESOLVED}
    ),
    State.APPROVED: frozenset({State.CONFIRMING, State.REVERSING}),
    State.CONFIRMING: frozenset({State.CONFIRMED, State.UNRESOLVED}),
    State.REVERSING: frozenset({State.REVERSED, State.UNRESOLVED}),
    State.UNRESOLVED: frozenset(
        {State.CONFIRMED, State.REVERSED, State.PENDING, State.CONFIRMING, State.REVERSING}
    ),
} | dict.fromkeys(FINAL, frozenset[State]())
"""Which state may follow which; anything else is a bug and raises ValueError."""

MOST_CHANGES = 200
"""How many changes a transaction may have when a person asks for something: each ask adds one or two."""
_PROMISES = frozenset({State.PENDING, State.APPROVED})
"""States in which something may be promised."""
_PROMISED = {AdviceKind.CONFIRMATION: State.CONFIRMING, AdviceKind.REVERSAL: State.REVERSING}
_SOUGHT = frozenset({Ending.RESEND, Ending.FIND})
"""Endings of a provider that can be asked what became of a request."""
_KEPT = {State.CONFIRMING: State.CONFIRMED, State.REVERSING: State.REVERSED}


def move(
    entry: Entry,
    state: State,
    at: datetime,
    cause: str,
    actor: str = "",
    **more: Any,  # noqa: ANN401 - Entry's fields
) -> Entry:
    """Return `entry` in `state`, owing only what `more` says; raise ValueError if the table forbids it."""
    if state not in ALLOWED[entry.state]:
        raise ValueError(f"a transaction cannot go from {entry.state} to {state}")
    if entry.changes and at < entry.changes[-1].at:
        at = entry.changes[-1].at  # Its process's clock is ahead, and the feed goes by these times.
    changes = (*entry.changes, StateChange(state=state, at=at, cause=cause, actor=actor))
    fields = {"attempts": 0, "due_at": None, "driver": "", "asked_end": None, **more}
    return msgspec.structs.replace(entry, state=state, updated_at=at, changes=changes, **fields)


def intend(
    ask: AnyOperation,
    provider: str,
    *,
    driver: str,
    lease_until: datetime,
    traceparent: str,
    tenant: str,
    asked_by: str,
    actor: str = "",
) -> Entry:
    """Return the PENDING entry that is written before anything is sent, created at the time of `ask`.

    `ask` has the caller's id; the entry, and what is kept of `ask`, have the key instead.
    """
    key = key_of(tenant, ask.transaction_id)
    asked_id = _unless_same(ask.transaction_id, key)
    if asked_id:
        ask = msgspec.structs.replace(ask, transaction_id=key)
    at = ask.requested_at
    return Entry(
        transaction_id=ask.transaction_id,
        operation=ask.operation,
        provider=provider,
        state=State.PENDING,
        ask=ask,
        created_at=at,
        updated_at=at,
        changes=(StateChange(state=State.PENDING, at=at, cause="asked", actor=actor),),
        due_at=lease_until,
        driver=driver,
        traceparent=traceparent,
        tenant=tenant,
        asked_id=asked_id,
        asked_by=asked_by,
    )


def bury(
    transaction_id: str,
    operation: Operation,
    wanted: WantedReversal,
    at: datetime,
    *,
    tenant: str,
) -> Entry:
    """Return a REVERSED entry for a reversal that came before its request (rule 9), by its caller's id."""
    key = key_of(tenant, transaction_id)
    cause = noted("reversed before it was asked", wanted.note)
    return Entry(
        transaction_id=key,
        operation=operation,
        state=State.REVERSED,
        created_at=at,
        updated_at=at,
        wanted_reversal=wanted,
        changes=(StateChange(state=State.REVERSED, at=at, cause=cause, actor=wanted.actor),),
        tenant=tenant,
        asked_id=_unless_same(transaction_id, key),
    )


def _unless_same(asked_id: str, key: str) -> str:
    return "" if asked_id == key else asked_id


def take(entry: Entry, *, driver: str, lease_until: datetime, at: datetime) -> Entry:
    """Return `entry` leased to `driver` until `lease_until`, with the next fence."""
    return msgspec.structs.replace(
        entry, driver=driver, due_at=lease_until, fence=entry.fence + 1, updated_at=at
    )


def hold(entry: Entry, *, lease_until: datetime) -> Entry:
    """Return `entry` with its lease extended and nothing else changed."""
    return msgspec.structs.replace(entry, due_at=lease_until)


def postpone(entry: Entry, *, due_at: datetime, evidence: str, at: datetime) -> Entry:
    """Return `entry` released until its next try at `due_at`, after a try without a final answer."""
    _must_be(entry, UNSETTLED)
    return msgspec.structs.replace(
        entry,
        attempts=entry.attempts + 1,
        due_at=due_at,
        driver="",
        evidence=evidence or entry.evidence,
        updated_at=at,
    )


def answered(entry: Entry, outcome: Outcome, *, confirm_by: datetime, at: datetime) -> Entry:
    """Return `entry` after a provider's answer to its request.

    UNKNOWN leaves it PENDING with the evidence; the way it is ended is the caller's next step. What
    was learnt before is completed, never emptied, by a later answer.
    """
    if outcome.verdict is Verdict.UNKNOWN:
        return learnt(entry, outcome, at)
    outcome = _completed(entry.outcome, outcome)
    match outcome.verdict:
        case Verdict.APPROVED:
            return move(
                entry,
                State.APPROVED,
                at,
                "provider approved",
                outcome=outcome,
                evidence="",
                confirm_by=confirm_by,
                due_at=confirm_by,
            )
        case Verdict.DECLINED:
            return _ended(entry, State.DECLINED, at, "provider declined", outcome)
        case _:
            return _ended(entry, State.FAILED, at, "surely had no effect", outcome)


def learnt(entry: Entry, outcome: Outcome, at: datetime) -> Entry:
    """Return a PENDING `entry` with what an UNKNOWN outcome told besides: ids, cards, evidence."""
    _must_be(entry, {State.PENDING})
    return msgspec.structs.replace(
        entry,
        outcome=_completed(entry.outcome, outcome),
        evidence=outcome.evidence or entry.evidence,
        updated_at=at,
    )


def promise(
    entry: Entry,
    advice: Advice,
    calls: tuple[Call, ...],
    *,
    driver: str,
    lease_until: datetime,
    cause: str,
    actor: str = "",
) -> Entry:
    """Return `entry` with `advice` promised and in the hand of `driver`, who delivers it next.

    An advice without calls has nobody to tell: its promise is kept at once (rule 11).
    """
    _must_be(entry, _PROMISES)
    at = advice.written_at
    promised = move(
        entry,
        _PROMISED[advice.kind],
        at,
        cause,
        actor,
        advice=advice,
        calls=calls,
        wanted_reversal=None,
        fence=entry.fence + 1,
        promised_fence=entry.fence + 1,
        driver=driver,
        due_at=lease_until,
    )
    return promised if calls else move(promised, _KEPT[promised.state], at, "nothing to tell the provider")


def kept(entry: Entry, told: Acknowledgement, cause: str, at: datetime) -> Entry:
    """Return `entry` with its advice acknowledged; evidence of failed tries is dropped."""
    _must_be(entry, _KEPT)
    return move(_with_receipt(entry, told), _KEPT[entry.state], at, cause, evidence="")


def refused(entry: Entry, told: Acknowledgement, evidence: str, at: datetime) -> Entry:
    """Return `entry` as UNRESOLVED after an answer to its advice that leaves no safe step (rule 8)."""
    _must_be(entry, _KEPT)
    told_no = msgspec.structs.replace(_with_receipt(entry, told), refused_as=told.receipt)
    return give_up(told_no, evidence, at)


def afresh(entry: Entry, advice: Advice, calls: tuple[Call, ...]) -> Entry:
    """Return `entry` with its advice under a fresh id and fresh bytes; what it decides is the same."""
    _must_be(entry, _KEPT)
    return msgspec.structs.replace(entry, advice=advice, calls=calls)


def sent(entry: Entry, at: datetime) -> Entry:
    """Return a PENDING `entry` of whose request no byte leaves after `at`."""
    _must_be(entry, {State.PENDING})
    return msgspec.structs.replace(entry, sent_by=at)


def tried(entry: Entry, made: Sequence[Attempt], **more: Any) -> Entry:  # noqa: ANN401 - Entry's fields
    """Return `entry` with these attempts added, and with what else `more` says."""
    return msgspec.structs.replace(
        entry,
        tried=attempts.added(entry.tried, made),
        tried_in_all=entry.tried_in_all + len(made),
        **more,
    )


def want_reversal(entry: Entry, wanted: WantedReversal, at: datetime) -> Entry:
    """Return a PENDING `entry` that will be reversed as soon as its outcome is known (rule 9).

    One that nobody drives becomes due at once, so that its outcome is looked for without delay.
    """
    _must_be(entry, {State.PENDING})
    due_at = entry.due_at if entry.driver else at
    return msgspec.structs.replace(entry, wanted_reversal=wanted, due_at=due_at, updated_at=at)


def reroute(entry: Entry, provider: str, *, lease_until: datetime, at: datetime) -> Entry:
    """Return a PENDING `entry` for another provider; only for one that was surely not sent."""
    _must_be(entry, {State.PENDING})
    change = StateChange(state=entry.state, at=at, cause=f"not sent to {entry.provider}; tried at {provider}")
    return msgspec.structs.replace(
        entry, provider=provider, due_at=lease_until, updated_at=at, changes=(*entry.changes, change)
    )


def remark(entry: Entry, at: datetime, cause: str, actor: str = "") -> Entry:
    """Return `entry` in its state, with what a person asked for among its changes while there is room."""
    if len(entry.changes) >= MOST_CHANGES:
        return entry
    changes = (*entry.changes, StateChange(state=entry.state, at=at, cause=cause, actor=actor))
    return msgspec.structs.replace(entry, changes=changes)


def hurry(entry: Entry, at: datetime) -> Entry:
    """Return `entry` due immediately, after a person or an event asked for another try."""
    _must_be(entry, UNSETTLED)
    return msgspec.structs.replace(entry, due_at=at, updated_at=at)


def give_up(entry: Entry, evidence: str, at: datetime) -> Entry:
    """Return `entry` as UNRESOLVED, with the evidence a person needs to decide (rule 5)."""
    return move(entry, State.UNRESOLVED, at, "no safe move is left", evidence=evidence)


def resolve(entry: Entry, state: State, note: str, at: datetime, actor: str = "") -> Entry:
    """Return an UNRESOLVED `entry` ended by a person as CONFIRMED or REVERSED."""
    _must_be(entry, {State.UNRESOLVED})
    if state not in FINAL:
        raise ValueError(f"this is not done to a transaction that is {entry.state}")
    return move(entry, state, at, noted("resolved by an operator", note), actor, note=note)


def ask_end(entry: Entry, asked: AskedEnd) -> Entry:
    """Return an UNRESOLVED `entry` whose end by hand waits for a second person."""
    _must_be(entry, {State.UNRESOLVED})
    said = noted(f"asked to end as {asked.state}", asked.note)
    return msgspec.structs.replace(remark(entry, asked.at, said, asked.actor), asked_end=asked)


def approve_end(entry: Entry, asked: AskedEnd, note: str, at: datetime, actor: str) -> Entry:
    """Return an UNRESOLVED `entry` ended as one person asked and another approved."""
    cause = f"{noted(f'resolved by {asked.actor}', asked.note)}; {noted('approved', note)}"
    return move(entry, asked.state, at, cause, actor, note=asked.note)


def refuse_end(entry: Entry, asked: AskedEnd, note: str, at: datetime, actor: str) -> Entry:
    """Return an UNRESOLVED `entry` that waits for nobody any more."""
    said = noted(f"refused to end as {asked.state}", note)
    return msgspec.structs.replace(remark(entry, at, said, actor), asked_end=None)


def again(entry: Entry, at: datetime, actor: str = "", note: str = "") -> Entry:
    """Return an UNRESOLVED `entry` as a person has it tried again, due at once and in nobody's hand.

    What was promised is owed again, and nothing else: the same advice, never the other one. Where nothing was
    promised the outcome is looked for again, and the request never sent again. The fence says that it is not
    new, whoever takes it; `retried_at` that a final no was heard, which some answers are worth less after.
    """
    _must_be(entry, {State.UNRESOLVED})
    state = State.PENDING if entry.advice is None else _PROMISED[entry.advice.kind]
    return move(
        entry,
        state,
        at,
        noted("an operator had it tried again", note),
        actor,
        due_at=at,
        fence=entry.fence + 1,
        retried_at=at,
        refusal=None,
        refused_as=None,
    )


def can_be_sought(traits: OperationTraits) -> bool:
    """Tell whether the provider can be asked what became of a request."""
    return traits.unknown in _SOUGHT


def is_past_finding(entry: Entry, traits: OperationTraits, at: datetime) -> bool:
    """Tell whether the time is over for which the adapter vouches that a request not found never was."""
    window = timedelta(seconds=(traits.resend_window_s or 0) + traits.find_window_s)
    return at >= entry.created_at + window


def noted(cause: str, note: str) -> str:
    """Return the cause of a state change, with the note a person gave."""
    return f"{cause}: {note}" if note else cause


def ending(entry: Entry, traits: OperationTraits, at: datetime) -> Ending:
    """Return how a PENDING entry whose outcome is unknown is ended at `at` (rule 5).

    RESEND holds inside the provider's window, counted from when the intent was written; then FIND
    holds inside the time finding is worth it; then only a person is left. What a person had tried again is
    looked for as long once more, and never sent again.
    """
    if entry.retried_at is not None:
        # A person may have acted on it by now, here or at the provider: it is looked for, and nothing else.
        until = entry.retried_at + timedelta(seconds=traits.find_window_s)
        return Ending.FIND if can_be_sought(traits) and at < until else Ending.PERSON
    age = at - entry.created_at
    if traits.unknown is Ending.REVERSE:
        return Ending.REVERSE
    resend_window = timedelta(seconds=traits.resend_window_s or 0)
    if traits.unknown is Ending.RESEND and age < resend_window:
        return Ending.RESEND
    if can_be_sought(traits) and not is_past_finding(entry, traits, at):
        return Ending.FIND
    return Ending.PERSON


def _must_be(entry: Entry, states: Container[State]) -> None:
    if entry.state not in states:
        raise ValueError(f"this is not done to a transaction that is {entry.state}")


def _ended(entry: Entry, state: State, at: datetime, cause: str, outcome: Outcome) -> Entry:
    """Return `entry` with its final outcome; cards of an issue that failed are dropped."""
    outcome = msgspec.structs.replace(outcome, issued_cards=())
    return move(entry, state, at, cause, outcome=outcome, evidence=outcome.evidence, wanted_reversal=None)


def _with_receipt(entry: Entry, receipt: Acknowledgement) -> Entry:
    """Add what the provider's answer to the advice told: its references, and its decline."""
    outcome = entry.outcome
    if receipt.references:
        known = outcome or Outcome(verdict=Verdict.UNKNOWN)
        outcome = msgspec.structs.replace(known, references=known.references | receipt.references)
    return msgspec.structs.replace(entry, outcome=outcome, refusal=receipt.decline)


def _completed(known: Outcome | None, told: Outcome) -> Outcome:
    """Return `told`, completed with references and cards that an earlier answer told."""
    if known is None:
        return told
    return msgspec.structs.replace(
        told,
        references=known.references | told.references,
        issued_cards=_joined(known.issued_cards, told.issued_cards),
        third_party_identifiers=told.third_party_identifiers or known.third_party_identifiers,
    )


def _joined(known: tuple[IssuedCard, ...], told: tuple[IssuedCard, ...]) -> tuple[IssuedCard, ...]:
    """Merge two lists of issued cards: known cards first, updated, then new ones."""
    cards = list(known)
    for card in told:
        place = next((place for place, one in enumerate(cards) if _is_one_card(one, card)), None)
        if place is None:
            cards.append(card)
        else:
            cards[place] = _merged(cards[place], card)
    return tuple(cards)


def _is_one_card(one: IssuedCard, other: IssuedCard) -> bool:
    names = ("number", "redemption_key", "provider_card_id")
    return any(getattr(one, name) and getattr(one, name) == getattr(other, name) for name in names)


def _merged(known: IssuedCard, told: IssuedCard) -> IssuedCard:
    news = {name: value for name in told.__struct_fields__ if (value := getattr(told, name))}
    return msgspec.structs.replace(known, **news)
