"""Turns a journal entry into the Transaction message, masked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from google.type.money_pb2 import Money as WireMoney

from giftcard import v1
from giftcard_adapters.values.advices import Advice, ReversalReason
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import LedgerIndicator, Money
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.outcomes import Balances, Outcome, ToldCard
from giftcard_adapters.values.point_of_sale import Institution, Product, ThirdPartyIdentifier
from giftcard_adapters.values.points import PointBalances
from giftcard_adapters.values.slips import Slip
from giftcard_gateway.ledger.amounts import confirmed_amount, reversed_amount
from giftcard_gateway.ledger.card_secrets import issued_in
from giftcard_gateway.ledger.entry import Entry, State, StateChange
from giftcard_gateway.wire.cards import balances_to, decline_to, issued_to
from giftcard_gateway.wire.mapping import enum_numbers, enum_reader, enum_writer, writing
from giftcard_gateway.wire.own_secrets import mask_echoes
from giftcard_gateway.wire.values import money_to, put_money, put_time, time_to

_OPERATIONS = enum_numbers(Operation, v1.Operation.DESCRIPTOR)
operation_to = _OPERATIONS.__getitem__
operation_from = enum_reader(Operation, v1.Operation.DESCRIPTOR)
_STATES = enum_numbers(State, v1.TransactionState.DESCRIPTOR)
state_to = _STATES.__getitem__
state_from = enum_reader(State, v1.TransactionState.DESCRIPTOR)
_side = enum_writer(LedgerIndicator, v1.LedgerIndicator.DESCRIPTOR)
_reason = enum_writer(ReversalReason, v1.ReversalReason.DESCRIPTOR)
_points = writing(PointBalances, v1.PointBalances)
_slip = writing(Slip, v1.Slip)
_product = writing(Product, v1.Product)
_institution = writing(Institution, v1.Institution)
_identifier = writing(ThirdPartyIdentifier, v1.ThirdPartyIdentifier)


def _amounts(told: dict[str, Money]) -> dict[str, WireMoney]:
    return {name: money_to(amount) for name, amount in told.items()}


def _sides(told: dict[str, LedgerIndicator]) -> dict[str, v1.LedgerIndicator.ValueType]:
    return {name: _side(side) for name, side in told.items()}


_OUTCOME: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("additional_amounts", "additional_amounts", _amounts),
    ("ledger_indicators", "ledger_indicators", _sides),
    ("decline", "decline", decline_to),
    ("slip", "slip", _slip),
    ("receiver", "receiver", _institution),
    ("settlement_entity", "settlement_entity", _institution),
)
"""Fields of an outcome, where each goes, and how; Any because they are of every type."""
_of_outcome = attrgetter(*(name for name, _, _ in _OUTCOME))

_ROLES = {
    Operation.TRANSFER: (v1.CardRole.CARD_ROLE_SOURCE, v1.CardRole.CARD_ROLE_TARGET),
    Operation.REPLACE: (v1.CardRole.CARD_ROLE_OLD, v1.CardRole.CARD_ROLE_NEW),
}
_SUBJECT = (v1.CardRole.CARD_ROLE_SUBJECT,)
_NOT_TOLD, _NOTHING_TOLD = Balances(), ToldCard()
_HANDED_OUT = frozenset({State.APPROVED, State.CONFIRMING, State.CONFIRMED})
"""States in which a new card is its buyer's; before and after, its secrets are nobody's."""

Fields = dict[str, Any]
"""Fields of a Transaction message by name; Any because they are of every type."""


def transaction_to(entry: Entry, *, reveal: bool = False) -> v1.Transaction:
    """Return a transaction; `reveal` shows the secrets of new cards, once they are the buyer's (rule 16)."""
    fields: Fields = {
        "transaction_id": entry.callers_id,
        "tenant": entry.tenant,
        "operation": _OPERATIONS[entry.operation],
        "provider": entry.provider,
        "state": _STATES[entry.state],
    }
    if entry.ask is not None:
        _add_ask(fields, entry.ask, entry.outcome, entry.advice)
    if entry.outcome is not None:
        _add_outcome(fields, entry.outcome, reveal=reveal and entry.state in _HANDED_OUT)
    is_to_be_decided = entry.state is State.APPROVED and entry.confirm_by is not None
    if not is_to_be_decided and (
        entry.state in {State.UNRESOLVED, State.FAILED} or (entry.evidence and entry.ask is None)
    ):
        # Without what was asked, evidence says why the rest cannot be shown.
        fields["evidence"] = _evidence(entry)
    if (reason := _reversal_reason(entry)) is not None:
        fields["reversal_reason"] = _reason(reason)
    told = v1.Transaction(**fields)
    _put_times(told, entry)
    _put_amounts(told, entry)
    # A map in a constructor takes protobuf five times as long.
    for key, text in entry.outcome.references.items() if entry.outcome else ():
        told.provider_references[key] = text
    for key, text in entry.ask.labels.items() if entry.ask else ():
        told.labels[key] = text
    # Whose secrets are shown may read them in the provider's words, too.
    mask_echoes(told, _asked_cards(entry) if reveal else cards_of(entry))
    return told


def cards_of(entry: Entry) -> tuple[CardRef, ...]:
    """Return every card whose secrets a transaction's texts must not tell: asked with, or issued."""
    return (*_asked_cards(entry), *issued_in(entry.outcome))


def _asked_cards(entry: Entry) -> Sequence[CardRef]:
    return entry.ask.cards if entry.ask is not None else ()


def change_to(change: StateChange) -> v1.StateChange:
    """Return one state a transaction has been in."""
    told = v1.StateChange(state=_STATES[change.state], note=change.cause, actor=change.actor)
    put_time(told.change_time, change.at)
    return told


def _put_times(told: v1.Transaction, entry: Entry) -> None:
    put_time(told.create_time, entry.created_at)
    put_time(told.update_time, _changed_at(entry))
    if entry.state is State.APPROVED and entry.confirm_by is not None:
        put_time(told.confirm_by, entry.confirm_by)
    if (asked := entry.asked_end) is not None:
        waits = told.asked_resolution
        waits.state, waits.note, waits.actor = _STATES[asked.state], asked.note, asked.actor
        put_time(waits.ask_time, asked.at)
        put_time(waits.expire_time, asked.expires_at)
    if entry.numbers_erased_at is not None:
        put_time(told.card_number_erase_time, entry.numbers_erased_at)
    for change in entry.changes:
        step = told.state_changes.add(state=_STATES[change.state], note=change.cause, actor=change.actor)
        put_time(step.change_time, change.at)


def _put_amounts(told: v1.Transaction, entry: Entry) -> None:
    if entry.ask is not None and entry.ask.amount is not None:
        put_money(told.requested_amount, entry.ask.amount)
    if (outcome := entry.outcome) is not None:
        if outcome.approved is not None:
            put_money(told.approved_amount, outcome.approved)
        if outcome.fee is not None:
            put_money(told.fee_amount, outcome.fee)
    if (final := confirmed_amount(entry)) is not None:
        put_money(told.confirmed_amount, final)
    if (put_back := reversed_amount(entry)) is not None:
        put_money(told.reversed_amount, put_back)


def _changed_at(entry: Entry) -> datetime:
    """Return when it came into its state: what people said meanwhile changed nothing."""
    at, state = entry.updated_at, None
    for change in entry.changes:
        if change.state is not state:
            at, state = change.at, change.state
    return at


def _add_ask(fields: Fields, ask: AnyOperation, outcome: Outcome | None, advice: Advice | None) -> None:
    if cards := ask.cards:
        fields["cards"] = list(_cards(cards, ask.operation, outcome))
    if ask.product is not None:
        fields["product"] = _product(ask.product)
    if ask.external_reference:
        fields["external_reference"] = ask.external_reference
    points = outcome.points if outcome else None
    if points is not None or ask.points is not None:
        fields["points"] = _points(points or PointBalances(requested=ask.points))
    told = outcome.third_party_identifiers if outcome else ()
    advised = advice.third_party_identifiers if advice else ()
    if identifiers := (*ask.third_party_identifiers, *told, *advised):
        fields["third_party_identifiers"] = list(map(_identifier, dict.fromkeys(identifiers)))


def _add_outcome(fields: Fields, outcome: Outcome, *, reveal: bool) -> None:
    for told, (_, target, convert) in zip(_of_outcome(outcome), _OUTCOME, strict=True):
        if told:
            fields[target] = convert(told)
    if outcome.issued_cards:
        fields["issued_cards"] = [issued_to(card, reveal=reveal) for card in outcome.issued_cards]


def _reversal_reason(entry: Entry) -> ReversalReason | None:
    if entry.advice is not None:
        return entry.advice.reason
    is_reversed = entry.state in {State.REVERSING, State.REVERSED}
    return entry.wanted_reversal.reason if is_reversed and entry.wanted_reversal else None


def _evidence(entry: Entry) -> v1.Evidence:
    return v1.Evidence(
        summary=entry.evidence,
        refusal=decline_to(entry.refusal) if entry.refusal else None,
        observe_time=time_to(_changed_at(entry)),
    )


def _cards(
    cards: Sequence[CardRef], operation: Operation, outcome: Outcome | None
) -> Iterator[v1.TransactionCard]:
    roles = _ROLES.get(operation, _SUBJECT)
    told: Sequence[Balances] = outcome.balances if outcome else ()
    of_cards: Sequence[ToldCard] = outcome.told_cards if outcome else ()
    for place, (card, role) in enumerate(zip(cards, roles, strict=True)):
        balances = told[place] if place < len(told) else _NOT_TOLD
        card_told = of_cards[place] if place < len(of_cards) else _NOTHING_TOLD
        yield v1.TransactionCard(
            role=role,
            masked_card=card.masked(),
            balances=balances_to(balances) if balances != _NOT_TOLD else None,
            stored_card_id=_stored_card_id(card, outcome),
            provider_card_id=card.provider_card_id,
            expiry=card_told.expiry,
            expire_time=time_to(card_told.expires_at) if card_told.expires_at else None,
            rank=card_told.rank or card.rank,
        )


def _stored_card_id(card: CardRef, outcome: Outcome | None) -> str:
    """Return the id the card has in the vault; the one that storing it made is a reference of that name."""
    return card.stored_card_id or (outcome.references.get("stored_card_id", "") if outcome else "")
