"""Gr4vy's API as one object: checks tokens, recognises repeated keys, answers.

An Idempotency-Key is remembered for 24 hours with the first executed answer, whatever it was;
validation errors are not remembered. Keys of activations and issuances go to the gift card service,
and this one ignores them, because Gr4vy promises no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import msgspec

from giftcard_simulators.bank import Bank
from giftcard_simulators.gr4vy import books
from giftcard_simulators.gr4vy.acts import ACTS
from giftcard_simulators.gr4vy.endpoints import ROUTES, Endpoints
from giftcard_simulators.gr4vy.payments import Payments
from giftcard_simulators.gr4vy.problems import Problem, Unprocessable
from giftcard_simulators.gr4vy.service import CardService
from giftcard_simulators.gr4vy.tokens import TokenGate
from giftcard_simulators.gr4vy.vault import Vault
from giftcard_simulators.sandbox import IdSource, Plain, SimAnswer, SimRequest, Simulator, TimeSource

_KEY_LIFE = timedelta(hours=24)
_LONGEST_KEY = 255
_TAMPERED = ("amount", "balance")
_UNPROCESSABLE = 422


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    answer: SimAnswer


class Gr4vySimulator(Simulator):
    """Gr4vy's gift card endpoints; see `books` for the key and the demo cards."""

    name = "gr4vy"
    acts = ACTS

    def __init__(self, *, now: TimeSource, ids: IdSource, settles_after_s: float = 0.0) -> None:
        """Open the books; `settles_after_s` makes transactions and refunds show their outcome late."""
        super().__init__(now=now, ids=ids)
        self._settles_after = timedelta(seconds=settles_after_s)
        self._gate = TokenGate(books.private_key_pem(), now)
        self.reset()

    def reset(self) -> None:
        """Forget transactions, vault and keys, and restore the demo cards."""
        self.bank = Bank(books.demo_cards(), now=self.now)
        service = CardService(self.bank, self.now)
        vault = Vault(service, self.now, self.ids)
        payments = Payments(service, vault, now=self.now, ids=self.ids, settles_after=self._settles_after)
        self._endpoints = Endpoints(service, vault, payments, now=self.now, ids=self.ids)
        self._kept: dict[tuple[str, str], _Kept] = {}

    def cards(self) -> Sequence[Plain]:
        """Return every card, including those that a request brought up first."""
        return self.bank.cards()

    def effects(self) -> Sequence[Plain]:
        """Return every effect in order."""
        return self.bank.effects()

    def tamper(self, answer: SimAnswer) -> SimAnswer:
        """Return the answer with one minor unit more wherever its outermost level says an amount."""
        try:
            body = msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            return answer
        items = body.get("items", [body]) if isinstance(body, dict) else []
        for item in items:
            for name in _TAMPERED:
                if isinstance(item.get(name), int):
                    item[name] += 1
        return msgspec.structs.replace(answer, body=msgspec.json.encode(body))

    def failure(self, status: int, request: SimRequest) -> SimAnswer:
        """Return Gr4vy's body for an error status; a 409 is a concurrent request, a 422 FastAPI's list."""
        del request
        if status == _UNPROCESSABLE:
            return Unprocessable(("body",), "value_error").answer()
        return Problem(status).answer()

    def answer(self, request: SimRequest) -> SimAnswer:
        """Execute one request and answer it."""
        try:
            return self._route(request)
        except (Problem, Unprocessable) as why:
            return why.answer()

    def _route(self, request: SimRequest) -> SimAnswer:
        is_known = False
        for method, pattern, scopes, handler in ROUTES:
            found = re.fullmatch(pattern, request.path)
            is_known |= found is not None
            if found is not None and method == request.method:
                self._admit(request, scopes)
                ids = [_uuid(each) for each in found.groups()]
                return self._once(request, partial(handler, self._endpoints, request, ids))
        raise Problem(405 if is_known else 404)

    def _admit(self, request: SimRequest, scopes: Iterable[str]) -> None:
        self._gate.admit(request.headers.get("authorization", ""), scopes)
        account = request.headers.get("x-gr4vy-merchant-account-id", books.MERCHANT_ACCOUNT_ID)
        if account != books.MERCHANT_ACCOUNT_ID:
            raise Problem(403)

    def _once(self, request: SimRequest, act: Callable[[], SimAnswer]) -> SimAnswer:
        """Execute the request, unless its key was used before; then return the first answer."""
        key = request.headers.get("idempotency-key")
        if key is None or not request.path.startswith("/transactions"):
            return act()
        if not 0 < len(key) <= _LONGEST_KEY:
            raise Problem(400, message="The idempotency key is too long")
        kept = self._kept.get((request.path, key))
        if kept is not None and self.now() - kept.at < _KEY_LIFE:
            return kept.answer
        answer = act()
        self._kept[request.path, key] = _Kept(at=self.now(), answer=answer)
        return answer


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise Unprocessable(("path", "id"), "uuid_parsing") from None
