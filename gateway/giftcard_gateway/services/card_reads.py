"""Lookup and Balance: one card, asked of its provider each time. Many balances are in `balances`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_adapters.values.declines import Decline
from giftcard_gateway.access.lookup_throttle import LookupThrottle
from giftcard_gateway.errors import GatewayError
from giftcard_gateway.providers.routing import RoutingFacts
from giftcard_gateway.services.reads import ask, reached, refusal_of
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
        self.throttle = LookupThrottle(dependencies.clock)

    async def lookup(self, request: v1.LookupRequest, call: RpcCall) -> v1.LookupResponse:
        """Return everything the provider tells about a card."""
        asked = lookup_from(request, lookup_id=self._clock.uuid4(), asked_at=self._clock.now())
        if asked.card is not None:
            provider_id = self._router.route_card(asked.card, request.provider).provider
        else:
            provider_id = request.provider or self._router.choose(RoutingFacts()).provider
        connection = reached(self._connections, provider_id, call)
        call.identity.demand_merchant(asked.point_of_sale)
        self.throttle.admit(call.caller)
        try:
            view = await ask(connection, "lookup", lambda provider: provider.lookup(asked))
        except GatewayError as refusal:
            self.throttle.note(call.caller, refusal)
            raise
        return v1.LookupResponse(card=view_to(view, provider=connection.provider_id, asked=asked.card))

    async def balance(self, request: v1.BalanceRequest, call: RpcCall) -> v1.BalanceResponse:
        """Return the balances of one card."""
        card = card_from(request.card)
        route = self._router.route_card(card, request.provider)
        connection = reached(self._connections, route.provider, call)
        self.throttle.admit(call.caller)
        asked = balance_from(request, lookup_id=self._clock.uuid4(), asked_at=self._clock.now())
        call.identity.demand_merchant(asked.point_of_sale)
        try:
            view = await self._one(connection, card, asked)
        except GatewayError as refusal:
            self.throttle.note(call.caller, refusal)
            raise
        balance = card_balance_to(view, provider=connection.provider_id, read_at=self._clock.now())
        return v1.BalanceResponse(card_balance=balance)

    async def _one(self, connection: Connection, card: CardRef, asked: Lookup) -> CardView:
        (told,) = await ask(connection, "balances", lambda provider: provider.balances([card], asked))
        if isinstance(told, Decline):
            raise refusal_of(told)
        return told
