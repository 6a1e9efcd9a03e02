"""All the journal knows of a transaction is told, and its secrets to nobody but the caller of Issue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from giftcard import v1
from giftcard_adapters.values.advices import Advice, AdviceKind, ReversalReason
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Operation, Redeem, Replace, Transfer
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Outcome, Verdict
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.ledger.amounts import settled_amount
from giftcard_gateway.ledger.attempts import Attempt, AttemptKind
from giftcard_gateway.ledger.entry import AskedEnd, Entry, State, StateChange, WantedReversal
from giftcard_gateway.wire.progress import progress_to
from giftcard_gateway.wire.transactions import transaction_to
from giftcard_gateway.wire.values import money_from, time_from
from tests.gateway.wire.filled import PAN, UUID
from tests.gateway.wire.full import emptied, full

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEN, FOUR = Money("ZAR", 1000), Money("ZAR", 400)
SECRETS = (PAN, "4321", "secret-key", "https://cards.test/secret", "barcode-secret")
CARD = IssuedCard(
    number=Secret(SECRETS[0]),
    pin=Secret(SECRETS[1]),
    redemption_key=Secret(SECRETS[2]),
    redemption_url=Secret(SECRETS[3]),
    barcode=Secret(SECRETS[4]),
    provider_card_id="card-1",
    amount=TEN,
    expires_at=NOW,
)

ATTEMPT = Attempt(
    kind=AttemptKind.REVERSAL,
    at=NOW,
    took=timedelta(milliseconds=250),
    result="AGAIN",
    http_status=500,
    provider_code="GENERAL_ERROR",
    text="Server Error",
    trace_id="0af7651916cd43dd8448eb211c80319c",
    process="till-1",
)


def redeem(**more: Any) -> Redeem:  # noqa: ANN401 - any field of a redemption
    """Return a redemption of ten rand."""
    card = CardRef(number=Secret(PAN), rank="primary")
    fields: dict[str, Any] = {"transaction_id": UUID, "requested_at": NOW, "amount": TEN, "card": card}
    return Redeem(**(fields | more))


def entry(state: State = State.APPROVED, **more: Any) -> Entry:  # noqa: ANN401 - any field of an entry
    """Return an entry about that redemption."""
    fields: dict[str, Any] = {
        "transaction_id": UUID,
        "operation": Operation.REDEEM,
        "state": state,
        "created_at": NOW,
        "updated_at": NOW,
        "provider": "first",
        "ask": redeem(),
        "outcome": Outcome(verdict=Verdict.APPROVED, approved=TEN),
        "changes": (StateChange(state=state, at=NOW, cause="why"),),
    }
    return Entry(**(fields | more))


def advice(kind: AdviceKind, amount: Money | None = None) -> Advice:
    """Return an advice of that kind."""
    reason = ReversalReason.CANCELLED if kind is AdviceKind.REVERSAL else None
    return Advice(advice_id=UUID, kind=kind, written_at=NOW, amount=amount, reason=reason)


NOT_TOLD_OF_OUTCOME = {"verdict", "evidence", "left_out"}
"""The state says the verdict, the entry carries the evidence, and what was left out is for operators."""


def test_every_field_of_an_outcome_is_told() -> None:
    """An outcome without one of its fields makes another answer: nothing a provider tells is dropped."""
    whole = full(Outcome)
    told = transaction_to(entry(outcome=whole), reveal=True)
    fields = {name for name, outcome in emptied(whole) if transaction_to(entry(outcome=outcome)) != told}
    assert fields >= set(Outcome.__struct_fields__) - NOT_TOLD_OF_OUTCOME


def test_what_people_say_changes_no_state() -> None:
    """`update_time` is when the state came about, not when somebody last asked for something meanwhile."""
    later = [NOW + timedelta(minutes=minutes) for minutes in range(3)]
    states = (State.APPROVED, State.CONFIRMING, State.CONFIRMING)
    changes = tuple(
        StateChange(state=state, at=at, cause="why") for state, at in zip(states, later, strict=True)
    )
    told = transaction_to(entry(State.CONFIRMING, changes=changes))
    assert told.update_time.ToDatetime(tzinfo=UTC) == later[1]
    assert len(told.state_changes) == 3


def test_every_field_of_the_answer_is_filled() -> None:
    """No field of Transaction is left that nothing fills; `actor` waits for what it is to tell."""
    decided = full(Outcome)
    answers = [
        transaction_to(one, reveal=True)
        for one in (
            entry(ask=full(Redeem, transaction_id=UUID), outcome=decided, confirm_by=NOW),
            entry(State.CONFIRMED, advice=advice(AdviceKind.CONFIRMATION, FOUR)),
            entry(State.REVERSED, advice=advice(AdviceKind.REVERSAL, FOUR), numbers_erased_at=NOW),
            entry(State.UNRESOLVED, evidence="seen", refusal=full(Decline), asked_end=full(AskedEnd)),
        )
    ]
    tried = entry(
        State.REVERSING,
        tried=(ATTEMPT,),
        tried_in_all=1,
        due_at=NOW,
        driver="",
    )
    at_work = msgspec.structs.replace(tried, driver="till-1")
    for answer, one in zip(answers, (tried, at_work), strict=False):
        answer.progress.CopyFrom(progress_to(one, 60.0))
    filled = {field.full_name for answer in answers for field in set_fields(answer)}
    known = {field.full_name for kind in ours(v1.Transaction.DESCRIPTOR) for field in kind.fields}
    assert known - filled == {"giftcard.v1.StateChange.actor"}


def ours(descriptor: Any) -> set[Any]:  # noqa: ANN401 - protobuf's descriptors hash by identity
    """Return the messages of ours in an answer."""
    found = {descriptor}
    for field in descriptor.fields:
        kind = field.message_type
        if kind is not None and kind.file.package == "giftcard.v1" and not kind.GetOptions().map_entry:
            found |= ours(kind)
    return found


def set_fields(message: Any) -> list[Any]:  # noqa: ANN401 - any message
    """Return every field that is set, at any depth of ours."""
    found = []
    for field, value in message.ListFields():
        found.append(field)
        is_ours = field.message_type in ours(message.DESCRIPTOR)
        for part in (value if field.is_repeated else [value]) if is_ours else []:
            found += set_fields(part)
    return found


def test_cards_are_masked_and_keep_their_roles() -> None:
    """Both cards of a transfer and a replacement come in their roles, masked, each with its own balances."""
    source, target = CardRef(number=Secret(PAN)), CardRef(redemption_key=Secret("a-long-secret-key"))
    balances = (Balances(book=TEN, available=FOUR), Balances(available=TEN))
    outcome = Outcome(verdict=Verdict.APPROVED, balances=balances)
    ask = Transfer(transaction_id=UUID, requested_at=NOW, amount=FOUR, source_card=source, target_card=target)
    told = transaction_to(entry(ask=ask, operation=Operation.TRANSFER, outcome=outcome))
    roles = [card.role for card in told.cards]
    assert roles == [v1.CardRole.CARD_ROLE_SOURCE, v1.CardRole.CARD_ROLE_TARGET]
    assert [card.masked_card for card in told.cards] == ["604512******0007", "****-key"]
    assert money_from(told.cards[0].balances.available) == FOUR
    assert not told.cards[1].balances.HasField("book")
    again = Replace(transaction_id=UUID, requested_at=NOW, old_card=source, new_card=target)
    told = transaction_to(entry(ask=again, operation=Operation.REPLACE))
    assert [card.role for card in told.cards] == [v1.CardRole.CARD_ROLE_OLD, v1.CardRole.CARD_ROLE_NEW]


@pytest.mark.parametrize("state", [State.APPROVED, State.CONFIRMING, State.CONFIRMED])
def test_new_cards_are_shown_to_their_buyer(state: State) -> None:
    """Number, PIN, key, URL and barcode of a new card are told when they may be, once it is the buyer's."""
    told = transaction_to(issued(state), reveal=True).issued_cards[0]
    shown = (told.number, told.pin, told.redemption_key, told.redemption_url, told.barcode)
    assert shown == SECRETS
    assert told.masked_card == "604512******0007"
    assert time_from(told.expire_time) == NOW


@pytest.mark.parametrize(
    ("state", "reveal"),
    [(State.APPROVED, False), (State.PENDING, True), (State.REVERSED, True), (State.UNRESOLVED, True)],
)
def test_new_cards_are_masked_for_everyone_else(state: State, reveal: bool) -> None:
    """A caller who may not see them, or a card not the buyer's, gives nothing but the masked number."""
    told = transaction_to(issued(state), reveal=reveal)
    assert told.issued_cards[0].masked_card == "604512******0007"
    assert not any(secret in str(told) for secret in SECRETS)


def issued(state: State) -> Entry:
    """Return the entry of an issue."""
    return entry(
        state,
        operation=Operation.ISSUE,
        ask=Issue(transaction_id=UUID, requested_at=NOW, amount=TEN),
        outcome=Outcome(verdict=Verdict.APPROVED, approved=TEN, issued_cards=(CARD,)),
    )


def test_confirmed_and_reversed_amounts() -> None:
    """A part that was confirmed or put back is told as that part; without one it is all that was approved."""
    part = transaction_to(entry(State.CONFIRMED, advice=advice(AdviceKind.CONFIRMATION, FOUR)))
    assert money_from(part.confirmed_amount) == FOUR
    assert money_from(transaction_to(entry(State.CONFIRMING)).confirmed_amount) == TEN
    back = transaction_to(entry(State.REVERSED, advice=advice(AdviceKind.REVERSAL, FOUR)))
    assert money_from(back.reversed_amount) == FOUR
    assert back.reversal_reason == v1.ReversalReason.REVERSAL_REASON_CANCELLED
    unknown = Outcome(verdict=Verdict.UNKNOWN)
    never = transaction_to(entry(State.REVERSED, outcome=unknown, advice=advice(AdviceKind.REVERSAL)))
    assert not never.HasField("reversed_amount")
    assert not transaction_to(entry()).HasField("confirmed_amount")


def test_a_part_put_back_settles_the_rest_of_every_card() -> None:
    """Three cards of ten each, of which four each were put back, settle eighteen; a single card six."""
    back: dict[str, Any] = {"state": State.REVERSED, "advice": advice(AdviceKind.REVERSAL, FOUR)}
    ask = Issue(transaction_id=UUID, requested_at=NOW, amount=TEN, quantity=3)
    three = settled_amount(entry(**back, operation=Operation.ISSUE, ask=ask))
    assert three == Money(TEN.currency, 3 * (TEN.amount_minor - FOUR.amount_minor))
    assert settled_amount(entry(**back)) == Money(TEN.currency, TEN.amount_minor - FOUR.amount_minor)


def test_reversal_that_came_first() -> None:
    """A tombstone tells its reason and nothing it cannot know."""
    tomb = entry(
        State.REVERSED,
        ask=None,
        outcome=None,
        provider="",
        wanted_reversal=WantedReversal(reason=ReversalReason.TIMEOUT),
    )
    told = transaction_to(tomb)
    assert told.reversal_reason == v1.ReversalReason.REVERSAL_REASON_TIMEOUT
    assert not told.cards
    assert not told.HasField("requested_amount")


def test_evidence_and_deadline_where_they_belong() -> None:
    """Evidence comes with UNRESOLVED and FAILED, the time to decide with APPROVED, and neither elsewhere."""
    refusal = Decline(reason=DeclineReason.CARD_BLOCKED)
    told = transaction_to(entry(State.UNRESOLVED, evidence="seen", refusal=refusal, confirm_by=NOW))
    assert (told.evidence.summary, told.evidence.refusal.reason) == (
        "seen",
        v1.DeclineReason.DECLINE_REASON_CARD_BLOCKED,
    )
    assert not told.HasField("confirm_by")
    approved = transaction_to(entry(evidence="old", confirm_by=NOW))
    assert time_from(approved.confirm_by) == NOW
    assert not approved.HasField("evidence")


def test_no_secret_in_any_state() -> None:
    """Whatever the state, an answer that may not reveal holds no secret of the cards in it (rule 16)."""
    ask = redeem(card=full(CardRef, number=Secret(PAN), redemption_key=None))
    outcome = msgspec.structs.replace(full(Outcome), issued_cards=(CARD,))
    for state in State:
        told = str(transaction_to(entry(state, ask=ask, outcome=outcome)))
        assert not any(secret in told for secret in SECRETS)


def test_zeros_are_told() -> None:
    """The first of all times and an amount of nothing are shown, and not left out as if nobody had told."""
    began = datetime(1970, 1, 1, tzinfo=UTC)
    told = transaction_to(
        entry(
            ask=redeem(amount=Money("ZAR", 0)),
            created_at=began,
            changes=(StateChange(state=State.PENDING, at=began, cause=""),),
        )
    )
    for name in ("create_time", "update_time", "requested_amount"):
        assert told.HasField(name)
    assert told.state_changes[0].HasField("change_time")
