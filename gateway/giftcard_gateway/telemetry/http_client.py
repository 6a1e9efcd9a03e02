"""An HTTP transport that traces and measures each exchange with a provider.

The address is never recorded: a path can hold a card's number. The documented operation's name, and the
path without what changes in it, stand for it. Bodies and headers are not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from opentelemetry.trace import SpanKind

from giftcard_adapters.roundtrip import Origin, RoundTrips, over
from giftcard_gateway.telemetry.spans import enter, leave

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from opentelemetry.util.types import AttributeValue

    from giftcard_adapters.calls import Reply
    from giftcard_adapters.roundtrip import Outgoing
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.telemetry.metrics import Metrics
    from giftcard_gateway.telemetry.pace import Pace
    from giftcard_gateway.telemetry.propagation import Propagation
    from giftcard_gateway.telemetry.spans import AnyWork, Spans

_FAILED_FROM = 400
"""From this HTTP status on, a client counts the exchange as failed (HTTP conventions)."""

_VERSION = "1.1"
"""What every transport that makes whole round trips speaks."""


class TracedTransport(RoundTrips):
    """Passes exchanges on to another transport, in client spans, with the trace context in the headers."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        spans: Spans,
        propagation: Propagation,
        *,
        provider_id: str,
        metrics: Metrics,
        pace: Pace,
        clock: Clock,
    ) -> None:
        """Wrap `inner`."""
        self._inner = over(inner)
        self._provider_id = provider_id
        self._spans = spans
        self._told = propagation.told
        self._metrics = metrics
        self._pace = pace
        self._monotonic_s = clock.monotonic_s

    async def roundtrip(self, sent: Outgoing) -> Reply:
        """Make the whole exchange."""
        seen = self._begin(sent.method, sent.origin, sent.name, sent.template)
        sent.headers += self._told(seen.span)
        token = enter(seen.span)
        try:
            reply = await self._inner.roundtrip(sent)
        except BaseException as fault:
            seen.broke(fault)
            seen.end()
            raise
        finally:
            leave(token)
        seen.answered(reply.status, _VERSION)
        seen.end()
        return reply

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make the exchange; it ends when the answer is closed."""
        operation = str(request.extensions.get("operation", "exchange"))
        template = str(request.extensions.get("template", ""))
        seen = self._begin(request.method, Origin.of(request.url), operation, template)
        request.headers.update(self._told(seen.span))
        token = enter(seen.span)
        try:
            answer = await self._inner.handle_async_request(request)
        except BaseException as fault:
            seen.broke(fault)
            seen.end()
            raise
        finally:
            leave(token)
        seen.answered(answer.status_code, answer.http_version.removeprefix("HTTP/"))
        if answer.is_closed:
            seen.end()
        else:
            answer.stream = _SeenBody(answer.stream, seen)
        return answer

    async def aclose(self) -> None:
        """Close the transport behind."""
        await self._inner.aclose()

    def _begin(self, method: str, origin: Origin, operation: str, template: str) -> _Exchange:
        attributes: dict[str, AttributeValue] = {
            "http.request.method": method,
            "server.address": origin.host,
            "server.port": origin.port,
            "giftcard.provider": self._provider_id,
            "giftcard.operation": operation,
        }
        if template:
            attributes["url.template"] = template
        span = self._spans.start(f"{method} {template or operation}", SpanKind.CLIENT, attributes)
        began_s = self._monotonic_s()
        return _Exchange(self, span, (operation, method, origin.host, str(origin.port)), began_s)

    def measure(self, key: tuple[str, ...], began_s: float, span: AnyWork) -> None:
        """Record how long an exchange took; `key` ends with its HTTP status and its error's type."""
        now_s = self._monotonic_s()
        took_s = now_s - began_s
        place = self._metrics.exchange(took_s, self._provider_id, *key, within=span.made)
        self._pace.add(now_s, took_s, place, key[-2], key[-1])


class _Exchange:
    """The span and the measurement of one exchange; ended once."""

    __slots__ = ("_began_s", "_error", "_is_ended", "_status", "_transport", "_what", "span")

    def __init__(
        self, transport: TracedTransport, span: AnyWork, what: tuple[str, ...], began_s: float
    ) -> None:
        self._transport = transport
        self.span = span
        self._what = what
        self._began_s = began_s
        self._status = ""
        self._error = ""
        self._is_ended = False

    def answered(self, status: int, version: str) -> None:
        self._status = str(status)
        self.span.noted["http.response.status_code"] = status
        self.span.noted["network.protocol.version"] = version
        if status >= _FAILED_FROM:
            self._error = self._status

    def broke(self, fault: BaseException) -> None:
        self._error = type(fault).__qualname__

    def end(self) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        if self._error:
            self.span.fail(self._error)
        self.span.end()
        self._transport.measure((*self._what, self._status, self._error), self._began_s, self.span)


class _SeenBody(httpx.AsyncByteStream):
    """A response body; the exchange ends when it is closed."""

    def __init__(self, body: httpx.SyncByteStream | httpx.AsyncByteStream, seen: _Exchange) -> None:
        if not isinstance(body, httpx.AsyncByteStream):
            raise TypeError("an answer's body must be an asynchronous stream")
        self._body = body
        self._seen = seen

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._body:
                yield piece
        except GeneratorExit:
            raise  # left half read on purpose, which is no fault
        except BaseException as fault:
            self._seen.broke(fault)
            raise

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            self._seen.end()
