"""HTTP to a provider: httpx's transport interface over aiohttp, or over httpx's own engine.

Errors tell whether a request was surely not sent or may have been (rules 3 and 4):

    never sent      httpx.ConnectError, ConnectTimeout, PoolTimeout, UnsupportedProtocol
    maybe sent      every other httpx.HTTPError

Nothing is sent twice. Redirects are not followed, bodies are not decompressed, cookies are not kept, and
the environment is not read.

Both engines give three guarantees that neither library gives by itself:

- A request goes out at most once. aiohttp repeats GET, PUT and DELETE when a kept connection breaks;
  the fault is translated inside its middleware, where that repetition cannot see it.
- An answer belongs to the request before it. A kept connection on which bytes arrived unasked is closed,
  so that a second answer to one call is never read as the answer to the next.
- A cancelled call gives its place in the pool back. httpcore leaks it (encode/httpcore#1093), and h11
  keeps unasked bytes for the next call, so httpx's engine gets a fresh pool for every exchange.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from weakref import WeakSet

import aiohttp
import httpx
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from giftcard_adapters.engine import Engine, PoolLimits, Tls

_PIECE_BYTES = 64 * 1024
_UNPACKED = ("Accept-Encoding", "identity")
"""Sent unless the call has its own: a compressed answer can be far larger than its bytes on the wire."""
_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add by itself. Only what was signed is sent."""


def open_transport(
    engine: Engine = "aiohttp", *, limits: PoolLimits | None = None, tls: Tls | None = None
) -> httpx.AsyncBaseTransport:
    """Return a transport for one provider; nothing is connected yet.

    Raises OSError (ssl.SSLError is one) when a TLS file cannot be read.
    """
    bounds = limits or PoolLimits()
    context = _trust(tls or Tls())
    wire = _Aiohttp(context, bounds) if engine == "aiohttp" else _Httpx(context)
    return _Bounded(wire, bounds.connections)


def _trust(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    if tls.certificate_file:
        context.load_cert_chain(tls.certificate_file, tls.key_file)
    return context


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


class _Aiohttp(httpx.AsyncBaseTransport):
    """aiohttp with one session, made on the first call because it belongs to the running loop."""

    def __init__(self, context: ssl.SSLContext, limits: PoolLimits) -> None:
        self._context = context
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        session = self._session or self._open()
        timeouts: Timeouts = request.extensions.get("timeout", {})
        try:
            answer = await session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=_headers(request),
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=timeouts.get("connect"), sock_read=timeouts.get("read")
                ),
            )
        except ValueError:
            raise httpx.LocalProtocolError("the request cannot be written as HTTP") from None
        return httpx.Response(
            answer.status,
            headers=list(answer.raw_headers),
            stream=_AiohttpBody(answer),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        if self._session:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=_Unspoiled(self._context, self._limits.keepalive_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_OWN_HEADERS,
            trust_env=False,
            middlewares=(_once,),
        )
        return self._session


class _Unspoiled(aiohttp.TCPConnector):
    """Reuses a kept connection only if nothing arrived on it since its last answer."""

    def __init__(self, context: ssl.SSLContext, keepalive_s: float) -> None:
        super().__init__(limit=0, ssl=context, keepalive_timeout=keepalive_s)
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 -- aiohttp names it
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            if self._is_fresh(connection) or not _is_spoiled(connection):
                return connection
            connection.close()

    def _is_fresh(self, connection: Connection) -> bool:
        if connection.protocol is None or connection.protocol in self._used:
            return False
        self._used.add(connection.protocol)
        return True


def _is_spoiled(connection: Connection) -> bool:
    """Tell whether anything arrived on an idle connection, read already or still in the operating system."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or protocol.should_close:
        return True
    descriptor = transport.get_extra_info("socket").fileno()
    if descriptor < 0:
        return True
    arrived = select.poll()
    arrived.register(descriptor, select.POLLIN)
    return bool(arrived.poll(0))


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Translate a fault before aiohttp sees it and sends the request again."""
    try:
        return await send(request)
    except (aiohttp.ClientError, OSError) as fault:
        raise _translate(fault) from None


_FAULTS: tuple[tuple[type[Exception], type[httpx.HTTPError], str], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout, "no connection in time"),
    (aiohttp.ClientConnectorError, httpx.ConnectError, "no connection"),
    (TimeoutError, httpx.ReadTimeout, "no answer in time"),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError, "closed without an answer"),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError, "the answer is not HTTP"),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError, "the answer broke off"),
    (aiohttp.ClientConnectionResetError, httpx.WriteError, "the connection broke while writing"),
)
"""The first row that fits counts. Only the first two mean never sent; both come from connecting alone."""


def _translate(fault: Exception) -> httpx.HTTPError:
    # aiohttp's own texts contain the address, and an address can contain a card number.
    for kind, ours, text in _FAULTS:
        if isinstance(fault, kind):
            return ours(text)
    return httpx.ReadError("the connection broke")


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    headers = [(name.decode(), value.decode()) for name, value in request.headers.raw]
    if "accept-encoding" not in request.headers:
        headers.append(_UNPACKED)
    return headers


class _AiohttpBody(httpx.AsyncByteStream):
    """An answer's body as a stream; if it is closed half read, its connection is closed too."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.content.iter_chunked(_PIECE_BYTES):
                yield piece
        except (aiohttp.ClientError, OSError) as fault:
            raise _translate(fault) from None

    async def aclose(self) -> None:
        self._answer.close()
