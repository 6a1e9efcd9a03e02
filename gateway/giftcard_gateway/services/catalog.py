"""CatalogService: templates and offers, asked of the provider each time; the gateway keeps no list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from giftcard import v1
from giftcard_gateway.services.pages import fingerprint, page_of
from giftcard_gateway.services.reads import ask, reached
from giftcard_gateway.wire.reports import offer_to, template_to

if TYPE_CHECKING:
    from giftcard_adapters.contract import Provider
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.rpc.handlers import Implementation
    from giftcard_gateway.services.dependencies import Dependencies

_Item = TypeVar("_Item")


class Catalog:
    """Lists templates and offers, and has a provider synchronize its offers."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._connections = dependencies.connections

    def calls(self) -> dict[str, Implementation]:
        """Return the implementations by the name of the RPC."""
        return {"ListTemplates": self.templates, "ListOffers": self.offers, "SyncOffers": self.sync}

    async def templates(self, request: v1.ListTemplatesRequest, call: RpcCall) -> v1.ListTemplatesResponse:
        """List a page of a provider's templates."""
        page, token = await self._page(
            request, call, "list_templates", lambda provider: provider.list_templates()
        )
        return v1.ListTemplatesResponse(templates=list(map(template_to, page)), next_page_token=token)

    async def offers(self, request: v1.ListOffersRequest, call: RpcCall) -> v1.ListOffersResponse:
        """List a page of a provider's offers."""
        page, token = await self._page(request, call, "list_offers", lambda provider: provider.list_offers())
        return v1.ListOffersResponse(offers=list(map(offer_to, page)), next_page_token=token)

    async def sync(self, request: v1.SyncOffersRequest, call: RpcCall) -> v1.SyncOffersResponse:
        """Have the provider synchronize its offers; none are sent, for the gateway has none of its own."""
        connection = reached(self._connections, request.provider, call)
        done = await ask(
            connection, "sync_offers", lambda provider: provider.sync_offers(()), has_effect=True
        )
        return v1.SyncOffersResponse(
            offers=list(map(offer_to, done.offers)),
            created_count=done.created,
            updated_count=done.updated,
            removed_count=done.removed,
        )

    async def _page(
        self,
        request: v1.ListTemplatesRequest | v1.ListOffersRequest,
        call: RpcCall,
        method: str,
        work: Callable[[Provider], Awaitable[Sequence[_Item]]],
    ) -> tuple[Sequence[_Item], str]:
        items = await ask(reached(self._connections, request.provider, call), method, work)
        asked = fingerprint(method.encode(), request.provider.encode())
        return page_of(items, page_size=request.page_size, token=request.page_token, asked=asked)
