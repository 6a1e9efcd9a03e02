"""A merchant that talks to the Gr4vy simulator, with tokens of its own and a clock that jumps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from giftcard_simulators.gr4vy import sandbox_settings
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.sandbox import SimAnswer, SimRequest, seeded_ids

Body = dict[str, Any]

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PEM = str(sandbox_settings()["private_key"])
ALL_SCOPES = ("gift-cards.read", "gift-cards.write", "transactions.read", "transactions.write")
FUNDED = {"number": "6045100000000001", "pin": "050000"}
OTHER = {"number": "6045100000000002", "pin": "050000"}
LOW = {"number": "6045100000000003", "pin": "00100"}
EMPTY = {"number": "6045100000000004", "pin": "00000"}
EXPIRED = {"number": "6045100000000005", "pin": "050000"}
INACTIVE = {"number": "6045100000000006", "pin": "01234"}
BUYER = {"buyer_external_identifier": "user-12"}


class Caller:
    """Asks a simulator as a merchant would, with a clock that jumps."""

    def __init__(self, *, settles_after_s: float = 0.0) -> None:
        """Open the simulator at START."""
        self.now = START
        self.simulator = Gr4vySimulator(
            now=lambda: self.now, ids=seeded_ids(1), settles_after_s=settles_after_s
        )
        self.authorization = f"Bearer {self.token()}"

    def token(self, *, key: str = PEM, scopes: tuple[str, ...] = ALL_SCOPES, **claims: Any) -> str:  # noqa: ANN401 - claims are JSON
        """Make a token; claims given as None are left out."""
        at = int(self.now.timestamp())
        said = {"iss": "till", "iat": at, "nbf": at, "exp": at + 10**7, "jti": "1", "scopes": list(scopes)}
        said = {name: value for name, value in {**said, **claims}.items() if value is not None}
        signing = ECKey.import_key(key)
        header = {"alg": "ES512", "kid": signing.thumbprint()}
        return jwt.encode(header, said, signing, algorithms=["ES512"])

    def send(self, method: str, path: str, body: object = None, **headers: str) -> SimAnswer:
        """Send one request; header names have underscores for dashes."""
        path, _, query = path.partition("?")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = SimRequest(
            method=method,
            path=path,
            query=query,
            headers={"authorization": self.authorization, **named},
            body=b"" if body is None else json.dumps(body).encode(),
        )
        return self.simulator.answer(request)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send one request and read the answer."""
        answer = self.send(method, path, body, **headers)
        return answer.status, json.loads(answer.body) if answer.body else None

    def pay(self, *cards: Mapping[str, object], amount: int = 1_000, **headers: str) -> Body:
        """Redeem `amount` from each card in one transaction."""
        body = {
            "amount": amount * len(cards),
            "currency": "USD",
            "intent": "capture",
            "gift_cards": [{**card, "amount": amount} for card in cards],
        }
        status, answer = self.ask("POST", "/transactions", body, **headers)
        assert status == 201, answer
        return dict(answer)

    def refund(self, paid: Body, **body: Any) -> tuple[int, Any]:  # noqa: ANN401 - the body is JSON
        """Refund the transaction's first redemption."""
        asked = {
            "target_type": "gift-card-redemption",
            "target_id": paid["gift_card_redemptions"][0]["id"],
            **body,
        }
        return self.ask("POST", f"/transactions/{paid['id']}/refunds", asked)

    def balance(self, card: Mapping[str, object]) -> int:
        """Tell what is on a card in the books."""
        found = self.simulator.bank.find(str(card["number"]))
        assert found is not None
        return found.available_minor
