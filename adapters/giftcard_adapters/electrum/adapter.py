"""Electrum Payments: pre-printed gift cards at shop tills, in two phases.

Every request is sent once and closed by one confirmation or one reversal. A request with an unknown
outcome is reversed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

from msgspec import structs

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.contract import Provider, traits
from giftcard_adapters.electrum import answers, limits, receipts, requests
from giftcard_adapters.electrum.codes import SHAPES, TEMPLATES
from giftcard_adapters.electrum.settings import ElectrumSettings
from giftcard_adapters.errors import Refused, Unsupported
from giftcard_adapters.values.advices import Acknowledgement, Advice, AdviceKind
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.operations import (
    Activate,
    Load,
    MoneyOperation,
    Redeem,
    Replace,
    Transfer,
    Void,
)
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.reads import CardView, Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.traits import Ending, Guarantee, OperationTraits

if TYPE_CHECKING:
    from giftcard_adapters.exchange import Exchange

_WITHOUT_BASKET = ("activate", "load", "transfer", "replace", "void")
_WITHOUT_TENDERS = ("redeem", "transfer", "replace", "void")
_ECHOED = ("originator", "client", "basketRef", "tranType", "srcAccType", "destAccType")
_ECHOED_OF_MONEY = ("product", "posInfo", "cardHolder")
_ECHOED_OF_ADVICES = ("thirdPartyIdentifiers", "stan", "rrn", "amounts")
_CARDS = ("card", "sourceCard", "targetCard", "oldCard", "newCard")
_WHOLE = traits(Guarantee.NATIVE, Ending.REVERSE, keeps_advice_ids=True)
_OPENING = traits(Guarantee.NATIVE, Ending.REVERSE, keeps_advice_ids=True, is_confirmation_partial=True)
_PART = traits(
    Guarantee.NATIVE,
    Ending.REVERSE,
    keeps_advice_ids=True,
    is_reversal_partial=True,
    is_confirmation_partial=True,
)


class Electrum(Provider):
    """One connection to Electrum's gift card service."""

    settings_type = ElectrumSettings
    facts = (
        "Confirmations and reversals are the provider's own. Partial ones need Electrum's message base "
        "3.25 (2020) or later and the setting partial_advices. How long a reversal is accepted is not public."
    )
    leaves_out: ClassVar[Mapping[str, str]] = {
        "buyer": "Electrum has no vault, and so no buyers",
        **dict.fromkeys(("confirm_*.note", "reverse_*.note"), "no advice of Electrum's has a place for one"),
        **{f"{name}.basket": "Electrum takes a basket with a redemption only" for name in _WITHOUT_BASKET},
        **{
            f"confirm_{name}.tenders": "Electrum takes tenders for an activation or a load only"
            for name in _WITHOUT_TENDERS
        },
    }

    leaves_out_of_answers: ClassVar[Mapping[str, str]] = {
        "time": "the gateway tells its own times",
        **dict.fromkeys((*_ECHOED, "redemption.basket"), "an echo of the request"),
        **dict.fromkeys(
            (f"{shape.name}.{field}" for shape in SHAPES.values() for field in _ECHOED_OF_MONEY),
            "an echo of the request; a lookup tells the provider's own",
        ),
        **dict.fromkeys(
            (f"{card}.{field}" for card in _CARDS for field in ("pin", "clearPin", "encryptedPin")),
            "a PIN is not even read",
        ),
        **dict.fromkeys(
            (f"{verb}*.{field}" for verb in ("confirm", "reverse") for field in _ECHOED_OF_ADVICES),
            "an acknowledgement echoes the advice",
        ),
        **dict.fromkeys(
            (f"{name}.amounts.requestAmount" for name in ("replace", "void", "lookupGiftcard")),
            "none was asked for",
        ),
        "amounts.requestAmount.ledgerIndicator": "an echo of the request",
        "points.*.currencyEquivalent.ledgerIndicator": "what points are worth is on no side",
        "cardHolder.address": "deprecated: told where there are no address details",
    }

    @property
    def templates(self) -> Mapping[str, str]:
        """Return the paths of requests and advices."""
        return TEMPLATES

    def __init__(self, settings: ElectrumSettings, exchange: Exchange) -> None:
        """Build the credentials and the parties to every message."""
        super().__init__(settings, exchange)
        pair = f"{settings.institution_id}:{settings.password.reveal()}".encode()
        self._credentials = Secret(f"Basic {base64.b64encode(pair).decode()}")
        self._parties = requests.parties_of(settings)
        self._zone = ZoneInfo(settings.time_zone)
        originator_ids = frozenset(one.id for one in self._parties.originators)
        self._rules = limits.Rules(
            is_expiry_needed=settings.is_expiry_needed,
            pin_fields=settings.pin_fields,
            originator=self._parties.originator,
            originator_ids=originator_ids,
            faults=tuple(limits.faults_of(self._parties.originator, originator_ids)),
        )

    @_OPENING
    async def activate(self, ask: Activate) -> Outcome:
        """Activate a printed card; `amount` is added to its product's opening balance."""
        return await self._request(ask)

    @_PART
    async def load(self, ask: Load) -> Outcome:
        """Add funds; spendable once confirmed."""
        return await self._request(ask)

    @_PART
    async def redeem(self, ask: Redeem) -> Outcome:
        """Spend; both balances fall at once."""
        return await self._request(ask)

    @_PART
    async def transfer(self, ask: Transfer) -> Outcome:
        """Move funds between two cards; the answered balances are the source's."""
        return await self._request(ask)

    @_WHOLE
    async def replace(self, ask: Replace) -> Outcome:
        """Move everything to a new card; the answered balances are the new card's."""
        return await self._request(ask)

    @_WHOLE
    async def void(self, ask: Void) -> Outcome:
        """End a card; nothing is paid out, the balance at that moment is told."""
        return await self._request(ask)

    def configured(self, declared: OperationTraits) -> OperationTraits:
        """Return the traits without parts, unless the operator said that Electrum's side takes them."""
        if self.settings.partial_advices:
            return declared
        return structs.replace(declared, is_reversal_partial=False, is_confirmation_partial=False)

    def check(self, ask: MoneyOperation) -> None:
        """Raise Invalid or Unsupported for an operation that Electrum could not take."""
        who = requests.originator(ask.point_of_sale, self._parties)
        limits.check_operation(ask, who, self._rules)

    def confirmation(self, ask: MoneyOperation, outcome: Outcome, advice: Advice) -> tuple[Call, ...]:
        """Write the one confirmation; raise Invalid for tenders Electrum could not take."""
        if SHAPES[ask.operation].has_tenders:
            limits.check_tenders(advice.tenders)
        return (requests.advice(ask, outcome, advice, self._parties),)

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write the one reversal."""
        return (requests.advice(ask, outcome, advice, self._parties),)

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Send an advice; Electrum has no time limit, so its age does not matter."""
        del age_s
        path, request_id = call.path.split("/")[1:3]
        shape = next(shape for shape in SHAPES.values() if shape.path == path)
        verb = "confirm" if advice.kind is AdviceKind.CONFIRMATION else "reverse"
        reply = await self.exchange.send(call, sign=self._sign, name=verb + shape.noun)
        return receipts.receipt_of(advice, request_id, shape.message_type(advice.kind), reply)

    async def lookup(self, ask: Lookup) -> CardView:
        """Return what Electrum knows of a card, or of a card holder's card."""
        who = requests.originator(ask.point_of_sale, self._parties)
        limits.check_lookup(ask, who, self._rules)
        call = requests.lookup(ask, self._parties, self._rules.pin_fields)
        reply = await self.exchange.send(call, sign=self._sign, name="lookupGiftcard")
        return answers.card_view(ask, reply, self._zone)

    async def balances(self, cards: Sequence[CardRef], ask: Lookup) -> Sequence[CardView | Decline]:
        """Look one card up: Electrum has no balance call, and a lookup id serves once."""
        if len(cards) != 1:
            raise Unsupported("this provider tells the balances of one card at a time")
        try:
            return [await self.lookup(structs.replace(ask, card=cards[0], card_holder=None))]
        except Refused as refusal:
            return [refusal.decline]

    async def _request(self, ask: MoneyOperation) -> Outcome:
        self.check(ask)
        call = requests.request(ask, self._parties, self._rules.pin_fields)
        reply = await self.exchange.send(call, sign=self._sign, name=SHAPES[ask.operation].name)
        return answers.outcome_of(ask, reply, self._zone)

    def _sign(self, _call: Call, _moment: Moment) -> Mapping[str, str]:
        return {"authorization": self._credentials.reveal()}
