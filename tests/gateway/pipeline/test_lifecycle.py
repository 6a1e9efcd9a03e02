"""The states and the steps between them, function by state: the table of docs/states.md as data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcard_adapters.calls import Call
from giftcard_adapters.values.advices import Acknowledgement, Advice, AdviceKind, Receipt, ReversalReason
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Operation, Redeem
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.traits import Ending, Guarantee, OperationTraits
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import FINAL, Entry, State, WantedReversal

T0 = datetime(2026, 1, 1, tzinfo=UTC)
T1 = T0 + timedelta(seconds=7)
LEASE = T1 + timedelta(seconds=45)
RAND = Money("ZAR", 10_000)
CALL = Call(method="POST", path="/advice")
REFUSED = Acknowledgement(receipt=Receipt.REFUSED, evidence="the provider refused the advice")
FRESH = Advice(advice_id="b", kind=AdviceKind.REVERSAL, written_at=T1)
WANTED = WantedReversal(reason=ReversalReason.CANCELLED, note="changed their mind")
ASK = Redeem(
    transaction_id="0e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e11",
    requested_at=T0,
    amount=RAND,
    card=CardRef(number=Secret("6045120000000007")),
)

P, A, D, F, CG, CD, RG, RD, U = State

FOLLOWS = {P: {A, D, F, RG, U}, A: {CG, RG}, D: set(), F: set(), CG: {CD, U}, CD: set()} | {
    RG: {RD, U},
    RD: set(),
    U: {CD, RD, P, CG, RG},
}
"""The column "ends as" of the table of states."""


def intended() -> Entry:
    """Return an entry as it is first written down."""
    return lifecycle.intend(
        ASK, "first", driver="one", lease_until=LEASE, traceparent="", tenant="default", asked_by=""
    )


def in_state(state: State) -> Entry:
    """Return an entry that came to `state` in the shortest way there is."""
    entry = intended()
    match state:
        case State.PENDING:
            return entry
        case State.APPROVED | State.DECLINED | State.FAILED:
            return answered(entry, Verdict(state.value))
        case State.CONFIRMING | State.REVERSING:
            kind = AdviceKind.CONFIRMATION if state is State.CONFIRMING else AdviceKind.REVERSAL
            return promised(in_state(State.APPROVED), kind)
        case State.CONFIRMED | State.REVERSED:
            before = State.CONFIRMING if state is State.CONFIRMED else State.REVERSING
            return kept(in_state(before))
        case State.UNRESOLVED:
            return lifecycle.give_up(entry, "nobody knows", T1)


def answered(entry: Entry, verdict: Verdict) -> Entry:
    """Return `entry` after a provider's answer."""
    outcome = Outcome(verdict=verdict, approved=RAND if verdict is Verdict.APPROVED else None)
    return lifecycle.answered(entry, outcome, confirm_by=T1 + timedelta(minutes=15), at=T1)


def promised(entry: Entry, kind: AdviceKind, calls: tuple[Call, ...] = (CALL,)) -> Entry:
    """Return `entry` with an advice promised."""
    advice = Advice(advice_id="a", kind=kind, written_at=T1)
    return lifecycle.promise(entry, advice, calls, driver="one", lease_until=LEASE, cause="asked for")


def kept(entry: Entry) -> Entry:
    """Return `entry` after the provider acknowledged its advice."""
    return lifecycle.kept(entry, Acknowledgement(receipt=Receipt.DONE), "acknowledged", T1)


def refused(entry: Entry, told: Acknowledgement = REFUSED) -> Entry:
    """Return `entry` after an answer to its advice that leaves no safe step."""
    return lifecycle.refused(entry, told, told.evidence, T1)


STEPS: dict[str, tuple[Callable[[Entry], Entry], dict[State, State]]] = {
    "approved": (lambda e: answered(e, Verdict.APPROVED), {P: A}),
    "declined": (lambda e: answered(e, Verdict.DECLINED), {P: D}),
    "failed": (lambda e: answered(e, Verdict.FAILED), {P: F}),
    "unknown": (lambda e: answered(e, Verdict.UNKNOWN), {P: P}),
    "told": (lambda e: lifecycle.learnt(e, Outcome(verdict=Verdict.UNKNOWN), T1), {P: P}),
    "confirm": (lambda e: promised(e, AdviceKind.CONFIRMATION), {A: CG}),
    "confirm inside": (lambda e: promised(e, AdviceKind.CONFIRMATION, ()), {A: CD}),
    "reverse": (lambda e: promised(e, AdviceKind.REVERSAL), {P: RG, A: RG}),
    "reverse inside": (lambda e: promised(e, AdviceKind.REVERSAL, ()), {P: RD, A: RD}),
    "kept": (kept, {CG: CD, RG: RD}),
    "refused": (refused, {CG: U, RG: U}),
    "afresh": (lambda e: lifecycle.afresh(e, FRESH, (CALL,)), {CG: CG, RG: RG}),
    "sent": (lambda e: lifecycle.sent(e, T1), {P: P}),
    "postpone": (lambda e: lifecycle.postpone(e, due_at=LEASE, evidence="", at=T1), {P: P, CG: CG, RG: RG}),
    "hurry": (lambda e: lifecycle.hurry(e, T1), {P: P, CG: CG, RG: RG}),
    "want reversal": (lambda e: lifecycle.want_reversal(e, WANTED, T1), {P: P}),
    "reroute": (lambda e: lifecycle.reroute(e, "second", lease_until=LEASE, at=T1), {P: P}),
    "give up": (lambda e: lifecycle.give_up(e, "why", T1), {P: U, CG: U, RG: U}),
    "resolve confirmed": (lambda e: lifecycle.resolve(e, CD, "called", T1), {U: CD}),
    "resolve reversed": (lambda e: lifecycle.resolve(e, RD, "called", T1), {U: RD}),
    "resolve approved": (lambda e: lifecycle.resolve(e, A, "called", T1), {}),
    "again": (lambda e: lifecycle.again(e, T1, "ann"), {U: P}),
    "take": (lambda e: lifecycle.take(e, driver="two", lease_until=LEASE, at=T1), {s: s for s in State}),
    "hold": (lambda e: lifecycle.hold(e, lease_until=LEASE), {s: s for s in State}),
}
"""Every step, and what each state becomes by it; a state that is not named forbids it."""


@pytest.mark.parametrize("now", State)
@pytest.mark.parametrize("then", State)
def test_only_the_steps_of_the_table(now: State, then: State) -> None:
    """From each state exactly the states of the table follow; any other step raises."""
    entry = msgspec.structs.replace(in_state(now), driver="one", due_at=LEASE, attempts=3)
    if then not in FOLLOWS[now]:
        with pytest.raises(ValueError, match=f"cannot go from {now} to {then}"):
            lifecycle.move(entry, then, T1, "cause")
        return
    moved = lifecycle.move(entry, then, T1, "cause")
    assert (moved.state, moved.updated_at, moved.attempts, moved.due_at, moved.driver) == (
        then,
        T1,
        0,
        None,
        "",
    )
    assert [(one.state, one.cause) for one in moved.changes[-1:]] == [(then, "cause")]
    assert moved.changes[:-1] == entry.changes


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", STEPS)
def test_every_step_from_every_state(name: str, state: State) -> None:
    """Each function takes the states it is for to where the table says, and raises for every other."""
    step, becomes = STEPS[name]
    entry = in_state(state)
    if state not in becomes:
        with pytest.raises(ValueError, match=r"cannot go from|not done to|not a final answer"):
            step(entry)
        return
    after = step(entry)
    assert after.state is becomes[state]
    assert after.fence >= entry.fence
    assert after.version == entry.version
    assert after.changes[: len(entry.changes)] == entry.changes
    if after.state in FINAL:
        assert after.due_at is None or name in {"take", "hold"}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_any_walk_stays_in_the_table(names: list[str]) -> None:
    """However steps follow each other, the recorded changes walk through the table to the state."""
    entry = intended()
    for name in names:
        try:
            entry = STEPS[name][0](entry)
        except ValueError:
            continue
    seen = [change.state for change in entry.changes]
    assert seen[0] is State.PENDING
    assert seen[-1] is entry.state
    for now, then in pairwise(seen):
        assert then in FOLLOWS[now] or (now is then is State.PENDING)
    if entry.state in {State.CONFIRMING, State.REVERSING}:
        assert entry.advice is not None
        assert entry.calls
        assert entry.due_at is not None
    if entry.state is State.APPROVED:
        assert entry.due_at is not None


def test_approval_waits_until_it_must_be_decided() -> None:
    """An approval owes nothing before `confirm_by`, and is due then."""
    entry = in_state(State.APPROVED)
    assert entry.due_at == entry.confirm_by == T1 + timedelta(minutes=15)
    assert entry.driver == ""


def test_unknown_keeps_the_hand_and_the_lease() -> None:
    """An unknown answer ends nothing: who drives the entry goes on with it."""
    entry = answered(intended(), Verdict.UNKNOWN)
    assert (entry.driver, entry.due_at, entry.attempts) == ("one", LEASE, 0)


def test_promise_is_a_new_hand() -> None:
    """A promise raises the fence, forgets the wish it fulfils, and is at once in somebody's hand."""
    wanting = lifecycle.want_reversal(intended(), WANTED, T1)
    entry = promised(wanting, AdviceKind.REVERSAL)
    assert (entry.fence, entry.driver, entry.due_at) == (2, "one", LEASE)
    assert entry.wanted_reversal is None
    assert (entry.calls, entry.attempts) == ((CALL,), 0)


def test_wish_of_a_driven_entry_leaves_the_lease() -> None:
    """A reversal wanted while somebody drives does not end the lease; else it is due at once."""
    driven = lifecycle.want_reversal(intended(), WANTED, T1)
    idle = lifecycle.want_reversal(
        lifecycle.postpone(intended(), due_at=LEASE, evidence="", at=T0), WANTED, T1
    )
    assert (driven.due_at, idle.due_at) == (LEASE, T1)


def test_tombstone_says_why() -> None:
    """A reversal whose request never came is REVERSED with the caller's note, and owes nothing (rule 9)."""
    entry = lifecycle.bury(ASK.transaction_id, Operation.REDEEM, WANTED, T1, tenant="default")
    assert entry.ask is None
    assert (entry.state, entry.due_at, entry.provider) == (State.REVERSED, None, "")
    assert entry.changes[0].cause == "reversed before it was asked: changed their mind"


def test_no_is_kept_with_the_advice() -> None:
    """What a provider told with its answer to an advice is kept: its reason, its evidence, its ids."""
    decline = Decline(reason=DeclineReason.STATE_UNEXPECTED, provider_code="17")
    receipt = Acknowledgement(
        receipt=Receipt.REFUSED, decline=decline, evidence="voided", references={"refund": "r1"}
    )
    entry = refused(in_state(State.REVERSING), receipt)
    assert (entry.refusal, entry.evidence) == (decline, "voided")
    assert entry.outcome is not None
    assert entry.outcome.references == {"refund": "r1"}
    assert entry.outcome.approved == RAND


@pytest.mark.parametrize("verdict", [Verdict.APPROVED, Verdict.DECLINED, Verdict.FAILED])
def test_outcome_ends_the_evidence_of_not_knowing(verdict: Verdict) -> None:
    """What was said while nobody knew does not stay beside the outcome that settled it."""
    unsure = Outcome(
        verdict=Verdict.UNKNOWN, evidence="accepted, not yet issued", references={"order": "o1", "batch": "b"}
    )
    entry = lifecycle.answered(intended(), unsure, confirm_by=LEASE, at=T1)
    entry = lifecycle.postpone(entry, due_at=LEASE, evidence="not listed", at=T1)
    told = Outcome(verdict=verdict, approved=RAND, references={"order": "o2"})
    settled = lifecycle.answered(entry, told, confirm_by=LEASE, at=T1)
    assert settled.evidence == ""
    assert settled.outcome is not None
    assert settled.outcome.references == {"order": "o2", "batch": "b"}


def test_kept_promise_ends_the_evidence_of_its_tries() -> None:
    """A promise that was kept in the end does not show what went wrong on the way."""
    entry = lifecycle.postpone(in_state(State.REVERSING), due_at=LEASE, evidence="HTTP 503", at=T1)
    assert entry.evidence == "HTTP 503"
    assert kept(entry).evidence == ""
    assert refused(entry).evidence == "the provider refused the advice"


def test_cards_are_completed_and_never_lost() -> None:
    """Cards learnt one after the other are all kept, each once, with all that was told of it."""
    one = IssuedCard(redemption_key=Secret("CODE-1"), redemption_url=Secret("https://x/1"))
    two = IssuedCard(number=Secret("6045120000000015"))
    same = IssuedCard(redemption_key=Secret("CODE-1"), provider_card_id="c1", amount=RAND)
    entry = intended()
    for verdict, cards in ((Verdict.UNKNOWN, (one, two)), (Verdict.UNKNOWN, ()), (Verdict.APPROVED, (same,))):
        outcome = Outcome(verdict=verdict, approved=RAND, issued_cards=cards)
        entry = lifecycle.answered(entry, outcome, confirm_by=LEASE, at=T1)
    assert entry.outcome is not None
    assert entry.outcome.issued_cards == (
        msgspec.structs.replace(one, provider_card_id="c1", amount=RAND),
        two,
    )


def test_declined_issue_shows_no_card() -> None:
    """An issue that was accepted and then declined leaves no card behind that somebody might hand out."""
    card = IssuedCard(number=Secret("6045120000000015"))
    entry = intended()
    for verdict in (Verdict.UNKNOWN, Verdict.DECLINED):
        outcome = Outcome(verdict=verdict, issued_cards=(card,))
        entry = lifecycle.answered(entry, outcome, confirm_by=LEASE, at=T1)
    assert entry.outcome is not None
    assert not entry.outcome.issued_cards


HOUR = 3600.0


@pytest.mark.parametrize(
    ("unknown", "resend_s", "age_s", "ending"),
    [
        (Ending.REVERSE, None, 0, Ending.REVERSE),
        (Ending.REVERSE, None, 1e7, Ending.REVERSE),
        (Ending.PERSON, None, 0, Ending.PERSON),
        (Ending.FIND, None, 0, Ending.FIND),
        (Ending.FIND, None, 2 * HOUR - 1, Ending.FIND),
        (Ending.FIND, None, 2 * HOUR, Ending.PERSON),
        (Ending.FIND, HOUR, HOUR * 1.5, Ending.FIND),
        (Ending.RESEND, HOUR, 0, Ending.RESEND),
        (Ending.RESEND, HOUR, HOUR - 0.001, Ending.RESEND),
        (Ending.RESEND, HOUR, HOUR, Ending.FIND),
        (Ending.RESEND, HOUR, 3 * HOUR - 0.001, Ending.FIND),
        (Ending.RESEND, HOUR, 3 * HOUR, Ending.PERSON),
        (Ending.RESEND, None, 0, Ending.FIND),
    ],
)
def test_how_an_unknown_is_ended(
    unknown: Ending, resend_s: float | None, age_s: float, ending: Ending
) -> None:
    """RESEND holds inside the key's life, then FIND inside its own window, then a person is left (rule 5)."""
    traits = OperationTraits(
        guarantee=Guarantee.NATIVE, unknown=unknown, resend_window_s=resend_s, find_window_s=2 * HOUR
    )
    assert lifecycle.ending(intended(), traits, T0 + timedelta(seconds=age_s)) is ending


def test_a_change_is_not_before_the_last() -> None:
    """Where a process's clock is behind, a change has the time of the one before: the feed goes by it."""
    entry = intended()
    ahead = lifecycle.move(entry, State.APPROVED, T1 + timedelta(seconds=9), "provider approved")
    behind = msgspec.structs.replace(ahead, updated_at=T1)
    ended = lifecycle.move(behind, State.CONFIRMING, T1, "confirmed")
    assert [change.at for change in ended.changes] == [entry.created_at, *[T1 + timedelta(seconds=9)] * 2]
    assert ended.updated_at == T1 + timedelta(seconds=9)
