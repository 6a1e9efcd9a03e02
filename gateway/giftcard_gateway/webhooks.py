"""The HTTP edge for providers' events: `POST /webhooks/{provider}`.

An event is answered 2xx only once it is durable. Whatever is wrong with a request it gets a bare
status: who sends unsigned bodies learns nothing here.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from giftcard_adapters.contract import has
from giftcard_adapters.errors import WebhookRejected
from giftcard_adapters.reads import Webhook
from giftcard_gateway.errors import ProviderNotFound
from giftcard_gateway.journal.journal import JournalClosed
from giftcard_gateway.server import PortTaken

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Webhooks as Settings
    from giftcard_gateway.connections import Connection, Connections
    from giftcard_gateway.events import Events
    from giftcard_gateway.observer import Observer

_SHUTDOWN_S = 5.0


class WebhookEdge:
    """Listens for events, verifies them in the provider's own way, and hands them on."""

    def __init__(
        self,
        settings: Settings,
        *,
        connections: Connections,
        events: Events,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Keep what each request needs; nothing listens yet."""
        self._settings = settings
        self._connections = connections
        self._events = events
        self._clock = clock
        self._observer = observer
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """Return the port listened on, 0 while none is."""
        return 0 if self._runner is None else int(self._runner.addresses[0][1])

    async def start(self, *, is_port_shared: bool = False) -> None:
        """Listen, if the settings say where; raises PortTaken."""
        if self._settings.listen is None:
            return
        host, _, port = self._settings.listen.rpartition(":")
        application = web.Application(client_max_size=self._settings.max_body_bytes)
        application.router.add_post("/webhooks/{provider}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port), reuse_port=is_port_shared).start()
        except OSError:
            await runner.cleanup()
            raise PortTaken(
                f"cannot listen for webhooks on {self._settings.listen}: the port is taken or not ours"
            ) from None
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening once the events in hand are durable."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.Response:
        connection = self._connection(request.match_info["provider"])
        if connection is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        headers = {name.lower(): value for name, value in request.headers.items()}
        webhook = Webhook(headers=headers, body=body, received_at=self._clock.now())
        try:
            await asyncio.shield(self._events.receive(connection, webhook))
        except WebhookRejected as fault:
            self._observer.faulted("webhook", fault)
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        except JournalClosed:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        reply = connection.provider.webhook_reply()
        return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)

    def _connection(self, provider_id: str) -> Connection | None:
        try:
            connection = self._connections.get(provider_id)
        except ProviderNotFound:
            return None
        return connection if has(connection.provider, "read_webhook") else None
