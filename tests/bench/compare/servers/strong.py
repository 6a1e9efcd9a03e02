"""A fast proxy without a promise: aiohttp and orjson on uvloop. What it has asked is nowhere written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import grpc
import orjson
from grpc.aio import ServicerContext

from giftcard import v1
from giftcard.v1.gift_card_service_pb2_grpc import GiftCardServiceServicer
from tests.bench.compare.servers.mapping import (
    HEADERS,
    Json,
    balance,
    card_view,
    look_up,
    redeemed,
    redemption,
)


class Strong(GiftCardServiceServicer):
    """Asks the provider and tells what it said."""

    def __init__(self, session: aiohttp.ClientSession, provider: str) -> None:
        """Take what reaches the provider, and its address."""
        self._session = session
        self._provider = provider

    @classmethod
    @asynccontextmanager
    async def opened(cls, provider: str) -> AsyncIterator[Strong]:
        """Give one whose connections are closed afterwards."""
        connector = aiohttp.TCPConnector(limit=0)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, headers=HEADERS, cookie_jar=jar) as session:
            yield cls(session, provider)

    async def Redeem(
        self, request: v1.RedeemRequest, context: ServicerContext[v1.RedeemRequest, v1.RedeemResponse]
    ) -> v1.RedeemResponse:
        """Redeem at the provider."""
        path = f"redemptions/{request.transaction_id}"
        return redeemed(request, await self._asked(path, redemption(request), context))

    async def Balance(
        self, request: v1.BalanceRequest, context: ServicerContext[v1.BalanceRequest, v1.BalanceResponse]
    ) -> v1.BalanceResponse:
        """Look the card up for its balances."""
        body = look_up(request.card)
        return balance(request.card, await self._asked(f"lookupGiftcard/{body['id']}", body, context))

    async def Lookup(
        self, request: v1.LookupRequest, context: ServicerContext[v1.LookupRequest, v1.LookupResponse]
    ) -> v1.LookupResponse:
        """Look the card up."""
        body = look_up(request.card)
        return card_view(request.card, await self._asked(f"lookupGiftcard/{body['id']}", body, context))

    async def _asked(self, path: str, body: Json, context: ServicerContext[Any, Any]) -> Json:
        async with self._session.post(f"{self._provider}/{path}", data=orjson.dumps(body)) as answer:
            if answer.status not in {200, 201}:
                await context.abort(grpc.StatusCode.UNAVAILABLE, f"the provider answered {answer.status}")
            told: Json = orjson.loads(await answer.read())
            return told
