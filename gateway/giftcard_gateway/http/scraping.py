"""`GET /metrics` for Prometheus, on a listener of its own.

Who may ask is the network's to decide: nothing here names a card or a caller.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from giftcard_gateway.http.listener import HttpListener

if TYPE_CHECKING:
    from giftcard_gateway.telemetry.scraping import Scraped


class ScrapeEdge:
    """Answers scrapes of one process."""

    def __init__(self, scraped: Scraped) -> None:
        """Answer with these metrics, once started."""
        self._scraped = scraped
        self._listener = HttpListener("telemetry.prometheus", scraped.listen, None)

    @property
    def port(self) -> int:
        """Return the port listened on, 0 while none is."""
        return self._listener.port

    async def start(self) -> None:
        """Listen; raises PortTaken."""
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        await self._listener.start(application)

    async def stop(self) -> None:
        """Stop listening."""
        await self._listener.stop()

    async def _answer(self, request: web.Request) -> web.Response:
        body, content_type = await asyncio.to_thread(self._scraped.page, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})
