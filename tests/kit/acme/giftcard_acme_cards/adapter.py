"""AcmeCards, a company made up for this example: cards redeemed online, in two phases.

Source: the manual in README.md, all of which is made up too. What the simulator plays is in
`simulator`, never here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from giftcard_adapters.calls import Call, Moment, Reply
from giftcard_adapters.codec import decode, reveal_hook
from giftcard_adapters.contract import Provider, Settings, traits
from giftcard_adapters.errors import Invalid, Refused, Unreadable, Unsupported
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money, MoneyError, exponent_of
from giftcard_adapters.values.operations import MoneyOperation, Redeem
from giftcard_adapters.values.outcomes import Balances, Outcome, Verdict
from giftcard_adapters.values.reads import CardState, CardView, Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.traits import Ending, Guarantee

DECLINES: Mapping[str, DeclineReason] = {
    "no_such_card": DeclineReason.CARD_UNKNOWN,
    "card_locked": DeclineReason.CARD_BLOCKED,
    "not_enough": DeclineReason.FUNDS_INSUFFICIENT,
    "wrong_currency": DeclineReason.CURRENCY_MISMATCH,
    "no_such_redemption": DeclineReason.RECORD_NOT_FOUND,
    "already_closed": DeclineReason.STATE_UNEXPECTED,
    "malformed": DeclineReason.REQUEST_MALFORMED,
    "bad_signature": DeclineReason.CREDENTIALS_REFUSED,
}
"""Every code of the manual's table "Problems"."""

_STATES = {"open": CardState.ACTIVE, "locked": CardState.BLOCKED}
_JSON = (("content-type", "application/json"),)
_DONE, _CREATED, _UNAUTHORIZED, _NOT_FOUND = 200, 201, 401, 404
_PROBLEMS = frozenset({400, _UNAUTHORIZED, 402, _NOT_FOUND, 409})
"""The final noes of the manual; whatever else comes says nothing about the money."""


class AcmeCardsSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one AcmeCards shop is reached."""

    key_id: str
    signing_key: Secret
    """Signs what we send."""


class _Redemption(msgspec.Struct, frozen=True):
    id: str
    card: Secret
    cents: int
    currency: str


class _Settling(msgspec.Struct, frozen=True, omit_defaults=True):
    advice: str
    cents: int | None = None
    """Left out, the whole hold is settled."""


class _Hold(msgspec.Struct, frozen=True):
    id: str
    state: str
    cents: int
    currency: str
    left_cents: int


class _Card(msgspec.Struct, frozen=True):
    state: str
    cents: int
    held_cents: int
    currency: str


class _Problem(msgspec.Struct, frozen=True):
    code: str
    message: str = ""


_ENCODER = msgspec.json.Encoder(enc_hook=reveal_hook)
_HOLD = msgspec.json.Decoder(_Hold)
_CARD = msgspec.json.Decoder(_Card)
_PROBLEM = msgspec.json.Decoder(_Problem)


class AcmeCards(Provider):
    """One AcmeCards shop."""

    settings_type = AcmeCardsSettings
    facts = "The provider itself settles and releases what it holds. It is made up, and so is its manual."
    leaves_out: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            (
                *("point_of_sale", "product", "basket", "basket_reference", "card_holder", "buyer"),
                *("third_party_identifiers", "external_reference", "transaction_type", "source_account"),
                *("destination_account", "system_trace_number", "retrieval_reference"),
            ),
            "a redemption has an id, a card and an amount",
        ),
        "card.expiry": "AcmeCards knows a card by its number only",
        "card.rank": "AcmeCards knows a card by its number only",
        "lookup.card.pin": "AcmeCards has no PINs",
        "confirm_redeem.tenders": "a settling has no place for them",
        "reverse_redeem.reason": "a release needs none",
    }

    def __init__(self, settings: AcmeCardsSettings, exchange: Exchange) -> None:
        """Keep the settings under their own type."""
        super().__init__(settings, exchange)
        self._key_id = settings.key_id
        self._signing_key = settings.signing_key

    def check(self, ask: MoneyOperation) -> None:
        """Refuse what a redemption has no field for, or misses."""
        if not isinstance(ask, Redeem):
            return
        if ask.card.pin is not None or ask.points is not None:
            raise Unsupported("AcmeCards has neither PINs nor points")
        _parts(ask)

    @traits(Guarantee.NATIVE, Ending.REVERSE, is_confirmation_partial=True)
    async def redeem(self, ask: Redeem) -> Outcome:
        """Hold the amount; it is spent once settled."""
        self.check(ask)
        reply = await self.exchange.send(_redemption(ask), sign=self._sign, name="acme-cards redeem")
        if reply.status == _CREATED:
            return _approval(ask, decode(reply.body, _HOLD))
        if reply.status not in _PROBLEMS:
            return _unknown(f"the provider answered {reply.status}, which is not final")
        decline = _decline(reply, ask.card.number)
        verdict = Verdict.FAILED if reply.status == _UNAUTHORIZED else Verdict.DECLINED
        return Outcome(verdict=verdict, decline=decline)

    def confirmation(self, ask: MoneyOperation, outcome: Outcome, advice: Advice) -> tuple[Call, ...]:
        """Write the settling of the hold, or of a part of it."""
        del outcome
        cents = advice.amount.amount_minor if advice.amount else None
        return (_post(_hold_path(ask, "settle"), _Settling(advice.advice_id, cents)),)

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write the release of the hold; our own id names it, so no answer is needed to write this."""
        del outcome
        return (_post(_hold_path(ask, "release"), _Settling(advice.advice_id)),)

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Send an advice; AcmeCards knows its id for ever, so its age says nothing."""
        del age_s
        reply = await self.exchange.send(call, sign=self._sign, name=f"acme-cards {advice.kind.lower()}")
        if reply.status == _DONE:
            is_ours = f"/{decode(reply.body, _HOLD).id}/" in call.path
            evidence = "" if is_ours else "the answer is about another redemption"
            return Acknowledgement(receipt=Receipt.DONE if is_ours else Receipt.AGAIN, evidence=evidence)
        if reply.status == _UNAUTHORIZED or reply.status not in _PROBLEMS:
            return Acknowledgement(receipt=Receipt.AGAIN, evidence=f"the provider answered {reply.status}")
        is_unseen = reply.status == _NOT_FOUND
        receipt = Receipt.NO_SUCH_TRANSACTION if is_unseen else Receipt.REFUSED
        return Acknowledgement(receipt=receipt, decline=_decline(reply, None))

    async def lookup(self, ask: Lookup) -> CardView:
        """Tell a card's state and its balances."""
        if ask.card is None or ask.card.number is None:
            raise Invalid([("card", "AcmeCards knows a card by its number only")])
        number = ask.card.number
        call = _post("/v1/cards/find", {"card": number})
        reply = await self.exchange.send(call, sign=self._sign, name="acme-cards find card")
        if reply.status in _PROBLEMS:
            raise Refused(_decline(reply, number))
        if reply.status != _DONE:
            raise Unreadable(f"the provider answered {reply.status}")
        told = decode(reply.body, _CARD)
        book, held = _money(told.cents, told.currency), _money(told.held_cents, told.currency)
        return CardView(
            masked_card=number.masked_number(),
            state=_STATES.get(told.state),
            provider_state=scrub(told.state),
            balances=Balances(
                book=book, available=Money(book.currency, book.amount_minor - held.amount_minor)
            ),
        )

    def _sign(self, call: Call, moment: Moment) -> Mapping[str, str]:
        time = str(int(moment.now_s))
        signed = f"{time}\n{call.method}\n{call.path}\n".encode() + call.body
        digest = hmac.new(self._signing_key.reveal().encode(), signed, hashlib.sha256).hexdigest()
        return {"acme-key": self._key_id, "acme-time": time, "acme-signature": digest}


def _parts(ask: Redeem) -> tuple[Secret, Money]:
    """Return the card's number and the amount; raise Invalid with each that is missing."""
    number, amount = ask.card.number, ask.amount
    has_amount = amount is not None and amount.amount_minor > 0
    if number is not None and amount is not None and has_amount:
        return number, amount
    faults = [] if number is not None else [("card", "AcmeCards knows a card by its number only")]
    if not has_amount:
        faults.append(("amount", "AcmeCards needs an amount of more than zero"))
    raise Invalid(faults)


def _redemption(ask: Redeem) -> Call:
    number, amount = _parts(ask)
    content = _Redemption(ask.transaction_id, number, amount.amount_minor, amount.currency)
    return _post("/v1/redemptions", content)


def _hold_path(ask: MoneyOperation, verb: str) -> str:
    return f"/v1/redemptions/{ask.transaction_id}/{verb}"


def _post(path: str, content: object) -> Call:
    return Call(method="POST", path=path, headers=_JSON, body=_ENCODER.encode(content))


def _approval(ask: Redeem, hold: _Hold) -> Outcome:
    """Believe an approval only if it is about this redemption and this amount (rule 4)."""
    approved = _money(hold.cents, hold.currency)
    if hold.id != ask.transaction_id:
        return _unknown("the answer is about another redemption")
    if approved != ask.amount:
        return _unknown(f"{approved} was approved, asked for was {ask.amount}")
    left = Balances(available=_money(hold.left_cents, hold.currency))
    return Outcome(verdict=Verdict.APPROVED, approved=approved, balances=(left,))


def _unknown(evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)


def _decline(reply: Reply, number: Secret | None) -> Decline:
    told = decode(reply.body, _PROBLEM)
    return Decline(
        reason=DECLINES.get(told.code, DeclineReason.PROVIDER_REFUSED),
        provider_code=scrub(told.code, number),
        provider_text=scrub(told.message, number),
    )


def _money(cents: int, currency: str) -> Money:
    try:
        exponent_of(currency)
    except MoneyError:
        raise Unreadable("the answer is in no currency we know") from None
    return Money(currency, cents)
