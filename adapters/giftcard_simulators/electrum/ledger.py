"""The records of earlier requests: their states, used ids, and reversals that came before their request.

A financial request ends once: confirmed or reversed. An advice that comes again changes nothing.
"""

from __future__ import annotations

import copy
from collections import Counter

import msgspec

from giftcard_simulators.bank import BalanceChange, Bank, BankCard
from giftcard_simulators.currencies import numeric_code
from giftcard_simulators.electrum import books, checks, messages
from giftcard_simulators.electrum.answers import RefusedError
from giftcard_simulators.electrum.checks import CardStage, CheckedRequest, Refusal, RequestCheck, RequestState
from giftcard_simulators.electrum.moves import Move, Settle, keep, undo
from giftcard_simulators.electrum.paths import Phase, Target
from giftcard_simulators.electrum.rules import RequestRule
from giftcard_simulators.electrum.values import PresentedCard
from giftcard_simulators.sandbox import TimeSource


class Record(msgspec.Struct, kw_only=True):
    """One financial request: its state, what it did, its cards, and their states before it."""

    rule: RequestRule
    state: RequestState
    move: Move = Move(amount_minor=0, changes=())
    cards: tuple[BankCard, ...] = ()
    before: tuple[BankCard, ...] = ()


class Ledger:
    """The records over a bank."""

    def __init__(
        self, bank: Bank, *, now: TimeSource, remembers_reversals: bool = True, settles_again: bool = False
    ) -> None:
        """Start with nothing asked.

        `remembers_reversals` refuses a request whose reversal came first. `settles_again` counts an advice
        under a fresh id once more, as Electrum's test server does.
        """
        self.bank = bank
        self._remembers_reversals = remembers_reversals
        self._settles_again = settles_again
        self._now = now
        self._records: dict[str, Record] = {}
        self._uses: dict[str, str] = {}
        self._reversed_early: set[tuple[str, str]] = set()
        self._open_requests: Counter[str] = Counter()

    def use_id(self, message_id: str, use: str, *, is_repeat_welcome: bool) -> bool:
        """Remember what an id was used for and return whether it is new; raise RefusedError when it is not.

        Requests, advices and lookups share one namespace. A welcome repeat is the same use again.
        """
        earlier = self._uses.get(message_id)
        if earlier is None:
            self._uses[message_id] = use
        elif not is_repeat_welcome or earlier != use:
            raise RefusedError(Refusal.DUPLICATE_RECORD)
        return earlier is None

    def card(self, shown: PresentedCard) -> BankCard:
        """Return the card shown; raise RefusedError when there is none of that number."""
        card = self.bank.find(shown.pan)
        if card is None:
            raise RefusedError(Refusal.INVALID_CARD_NUMBER)
        return card

    def begin(self, rule: RequestRule, request: messages.MoneyRequest) -> tuple[BankCard, ...]:
        """Execute a financial request and return its cards; raise RefusedError when it is not allowed."""
        if (rule.segment, request.id) in self._reversed_early:
            raise RefusedError(Refusal.GENERAL_ERROR, "Request reversed")
        record = self._records[request.id] = Record(rule=rule, state=RequestState.DECLINED)
        ask = self._ask(rule, request)
        for check in rule.checks:
            refusal = check(ask)
            if refusal is not None:
                raise RefusedError(refusal, _TEXTS.get(check, ""))
        self._do(record, ask)
        return ask.cards

    def settle(
        self, target: Target, rule: RequestRule, advice: messages.AdviceMessage, *, is_fresh: bool
    ) -> None:
        """Confirm or reverse a request, once; raise RefusedError when it is not allowed.

        `is_fresh` tells whether this advice id is new.
        """
        record = self._records.get(advice.request_id)
        is_reversal = target.phase is Phase.REVERSAL
        if record is None or record.rule is not rule:
            if is_reversal and self._remembers_reversals:
                self._reversed_early.add((rule.segment, advice.request_id))
            raise RefusedError(Refusal.UNABLE_TO_LOCATE_RECORD)
        end = RequestState.REVERSED if is_reversal else RequestState.CONFIRMED
        if record.state is not end:
            _refuse_wrong_state(record, is_reversal=is_reversal)
        if record.state is not end or (self._settles_again and is_fresh):
            self._finish(record, advice, is_reversal=is_reversal)

    def _ask(self, rule: RequestRule, request: messages.MoneyRequest) -> CheckedRequest:
        shown = tuple(getattr(request, role) for role in rule.roles)
        return CheckedRequest(
            request=request,
            shown=shown,
            cards=tuple(self.card(card) for card in shown),
            courses=rule.courses,
            at=self._now(),
            products=books.PRODUCTS,
            is_card_busy=lambda number: self._open_requests[number] > 0,
        )

    def _do(self, record: Record, ask: CheckedRequest) -> None:
        record.before = copy.deepcopy(ask.cards)
        record.cards = ask.cards
        record.move = record.rule.move(ask)
        record.state = RequestState.REQUESTED
        self._post(record.rule.kind, record, ask.request.id, record.move.amount_minor, record.move.changes)
        for card, course, shown in zip(ask.cards, ask.courses, ask.shown, strict=True):
            card.state = course.asked
            self._open_requests[card.number] += 1
            if course.needed is CardStage.NEW:
                _set_up(card, shown, ask)

    def _finish(self, record: Record, advice: messages.AdviceMessage, *, is_reversal: bool) -> None:
        settle = record.rule.reverse if is_reversal else record.rule.confirm
        final_minor = _final_minor(record, advice, settle, is_reversal=is_reversal)
        changes = settle(record.move, final_minor)
        moved_minor = record.move.amount_minor - final_minor if is_reversal else final_minor
        self._post("reverse" if is_reversal else "confirm", record, advice.request_id, moved_minor, changes)
        record.state = RequestState.REVERSED if is_reversal else RequestState.CONFIRMED
        for card, before, course in zip(record.cards, record.before, record.rule.courses, strict=True):
            self._open_requests[card.number] -= 1
            card.state = course.undone if is_reversal else course.confirmed
            if is_reversal:
                card.pin, card.labels = before.pin, before.labels

    def _post(
        self,
        kind: str,
        record: Record,
        request_id: str,
        amount_minor: int,
        changes: tuple[BalanceChange, ...],
    ) -> None:
        self.bank.post(
            kind,
            request_id,
            changes=changes,
            amount_minor=amount_minor,
            currency=record.cards[0].currency,
        )


_TEXTS: dict[RequestCheck, str] = {checks.is_idle: "Request in progress"}
"""Where the text says more than the error type."""


def _set_up(card: BankCard, shown: PresentedCard, ask: CheckedRequest) -> None:
    """Set the product of a card that is activated, and replace its PIN by the one presented."""
    product = ask.request.product
    label = product.id if product else ask.cards[0].labels.get("product")
    if label:
        card.labels["product"] = label
    form, text = checks.shown_pin(shown)
    if text:
        card.pin = text if form == "clear" else ""
        forms = books.pin_labels(text) if form == "clear" else {f"pin_{form}": text}
        card.labels = {k: v for k, v in card.labels.items() if not k.startswith("pin_")} | forms


def _refuse_wrong_state(record: Record, *, is_reversal: bool) -> None:
    if record.state is RequestState.DECLINED:
        raise RefusedError(Refusal.GENERAL_ERROR, "Request failed")
    if record.state is RequestState.REVERSED:
        raise RefusedError(Refusal.GENERAL_ERROR, "Request reversed")
    if is_reversal and record.state is RequestState.CONFIRMED:
        raise RefusedError(record.rule.late_reversal)
    if record.rule.are_cards_in_use and any(card.state in _VOIDED for card in record.cards):
        raise RefusedError(Refusal.CARD_VOIDED)


_VOIDED = {CardStage.VOIDED, CardStage.VOIDED_CONFIRMED}


def _final_minor(record: Record, advice: messages.AdviceMessage, settle: Settle, *, is_reversal: bool) -> int:
    """Return the final amount an advice asks for: whole or nothing where the operation has no part."""
    whole = 0 if is_reversal else record.move.amount_minor
    final = advice.amounts.approved_amount if advice.amounts else None
    if final is None:
        return whole
    is_partial_possible = settle not in {keep, undo}
    is_in_range = (
        0 <= final.amount <= record.move.amount_minor if is_partial_possible else final.amount == whole
    )
    if not is_in_range or final.currency != numeric_code(record.cards[0].currency):
        raise RefusedError(Refusal.INVALID_AMOUNT)
    return final.amount
