"""The least a gRPC server in Python can do: an answer made beforehand, whatever is asked."""

from __future__ import annotations

from datetime import UTC, datetime

from google.type.money_pb2 import Money
from grpc.aio import ServicerContext

from giftcard import v1
from giftcard.v1.gift_card_service_pb2_grpc import GiftCardServiceServicer
from tests.bench.compare.servers.mapping import redeemed

AMOUNT = {"amount": 10000, "currency": "710"}
SAMPLE = {
    "id": "00000000-0000-4000-8000-000000000000",
    "time": datetime.now(UTC).isoformat(),
    "rrn": "261125000001",
    "amounts": dict.fromkeys(("approvedAmount", "balanceAmount", "availableBalance"), AMOUNT),
}


class Noop(GiftCardServiceServicer):
    """Approves everything at once, under one id."""

    def __init__(self) -> None:
        """Make the answer."""
        card = v1.Card(number=v1.CardNumber(pan="6045000000000061"))
        request = v1.RedeemRequest(card=card, amount=Money(currency_code="ZAR", units=100))
        self._answer = redeemed(request, SAMPLE)

    async def Redeem(
        self, request: v1.RedeemRequest, context: ServicerContext[v1.RedeemRequest, v1.RedeemResponse]
    ) -> v1.RedeemResponse:
        """Approve."""
        return self._answer
