"""HTTP to a provider: httpx's transport interface over an engine of our own, or over httpx's.

Errors tell whether a request was surely not sent or may have been (rules 3 and 4):

    never sent      httpx.ConnectError, ConnectTimeout, PoolTimeout, UnsupportedProtocol
    maybe sent      every other httpx.HTTPError

Nothing is sent twice. Redirects are not followed, bodies are not decompressed, cookies are not kept, and
the environment is not read.

Both engines give three guarantees:

- A request goes out at most once, by any method, and whatever breaks.
- An answer belongs to the request before it. A kept connection on which bytes arrived unasked is closed,
  so that a second answer to one call is never read as the answer to the next.
- A cancelled call gives its place in the pool back. httpcore leaks it (encode/httpcore#1093), and h11
  keeps unasked bytes for the next call, so httpx's engine gets a fresh pool for every exchange.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import httpx

from giftcard_adapters.engine import Engine, PoolLimits, Tls, trust
from giftcard_adapters.http1 import Http1

_UNPACKED = ("Accept-Encoding", "identity")
"""Sent unless the call has its own: a compressed answer can be far larger than its bytes on the wire."""


def open_transport(
    engine: Engine = "own", *, limits: PoolLimits | None = None, tls: Tls | None = None
) -> httpx.AsyncBaseTransport:
    """Return a transport for one provider; nothing is connected yet.

    Raises OSError (ssl.SSLError is one) when a TLS file cannot be read.
    """
    bounds = limits or PoolLimits()
    context = trust(tls or Tls())
    return Http1(context, bounds) if engine == "own" else _Bounded(_Httpx(context), bounds.connections)


Timeouts = Mapping[str, float | None]
"""httpx's `timeout` extension: pool, connect, write and read, in seconds; None waits for ever."""


class _Bounded(httpx.AsyncBaseTransport):
    """Limits how many exchanges run at once, and how long each waits for the head of its answer."""

    def __init__(self, wire: httpx.AsyncBaseTransport, connections: int) -> None:
        self._wire = wire
        self._places = asyncio.Semaphore(connections)
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._is_closed:
            raise httpx.ConnectError("the transport is closed")
        if request.url.scheme not in {"http", "https"} or not request.url.host:
            raise httpx.UnsupportedProtocol("not an address HTTP can go to")
        timeouts: Timeouts = request.extensions.get("timeout", {})
        await self._enter(timeouts.get("pool"))
        try:
            answer = await self._first_byte(request, timeouts)
        except BaseException:
            self._places.release()
            raise
        answer.stream = _Followed(answer.stream, self._leave)
        return answer

    async def aclose(self) -> None:
        self._is_closed = True
        await self._wire.aclose()

    async def _enter(self, pool_s: float | None) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(pool_s):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no free connection in time") from None

    async def _leave(self) -> None:
        self._places.release()

    async def _first_byte(self, request: httpx.Request, timeouts: Timeouts) -> httpx.Response:
        # The engines limit each read: a provider that sends a header byte by byte could hold us for ever.
        parts = [timeouts.get(part) for part in ("connect", "write", "read")]
        whole_s = None if None in parts else sum(part for part in parts if part is not None)
        try:
            async with asyncio.timeout(whole_s):
                return await self._wire.handle_async_request(request)
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time") from None


class _Followed(httpx.AsyncByteStream):
    """A body that runs a function once when it is closed."""

    def __init__(
        self, body: httpx.SyncByteStream | httpx.AsyncByteStream, then: Callable[[], Awaitable[None]]
    ) -> None:
        if not isinstance(body, httpx.AsyncByteStream):
            raise TypeError("an answer's body must be an asynchronous stream")
        self._body = body
        self._then: Callable[[], Awaitable[None]] | None = then

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            yield piece

    async def aclose(self) -> None:
        then, self._then = self._then, None
        try:
            await self._body.aclose()
        finally:
            if then:
                await then()


class _Httpx(httpx.AsyncBaseTransport):
    """httpx's own engine, with a new pool and connection for each exchange."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers.setdefault(*_UNPACKED)
        once = httpx.AsyncHTTPTransport(verify=self._context, http2=False, retries=0, trust_env=False)
        try:
            answer = await once.handle_async_request(request)
        except BaseException:
            await once.aclose()
            raise
        answer.stream = _Followed(answer.stream, once.aclose)
        return answer
