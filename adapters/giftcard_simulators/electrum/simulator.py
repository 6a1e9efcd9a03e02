"""Electrum's gift card service as one object: checks credentials, recognises repeats, answers.

Differs from Electrum's own test server where that one has defects: an advice counts once under
any id, a reversal that comes before its request refuses the request, and an advice must name the
request its path names. Switches bring its ways back: `are_repeats_duplicates` answers a repeated
advice as a duplicate, without `remembers_reversals` a request is executed after its reversal was
refused, and `settles_again` counts the same advice under a fresh id once more.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus

import msgspec

from giftcard_simulators.bank import Bank, BankCard
from giftcard_simulators.electrum import answers, books, messages
from giftcard_simulators.electrum.acts import ACTS
from giftcard_simulators.electrum.answers import RefusedError
from giftcard_simulators.electrum.checks import Refusal
from giftcard_simulators.electrum.ledger import Ledger
from giftcard_simulators.electrum.paths import M, Phase, Target, find_target, read_message
from giftcard_simulators.electrum.rules import RequestRule
from giftcard_simulators.electrum.values import Customer, PresentedCard
from giftcard_simulators.sandbox import IdSource, Plain, SimAnswer, SimRequest, Simulator, TimeSource


class ElectrumSimulator(Simulator):
    """The 19 operations over HTTP Basic; see `books` for credentials and demo cards."""

    name = "electrum"
    acts = ACTS

    def __init__(
        self,
        *,
        now: TimeSource,
        ids: IdSource,
        open_with: Callable[[], Iterable[BankCard]] = books.demo_cards,
        are_repeats_duplicates: bool = False,
        remembers_reversals: bool = True,
        settles_again: bool = False,
    ) -> None:
        """Open the books; `open_with` makes the cards anew at every reset."""
        super().__init__(now=now, ids=ids)
        self._open_with = open_with
        self._are_repeats_duplicates = are_repeats_duplicates
        self._remembers_reversals = remembers_reversals
        self._settles_again = settles_again
        self._credentials = base64.b64encode(f"{books.INSTITUTION_ID}:{books.PASSWORD}".encode())
        self.reset()

    def reset(self) -> None:
        """Forget every request and id, and open the books again."""
        self._ledger = Ledger(
            Bank(self._open_with(), now=self.now),
            now=self.now,
            remembers_reversals=self._remembers_reversals,
            settles_again=self._settles_again,
        )

    @property
    def bank(self) -> Bank:
        """The books."""
        return self._ledger.bank

    def cards(self) -> Sequence[Plain]:
        """Return every card with its balances in cents."""
        return self._ledger.bank.cards()

    def effects(self) -> Sequence[Plain]:
        """Return each money effect once, in order."""
        return self._ledger.bank.effects()

    def tamper(self, answer: SimAnswer) -> SimAnswer:
        """Return the answer with every amount in it one rand higher."""
        return answers.raise_amounts(answer)

    def failure(self, status: int, request: SimRequest) -> SimAnswer:
        """Return the ErrorDetail that goes with a bare error status."""
        target = find_target(request.path)
        if target is None or status < HTTPStatus.BAD_REQUEST:
            return SimAnswer(status=status)
        return answers.failed(status, target)

    def answer(self, request: SimRequest) -> SimAnswer:
        """Execute one request: credentials, then path and method, then the message itself."""
        if not self._is_trusted(request.headers.get("authorization", "")):
            return SimAnswer(
                status=HTTPStatus.UNAUTHORIZED, headers={"www-authenticate": 'Basic realm="sandbox"'}
            )
        target = find_target(request.path)
        if target is None:
            return SimAnswer(status=HTTPStatus.NOT_FOUND)
        if request.method != "POST":
            return SimAnswer(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "POST"})
        try:
            return self._act(target, request.body)
        except RefusedError as refused:
            return refused.answer(target)

    def _is_trusted(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        return scheme.lower() == "basic" and hmac.compare_digest(credentials.encode(), self._credentials)

    def _act(self, target: Target, body: bytes) -> SimAnswer:
        rule = target.rule
        if rule is None:
            return self._look_up(target, _read(target, body, messages.LookupRequest))
        if target.phase is Phase.REQUEST:
            return self._begin(target, rule, _read(target, body, rule.request))
        kind = messages.Reversal if target.phase is Phase.REVERSAL else rule.confirmation
        return self._settle(target, rule, _read(target, body, kind))

    def _begin(self, target: Target, rule: RequestRule, request: messages.MoneyRequest) -> SimAnswer:
        self._ledger.use_id(request.id, target.path, is_repeat_welcome=False)
        cards = self._ledger.begin(rule, request)
        return answers.approved(target, rule, request, cards, at=self.now(), own_id=self.ids())

    def _settle(self, target: Target, rule: RequestRule, advice: messages.AdviceMessage) -> SimAnswer:
        if advice.request_id != target.request_id:
            raise answers.bad_field("requestId", "not the one in the path", "UUID inconsistent")
        is_fresh = self._ledger.use_id(
            advice.id, target.path, is_repeat_welcome=not self._are_repeats_duplicates
        )
        self._ledger.settle(target, rule, advice, is_fresh=is_fresh)
        return answers.acknowledged(advice)

    def _look_up(self, target: Target, request: messages.LookupRequest) -> SimAnswer:
        self._ledger.use_id(request.id, target.path, is_repeat_welcome=False)
        if request.card is None and request.card_holder is None:
            raise answers.bad_field("card", "card or cardHolder is needed")
        named = request.card or self._card_held_by(request.card_holder)
        card = self._ledger.card(named)
        return answers.looked_up(target, request, card, named, at=self.now(), own_id=self.ids())

    def _card_held_by(self, holder: Customer | None) -> PresentedCard:
        """Return the card of a holder, who is known by the profile id alone (assumption)."""
        for card in self.bank:
            if holder is not None and holder.profile_id and card.labels.get("holder") == holder.profile_id:
                return PresentedCard(pan=card.number)
        raise RefusedError(Refusal.UNABLE_TO_LOCATE_RECORD)


def _read(target: Target, body: bytes, kind: type[M]) -> M:
    try:
        message = read_message(body, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise answers.bad_format(fault) from None
    if message.id != target.message_id:
        raise answers.bad_field("id", "not the one in the path", "UUID inconsistent")
    return message
