"""The HTTP edge for providers' events: `POST /webhooks/{provider}`.

An event is answered 2xx only once it is durable. Whatever is wrong with a request it gets a bare
status: who sends unsigned bodies learns nothing here. Limits by address are a proxy's.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from giftcard_adapters.contract import has
from giftcard_adapters.errors import WebhookRejected
from giftcard_adapters.values.reads import Webhook
from giftcard_gateway.errors import ProviderNotFound
from giftcard_gateway.http.bodies import MOST_SENDERS, Bodies
from giftcard_gateway.http.listener import HttpListener
from giftcard_gateway.journal.contract import JournalClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from giftcard_gateway.access.cells import Cell
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Webhooks as Settings
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.pipeline.events import Events
    from giftcard_gateway.providers.connections import Connection, Connections

_MOST_AT_ONCE = 256
"""Events verified and stored at a time."""
_MAY_REPEAT = frozenset({"accept", "cookie", "forwarded", "via", "x-forwarded-for"})
"""Headers that proxies add to or that are lists; nothing is decided by them."""
_RETRY_AFTER = {"Retry-After": "5"}

_QUIET = timedelta(minutes=1)
"""How often an operator hears that a provider's events are refused: a wrong secret, or just anybody."""
_PASSING = frozenset({HTTPStatus.SERVICE_UNAVAILABLE})


class WebhookEdge:
    """Receives events, verifies them in the provider's own way, and stores them before answering."""

    def __init__(
        self,
        settings: Settings,
        *,
        connections: Connections,
        events: Events,
        clock: Clock,
        observer: Observer,
        ipv6_prefix: int,
        cell: Cell | None = None,
    ) -> None:
        """Keep the parts that each request needs; nothing listens yet."""
        self._settings = settings
        self._connections = connections
        self._events = events
        self._clock = clock
        self._observer = observer
        self._listener = (
            None
            if settings.listen is None
            else HttpListener("webhooks", settings.listen, settings.tls, most_connections=MOST_SENDERS)
        )
        self.cell = cell
        self._in_hand = 0
        self._bodies = Bodies(ipv6_prefix)
        self._quiet_until: dict[str, datetime] = {}

    @property
    def port(self) -> int:
        """Return the port listened on, 0 while none is."""
        return 0 if self._listener is None else self._listener.port

    async def start(self, *, is_port_shared: bool = False) -> None:
        """Listen, if the settings say where; raises PortTaken."""
        if self._listener is not None:
            await self._listener.start(self._application(), is_port_shared=is_port_shared)

    async def stop(self) -> None:
        """Stop listening once the events in hand are durable."""
        if self._listener is not None:
            await self._listener.stop()

    def _application(self) -> web.Application:
        application = web.Application(
            client_max_size=self._settings.max_body_bytes, middlewares=[self._refuse_barely]
        )
        application.router.add_post("/webhooks/{provider}", self._handle)
        return application

    @web.middleware
    async def _refuse_barely(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer errors with a bare status, so that nothing is disclosed."""
        named = request.match_info.get("provider", "")
        try:
            answer = await handler(request)
        except Exception as fault:  # noqa: BLE001 - a fault of ours must neither end the edge nor show its text
            status = _status_of(fault)
            if self._is_news(status, named):
                self._observer.faulted("webhook", fault)
            answer = web.Response(status=status, headers=_RETRY_AFTER if status in _PASSING else None)
        # Whatever a stranger asks for, only providers of ours become a metric's attribute.
        self._observer.webhook(named if self._connection(named) else "", _result_of(answer.status))
        return answer

    async def _handle(self, request: web.Request) -> web.Response:
        connection = self._connection(request.match_info["provider"])
        if connection is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        if self.cell is not None and not self.cell.serves(connection.tenant):
            # Kept here it would be another cell's tenant's, now or soon. Whoever brought it comes again.
            raise web.HTTPServiceUnavailable
        if (request.content_length or 0) > self._settings.max_body_bytes:
            return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        headers = _headers(request)
        with self._bodies.reading(request.remote or "") as body:
            async with asyncio.timeout(self._settings.body_timeout_s):
                async for part in request.content.iter_any():
                    body.add(part, most=self._settings.max_body_bytes)
            webhook = Webhook(headers=headers, body=body.whole(), received_at=self._clock.now())
            await self._keep(connection, webhook)
        reply = connection.provider.webhook_reply()
        return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)

    async def _keep(self, connection: Connection, webhook: Webhook) -> None:
        """Verify an event and store it; only those that came whole have a place here."""
        if self._in_hand >= _MOST_AT_ONCE:
            raise web.HTTPServiceUnavailable
        self._in_hand += 1
        try:
            # Its sender may leave; what was begun to be kept is kept.
            await asyncio.shield(self._events.receive(connection, webhook))
        finally:
            self._in_hand -= 1

    def _is_news(self, status: int, provider_id: str) -> bool:
        """Tell whether to log a failure: every fault of ours, and refusals at a limited rate."""
        if status != HTTPStatus.UNAUTHORIZED:
            return status == HTTPStatus.INTERNAL_SERVER_ERROR
        now = self._clock.now()
        is_quiet = now < self._quiet_until.get(provider_id, now)
        if not is_quiet:
            self._quiet_until[provider_id] = now + _QUIET
        return not is_quiet

    def _connection(self, provider_id: str) -> Connection | None:
        try:
            connection = self._connections.get(provider_id)
        except ProviderNotFound:
            return None
        return connection if has(connection.provider, "read_webhook") else None


def _result_of(status: int) -> str:
    if status < HTTPStatus.BAD_REQUEST:
        return "kept"
    return "refused" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"


def _status_of(fault: Exception) -> int:
    match fault:
        case web.HTTPException():
            return fault.status
        case WebhookRejected():
            return HTTPStatus.UNAUTHORIZED
        case TimeoutError():
            return HTTPStatus.REQUEST_TIMEOUT
        case ConnectionError() | web.RequestPayloadError():
            return HTTPStatus.BAD_REQUEST
        case JournalClosed():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def _headers(request: web.Request) -> dict[str, str]:
    """Return the headers as valid text; raise HTTPBadRequest for one that comes twice, if it could be signed.

    Whoever reads the first and whoever reads the last would not verify the same request.
    """
    headers: dict[str, str] = {}
    for raw_name, value in request.raw_headers:
        name = raw_name.decode("latin-1").lower()
        if name in headers and name not in _MAY_REPEAT:
            raise web.HTTPBadRequest
        headers[name] = value.decode("latin-1")
    return headers
