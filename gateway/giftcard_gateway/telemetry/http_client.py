"""An HTTP transport that traces and measures each exchange with a provider.

The address is never recorded: a path can hold a card's number. The documented operation's name
stands for it. Bodies and headers are not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from opentelemetry.trace import SpanKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.telemetry.metrics import Metrics
    from giftcard_gateway.telemetry.spans import Span, Spans

_FAILED_FROM = 400
"""From this HTTP status on, a client counts the exchange as failed (HTTP conventions)."""


class TracedTransport(httpx.AsyncBaseTransport):
    """Passes exchanges on to another transport, in client spans, with the trace context in the headers."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        provider_id: str,
        spans: Spans,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """Wrap `inner`."""
        self._inner = inner
        self._provider_id = provider_id
        self._spans = spans
        self._metrics = metrics
        self._monotonic_s = clock.monotonic_s

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make the exchange; it ends when the answer is closed."""
        seen = self._begin(request)
        try:
            answer = await self._inner.handle_async_request(request)
        except BaseException as fault:
            seen.broke(fault)
            seen.end()
            raise
        seen.answered(answer.status_code)
        if answer.is_closed:
            seen.end()
        else:
            answer.stream = _SeenBody(answer.stream, seen)
        return answer

    async def aclose(self) -> None:
        """Close the transport behind."""
        await self._inner.aclose()

    def _begin(self, request: httpx.Request) -> _Exchange:
        operation = str(request.extensions.get("operation", "exchange"))
        span = self._spans.start(
            f"{request.method} {operation}",
            SpanKind.CLIENT,
            {
                "http.request.method": request.method,
                "server.address": request.url.host,
                "server.port": request.url.port or (443 if request.url.scheme == "https" else 80),
                "giftcard.provider": self._provider_id,
                "giftcard.operation": operation,
            },
        )
        if span.context is not None:
            request.headers["traceparent"] = span.traceparent
            if span.tracestate:
                request.headers["tracestate"] = span.tracestate
        return _Exchange(self, span, operation)

    def measure(self, operation: str, status: str, error_type: str, began_s: float) -> None:
        """Record how long an exchange took."""
        duration_s = self._monotonic_s() - began_s
        self._metrics.exchange(self._provider_id, operation, status, error_type, duration_s)

    def now_s(self) -> float:
        """Return the time durations are measured by."""
        return self._monotonic_s()


class _Exchange:
    """The span and the measurement of one exchange; ended once."""

    __slots__ = ("_began_s", "_error", "_is_ended", "_operation", "_span", "_status", "_transport")

    def __init__(self, transport: TracedTransport, span: Span, operation: str) -> None:
        self._transport = transport
        self._span = span
        self._operation = operation
        self._began_s = transport.now_s()
        self._status = ""
        self._error = ""
        self._is_ended = False

    def answered(self, status: int) -> None:
        self._status = str(status)
        self._span.note("http.response.status_code", status)
        if status >= _FAILED_FROM:
            self._error = self._status

    def broke(self, fault: BaseException) -> None:
        self._error = type(fault).__qualname__

    def end(self) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        if self._error:
            self._span.fail(self._error)
        self._span.end()
        self._transport.measure(self._operation, self._status, self._error, self._began_s)


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
