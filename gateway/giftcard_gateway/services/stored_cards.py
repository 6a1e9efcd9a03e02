"""StoredCardService: a provider's card vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.services.reads import ask, vault
from giftcard_gateway.wire.cards import store_from, stored_page_to, stored_query_from, stored_to
from giftcard_gateway.wire.own_secrets import mask_echoes

if TYPE_CHECKING:
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.rpc.handlers import Implementation
    from giftcard_gateway.services.dependencies import Dependencies


class StoredCards:
    """Stores, gets, lists and deletes cards in a provider's vault."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._connections = dependencies.connections
        self._router = dependencies.router

    def calls(self) -> dict[str, Implementation]:
        """Return the implementations by the name of the RPC."""
        return {
            "StoreCard": self.store,
            "GetStoredCard": self.get,
            "ListStoredCards": self.list,
            "DeleteStoredCard": self.delete,
        }

    async def store(self, request: v1.StoreCardRequest, call: RpcCall) -> v1.StoreCardResponse:
        """Put a card into the vault."""
        wanted = store_from(request)
        route = self._router.route_card(wanted.card, request.provider)
        connection = vault(self._connections, route.provider, call)
        cards = [wanted.card]
        card = await ask(
            connection,
            "store_card",
            lambda provider: provider.store_card(wanted),
            cards=cards,
            has_effect=True,
        )
        told = stored_to(card, provider=connection.provider_id)
        mask_echoes(told, cards)
        return v1.StoreCardResponse(stored_card=told)

    async def get(self, request: v1.GetStoredCardRequest, call: RpcCall) -> v1.GetStoredCardResponse:
        """Return one stored card."""
        connection = vault(self._connections, request.provider, call)
        card = await ask(
            connection,
            "get_stored_card",
            lambda provider: provider.get_stored_card(request.stored_card_id),
        )
        return v1.GetStoredCardResponse(stored_card=stored_to(card, provider=connection.provider_id))

    async def list(self, request: v1.ListStoredCardsRequest, call: RpcCall) -> v1.ListStoredCardsResponse:
        """List a page of stored cards."""
        connection = vault(self._connections, request.provider, call)
        query = stored_query_from(request)
        page = await ask(connection, "list_stored_cards", lambda provider: provider.list_stored_cards(query))
        return stored_page_to(page, provider=connection.provider_id)

    async def delete(self, request: v1.DeleteStoredCardRequest, call: RpcCall) -> v1.DeleteStoredCardResponse:
        """Take a card out of the vault."""
        connection = vault(self._connections, request.provider, call)
        await ask(
            connection,
            "delete_stored_card",
            lambda provider: provider.delete_stored_card(request.stored_card_id),
            has_effect=True,
        )
        return v1.DeleteStoredCardResponse()
