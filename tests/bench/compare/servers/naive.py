"""The first thing that works: grpc.aio and httpx.AsyncClient, nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from grpc.aio import ServicerContext

from giftcard import v1
from giftcard.v1.gift_card_service_pb2_grpc import GiftCardServiceServicer
from tests.bench.compare.servers.mapping import HEADERS, redeemed, redemption

CONNECTIONS = 256
TIMEOUT_S = 30.0


@asynccontextmanager
async def client(provider: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that keeps enough connections to its provider."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=provider, headers=HEADERS, limits=limits, timeout=TIMEOUT_S
    ) as opened:
        yield opened


class Naive(GiftCardServiceServicer):
    """Asks the provider and tells what it said."""

    def __init__(self, provider: httpx.AsyncClient) -> None:
        """Take what reaches the provider."""
        self._provider = provider

    @classmethod
    @asynccontextmanager
    async def opened(cls, provider: str) -> AsyncIterator[Naive]:
        """Give one whose connections are closed afterwards."""
        async with client(provider) as connected:
            yield cls(connected)

    async def Redeem(
        self, request: v1.RedeemRequest, context: ServicerContext[v1.RedeemRequest, v1.RedeemResponse]
    ) -> v1.RedeemResponse:
        """Redeem at the provider."""
        answer = await self._provider.post(f"redemptions/{request.transaction_id}", json=redemption(request))
        answer.raise_for_status()
        return redeemed(request, answer.json())
