"""Lookup and Balance: one card, asked of its provider each time. Many balances are in `balances`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_adapters.values.declines import Decline
from giftcard_gateway.access.guesses import is_wrong_guess
from giftcard_gateway.providers.routing import RoutingFacts
from giftcard_gateway.services.reads import BALANCE, ask, reached, refusal_of
from giftcard_gateway.wire.cards import balance_from, card_balance_to, card_from, lookup_from, view_to

if TYPE_CHECKING:
    from giftcard_adapters.values.cards import CardRef
    from giftcard_adapters.values.reads import CardView, Lookup
    from giftcard_gateway.providers.connections import Connection
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.services.dependencies import Dependencies


class CardReads:
    """Reads one card."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._connections = dependencies.connections
        self._router = dependencies.router
        self._clock = dependencies.clock
        self._guesses = dependencies.guesses

    async def lookup(self, request: v1.LookupRequest, call: RpcCall) -> v1.LookupResponse:
        """Return everything the provider tells about a card."""
        asked = lookup_from(request, lookup_id=self._clock.uuid4(), asked_at=self._clock.now())
        if asked.card is not None:
            provider_id = self._router.route_card(asked.card, request.provider).provider
        else:
            provider_id = request.provider or self._router.choose(RoutingFacts()).provider
        cards = [asked.card] if asked.card is not None else []
        connection = reached(self._connections, provider_id, call, cards)
        call.identity.demand_merchant(asked.point_of_sale)
        async with self._guess(connection, cards, call, "lookup"):
            view = await ask(connection, "lookup", lambda provider: provider.lookup(asked), cards=cards)
        return v1.LookupResponse(card=view_to(view, provider=connection.provider_id, asked=asked.card))

    async def balance(self, request: v1.BalanceRequest, call: RpcCall) -> v1.BalanceResponse:
        """Return the balances of one card."""
        card = card_from(request.card)
        route = self._router.route_card(card, request.provider)
        connection = reached(self._connections, route.provider, call, [card])
        asked = balance_from(request, lookup_id=self._clock.uuid4(), asked_at=self._clock.now())
        call.identity.demand_merchant(asked.point_of_sale)
        async with self._guess(connection, [card], call, BALANCE):
            view = await self._one(connection, card, asked)
        balance = card_balance_to(view, provider=connection.provider_id, read_at=self._clock.now())
        return v1.BalanceResponse(card_balance=balance)

    @asynccontextmanager
    async def _guess(
        self, connection: Connection, cards: Sequence[CardRef], call: RpcCall, purpose: str
    ) -> AsyncIterator[None]:
        """Surround one question: it costs a token if the card is not there. Who leaves has learnt nothing."""
        question = call.question(connection.provider_id, purpose)
        guess = await self._guesses.ask(question, cards, wait_s=call.wait_s())
        try:
            yield
        except BaseException as fault:
            guess.end(is_back=not is_wrong_guess(fault))
            raise
        guess.right()

    async def _one(self, connection: Connection, card: CardRef, asked: Lookup) -> CardView:
        (told,) = await ask(
            connection, BALANCE, lambda provider: provider.balances([card], asked), cards=[card]
        )
        if isinstance(told, Decline):
            raise refusal_of(told, [card])
        return told
