"""AcmeCards played by us, from its manual in README.md and never from the adapter."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from giftcard_simulators.bank import BalanceChange, Bank, BankCard
from giftcard_simulators.sandbox import (
    IdSource,
    Plain,
    SimAnswer,
    SimRequest,
    Simulator,
    TimeSource,
    json_answer,
)

KEY_ID, SIGNING_KEY = "sandbox-shop", "sandbox-signing-key-of-nobody"
FUNDED, POOR, LOCKED = "9870000000000001", "9870000000000002", "9870000000000003"
_DRIFT_S = 300.0
_HOLD_PATH = re.compile(r"/v1/redemptions/([0-9a-f-]{36})/(settle|release)")

T = TypeVar("T")


def sandbox_settings() -> Mapping[str, object]:
    """Return what the adapter needs besides the base URL."""
    return {"key_id": KEY_ID, "signing_key": SIGNING_KEY}


def demo_cards() -> Sequence[BankCard]:
    """Return the documented cards as they are at the beginning."""
    return [
        BankCard(number=number, currency="EUR", state=state, book_minor=cents, available_minor=cents)
        for number, state, cents in (
            (FUNDED, "open", 100_000),
            (POOR, "open", 100),
            (LOCKED, "locked", 100_000),
        )
    ]


class _Redemption(msgspec.Struct):
    id: str
    card: str
    cents: int
    currency: str
    state: str = "held"


class _Settling(msgspec.Struct):
    advice: str
    cents: int | None = None


class _Search(msgspec.Struct):
    card: str


class _ProblemError(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class AcmeCardsSimulator(Simulator):
    """Three endpoints; a hold is settled or released once, and a release that comes first wins."""

    name = "acme-cards"

    def __init__(self, *, now: TimeSource, ids: IdSource) -> None:
        """Open the books."""
        super().__init__(now=now, ids=ids)
        self.reset()

    def reset(self) -> None:
        """Forget every hold, and open the books again."""
        self._bank = Bank(demo_cards(), now=self.now)
        self._holds: dict[str, _Redemption] = {}
        self._closed: set[str] = set()

    def cards(self) -> Sequence[Plain]:
        """Return every card with its balances in cents."""
        return self._bank.cards()

    def effects(self) -> Sequence[Plain]:
        """Return each money effect once, in order."""
        return self._bank.effects()

    def tamper(self, answer: SimAnswer) -> SimAnswer:
        """Return the answer with one more cent in its amount, if it names one."""
        content = msgspec.json.decode(answer.body)
        if "cents" in content:
            content["cents"] += 1
        return msgspec.structs.replace(answer, body=msgspec.json.encode(content))

    def answer(self, request: SimRequest) -> SimAnswer:
        """Execute one request: the signature, then the path, then the message."""
        try:
            self._verify(request)
            return self._act(request)
        except _ProblemError as problem:
            return json_answer(problem.status, {"code": problem.code, "message": "made up by the sandbox"})

    def _verify(self, request: SimRequest) -> None:
        time, given = request.headers.get("acme-time", ""), request.headers.get("acme-signature", "")
        signed = f"{time}\n{request.method}\n{request.path}\n".encode() + request.body
        expected = hmac.new(SIGNING_KEY.encode(), signed, hashlib.sha256).hexdigest()
        is_ours = request.headers.get("acme-key") == KEY_ID and hmac.compare_digest(expected, given)
        if not is_ours or abs(self.now().timestamp() - float(time)) > _DRIFT_S:
            raise _ProblemError(401, "bad_signature")

    def _act(self, request: SimRequest) -> SimAnswer:
        if (request.method, request.path) == ("POST", "/v1/redemptions"):
            return self._told(201, self._hold(_read(request, _Redemption)))
        if (request.method, request.path) == ("POST", "/v1/cards/find"):
            return self._find(_read(request, _Search))
        if named := _HOLD_PATH.fullmatch(request.path):
            return self._told(200, self._end(named[1], named[2], _read(request, _Settling)))
        raise _ProblemError(404, "no_such_path")

    def _hold(self, asked: _Redemption) -> _Redemption:
        if asked.id in self._closed or asked.id in self._holds:
            raise _ProblemError(409, "already_closed")
        card = self._card(asked.card)
        if card.state == "locked":
            raise _ProblemError(402, "card_locked")
        if card.currency != asked.currency:
            raise _ProblemError(402, "wrong_currency")
        if not 0 < asked.cents <= card.available_minor:
            raise _ProblemError(402, "not_enough")
        self._post(
            "redeem", asked, asked.cents, BalanceChange(card=card.number, available_minor=-asked.cents)
        )
        self._holds[asked.id] = msgspec.structs.replace(asked, state="held")
        return self._holds[asked.id]

    def _end(self, hold_id: str, verb: str, asked: _Settling) -> _Redemption:
        hold = self._holds.get(hold_id)
        if hold is None:
            if verb == "release":
                self._closed.add(hold_id)
            raise _ProblemError(404, "no_such_redemption")
        ended = {"settle": "settled", "release": "released"}[verb]
        if hold.state not in {"held", ended}:
            raise _ProblemError(409, "already_closed")
        if hold.state == "held":
            self._close(hold, ended, asked)
        return hold

    def _close(self, hold: _Redemption, ended: str, asked: _Settling) -> None:
        spent = 0 if ended == "released" else hold.cents if asked.cents is None else asked.cents
        if not 0 <= spent <= hold.cents:
            raise _ProblemError(400, "malformed")
        change = BalanceChange(card=hold.card, book_minor=-spent, available_minor=hold.cents - spent)
        self._post("confirm" if ended == "settled" else "reverse", hold, spent or hold.cents, change)
        hold.state = ended

    def _post(self, kind: str, hold: _Redemption, cents: int, change: BalanceChange) -> None:
        self._bank.post(kind, hold.id, changes=[change], amount_minor=cents, currency=hold.currency)

    def _find(self, asked: _Search) -> SimAnswer:
        card = self._card(asked.card)
        held = card.book_minor - card.available_minor
        told = {
            "state": card.state,
            "cents": card.book_minor,
            "held_cents": held,
            "currency": card.currency,
        }
        return json_answer(200, told)

    def _card(self, number: str) -> BankCard:
        card = self._bank.find(number)
        if card is None:
            raise _ProblemError(404, "no_such_card")
        return card

    def _told(self, status: int, hold: _Redemption) -> SimAnswer:
        left = self._card(hold.card).available_minor
        told = {
            "id": hold.id,
            "state": hold.state,
            "cents": hold.cents,
            "currency": hold.currency,
            "left_cents": left,
        }
        return json_answer(status, told)


def _read(request: SimRequest, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(request.body, type=kind)
    except msgspec.DecodeError:
        raise _ProblemError(400, "malformed") from None
