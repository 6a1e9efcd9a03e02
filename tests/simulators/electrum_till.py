"""A till that talks to the Electrum simulator: complete messages, made from as little as a test says."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec

from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.sandbox import SimAnswer, SimRequest, Simulator, seeded_ids

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CREDENTIALS = base64.b64encode(b"70000001:sandbox-electrum-password").decode()
SEGMENTS = {
    "activate": "activations",
    "load": "loads",
    "redeem": "redemptions",
    "transfer": "transfers",
    "replace": "replaces",
    "void": "voids",
}
ROLES = {"transfer": ("sourceCard", "targetCard"), "replace": ("oldCard", "newCard")}

INACTIVE, INACTIVE_19 = "6045000000000012", "6045000000000000017"
INACTIVE_WITH_PIN, INACTIVE_EXPIRED = "6045000000000046", "6045000000000053"
FUNDED, FUNDED_WITH_PIN = "6045000000000061", "6045000000000079"
LOW, EMPTY, EXPIRED, VOIDED = "6045000000000087", "6045000000000095", "6045000000000103", "6045000000000129"

Body = dict[str, Any]


class Reply:
    """An answer, its JSON read."""

    def __init__(self, answer: SimAnswer) -> None:
        """Read the body, which may be empty."""
        self.status = answer.status
        self.headers = answer.headers
        self.body: Body = msgspec.json.decode(answer.body) if answer.body else {}

    @property
    def error(self) -> str:
        """The error type, or an empty text."""
        return str(self.body.get("errorType", ""))

    def balances(self) -> tuple[int, int]:
        """The book and available balances."""
        amounts = self.body["amounts"]
        return amounts["balanceAmount"]["amount"], amounts["availableBalance"]["amount"]


class Till:
    """Sends messages to one simulator, with ids from a seed."""

    def __init__(self, simulator: Simulator | None = None) -> None:
        """Use a fresh simulator unless one is given."""
        self.simulator = simulator or ElectrumSimulator(now=lambda: NOW, ids=seeded_ids(1))
        self.fresh_id = seeded_ids(2)

    def post(self, path: str, body: Body | bytes, *, credentials: str = CREDENTIALS) -> Reply:
        """Post a body below the base path."""
        return Reply(self.simulator.answer(request(path, body, credentials=credentials)))

    def ask(self, operation: str, *cards: str | Body, amount: int | None = None, **fields: object) -> Reply:
        """Send one financial request; `id` among the fields sets its id."""
        body = self.message(operation, *cards, amount=amount, **fields)
        return self.post(f"/{SEGMENTS[operation]}/{body['id']}", body)

    def message(
        self, operation: str, *cards: str | Body, amount: int | None = None, **fields: object
    ) -> Body:
        """Return a complete financial request."""
        shown = [card if isinstance(card, dict) else {"pan": card} for card in cards]
        body = transaction(self.fresh_id()) | dict(zip(ROLES.get(operation, ("card",)), shown, strict=True))
        if operation == "activate":
            body["product"] = {"id": "product001"}
        if amount is not None:
            body["amounts"] = {"requestAmount": {"amount": amount, "currency": "710"}}
        return body | fields

    def confirm(self, operation: str, request_id: str, **fields: object) -> Reply:
        """Send one confirmation."""
        return self._advise(operation, request_id, "confirmations", fields)

    def reverse(self, operation: str, request_id: str, **fields: object) -> Reply:
        """Send one reversal."""
        return self._advise(operation, request_id, "reversals", {"reversalReason": "TIMEOUT", **fields})

    def _advise(self, operation: str, request_id: str, phase: str, fields: Body) -> Reply:
        body = advice(self.fresh_id(), request_id) | fields
        return self.post(f"/{SEGMENTS[operation]}/{request_id}/{phase}/{body['id']}", body)

    def look_up(self, pan: str, **fields: object) -> Reply:
        """Look a card up."""
        body = transaction(self.fresh_id()) | {"card": {"pan": pan}} | fields
        return self.post(f"/lookupGiftcard/{body['id']}", body)

    def balances(self, pan: str) -> tuple[int, int]:
        """Return a card's book and available balances."""
        return self.look_up(pan).balances()

    def state(self, pan: str) -> str:
        """Return a card's state, from the sandbox's books."""
        return next(str(card["state"]) for card in self.simulator.cards() if card["number"] == pan)

    def kinds(self) -> list[object]:
        """Return the kinds of all effects, in order."""
        return [effect["kind"] for effect in self.simulator.effects()]


def request(path: str, body: Body | bytes, *, credentials: str = CREDENTIALS) -> SimRequest:
    """Return a POST below the base path."""
    return SimRequest(
        method="POST",
        path=f"/giftcard/v3{path}",
        headers={"authorization": f"Basic {credentials}", "content-type": "application/json"},
        body=body if isinstance(body, bytes) else msgspec.json.encode(body),
    )


def transaction(message_id: str) -> Body:
    """Return what every request carries."""
    return {
        "id": message_id,
        "time": "2026-11-21T12:00:00.000Z",
        "originator": {
            "institution": {"id": "70000001", "name": "Our Shops"},
            "terminalId": "TILL0001",
            "merchant": {
                "merchantType": "5411",
                "merchantId": "MERCHANT0000001",
                "merchantName": {"name": "Corner Shop", "city": "Cape Town", "region": "WC", "country": "ZA"},
            },
        },
        "client": {"id": "70000001", "name": "Our Shops"},
        "thirdPartyIdentifiers": [{"institutionId": "70000001", "transactionIdentifier": "slip-17"}],
    }


def advice(message_id: str, request_id: str) -> Body:
    """Return what every advice carries."""
    return {
        "id": message_id,
        "requestId": request_id,
        "time": "2026-11-21T12:00:01.000Z",
        "thirdPartyIdentifiers": [{"institutionId": "70000001", "transactionIdentifier": "slip-17"}],
    }


def final(amount: int, currency: str = "710") -> Body:
    """Return the amounts of an advice with this final amount."""
    return {"approvedAmount": {"amount": amount, "currency": currency}}
