"""HTTP/1.1 to a provider: a pool of kept connections, and requests that go out at most once on them.

Whether a request was surely not sent is known exactly: until its bytes are handed to a socket every fault is
ConnectError, ConnectTimeout, PoolTimeout or UnsupportedProtocol, or LocalProtocolError for a request that
cannot be written; from then on it is none of these. Proxies and the environment are not asked.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections import deque
from typing import TYPE_CHECKING, TypeVar

import aiohappyeyeballs
import httpx

from giftcard_adapters.calls import Reply
from giftcard_adapters.connection import Http1Connection
from giftcard_adapters.roundtrip import ANSWER_LIMIT_BYTES, Origin, Outgoing, RoundTrips, read

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Sequence

    from giftcard_adapters.engine import PoolLimits

T = TypeVar("T")

_OTHER_FAMILY_S = 0.25
"""How long an address may be silent before one of another family is tried too (RFC 8305, section 5)."""

_WITH_LENGTH = ("POST", "PUT", "PATCH")
"""Methods whose requests say that they have no body (RFC 9110, section 8.6)."""

_OURS = frozenset({"host", "content-length", "transfer-encoding"})
"""Headers that say where a request goes and where it ends: always written here, never taken over."""

_SLICE_BYTES = 64 * 1024

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEAD = re.compile(rf"{_NAME} [!-~]+ HTTP/1\.1\r\n(?:{_NAME}: [\t -~]*\r\n)+")
"""The whole head of a request; that no value holds a line more is seen by their number."""


class Http1(RoundTrips):
    """A transport with a pool of connections of its own; belongs to the loop it is first used on."""

    def __init__(self, context: ssl.SSLContext, limits: PoolLimits) -> None:
        """Keep what to trust and how much to do at once; nothing is connected yet."""
        self._context = context
        self._keepalive_s = limits.keepalive_s
        self._places = asyncio.Semaphore(limits.connections)
        self._idle: dict[Origin, deque[Http1Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def roundtrip(self, sent: Outgoing) -> Reply:
        """Send once, and return the whole answer, unpacked."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + sent.timeout_s
        is_head = sent.method == "HEAD"
        request = _written(sent.method, sent.target, sent.origin.authority, sent.headers, sent.body)
        connection = await self._enter(sent.origin, sent.connect_s, sent.connect_s, until_s)
        try:
            if loop.time() >= until_s:
                # This process stood still: what is sent now would be given up on at once.
                raise httpx.ConnectTimeout("no connection in time")
            timer = loop.call_at(until_s, connection.expire)
            try:
                connection.write(request, is_head=is_head, limit_bytes=ANSWER_LIMIT_BYTES)
                body = await connection.whole()
            finally:
                timer.cancel()
            status, told = connection.status, connection.headers
        finally:
            self._leave(sent.origin, connection)
        headers = _read_headers(told)
        if body and "content-encoding" in headers:
            return await read(httpx.Response(status, headers=told, stream=_Slices(body)))
        return Reply(status=status, headers=headers, body=body)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send once, and return the answer as soon as its head is here."""
        timeouts = request.extensions.get("timeout", {})
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw]
        origin = Origin.of(request.url)
        target = request.url.raw_path.decode("ascii")
        written = _written(request.method, target, origin.authority, headers, await request.aread())
        connection = await self._enter(origin, timeouts.get("pool"), timeouts.get("connect"), None)
        try:
            connection.write(written, is_head=request.method == "HEAD", limit_bytes=None)
            await _in_time(timeouts.get("write"), connection.written(), httpx.WriteTimeout)
            await _in_time(timeouts.get("read"), connection.head(), httpx.ReadTimeout)
        except BaseException:
            self._leave(origin, connection)
            raise
        return httpx.Response(
            connection.status,
            headers=connection.headers,
            stream=_Pieces(self, origin, connection, timeouts.get("read")),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Close what is idle, and take no more; what is under way is closed when it ends."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            _, kept = self._idle.popitem()
            for connection in kept:
                connection.close()

    async def _enter(
        self, origin: Origin, pool_s: float | None, connect_s: float | None, until_s: float | None
    ) -> Http1Connection:
        """Wait for a place, and return a connection that is in order and unused."""
        if self._is_closed:
            raise httpx.ConnectError("the transport is closed")
        if origin.scheme not in {"http", "https"} or not origin.host:
            raise httpx.UnsupportedProtocol("not an address HTTP can go to")
        if self._places.locked():
            await self._turn(_earlier(pool_s, until_s))
        else:
            await self._places.acquire()
        try:
            return self._kept(origin) or await self._connect(origin, _earlier(connect_s, until_s))
        except BaseException:
            self._places.release()
            raise

    async def _turn(self, until_s: float | None) -> None:
        try:
            async with asyncio.timeout_at(until_s):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no free connection in time") from None

    def _kept(self, origin: Origin) -> Http1Connection | None:
        kept = self._idle.get(origin)
        oldest_s = asyncio.get_running_loop().time() - self._keepalive_s
        while kept:
            connection = kept.pop()
            if connection.idle_since_s > oldest_s and connection.is_unspoiled:
                return connection
            connection.close()
        return None

    async def _connect(self, origin: Origin, until_s: float | None) -> Http1Connection:
        loop = asyncio.get_running_loop()
        is_tls = origin.scheme == "https"
        try:
            async with asyncio.timeout_at(until_s):
                addresses = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
                open_socket = await aiohappyeyeballs.start_connection(
                    addresses, happy_eyeballs_delay=_OTHER_FAMILY_S, interleave=1, loop=loop
                )
                open_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _, connection = await loop.create_connection(
                    Http1Connection,
                    sock=open_socket,
                    ssl=self._context if is_tls else None,
                    server_hostname=origin.host if is_tls else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (OSError, UnicodeError):
            # Their texts contain the address. A host that cannot be encoded is a UnicodeError.
            raise httpx.ConnectError("no connection") from None
        if not connection.is_open:
            raise httpx.ConnectError("the connection was closed, or spoke first")
        return connection

    def _leave(self, origin: Origin, connection: Http1Connection) -> None:
        self._places.release()
        if not connection.release():
            return
        if self._is_closed:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since_s = loop.time()
        self._idle.setdefault(origin, deque()).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(self._keepalive_s, self._close_old)

    def _close_old(self) -> None:
        """Close what was idle too long, so that we hang up and not the provider."""
        loop = asyncio.get_running_loop()
        oldest_s = loop.time() - self._keepalive_s
        for kept in self._idle.values():
            while kept and kept[0].idle_since_s <= oldest_s:
                kept.popleft().close()
        left = [kept[0].idle_since_s for kept in self._idle.values() if kept]
        self._sweep = loop.call_at(min(left) + self._keepalive_s, self._close_old) if left else None


class _Pieces(httpx.AsyncByteStream):
    """The body of an answer while it comes; its connection is kept if it was read to the end."""

    def __init__(
        self, pool: Http1, origin: Origin, connection: Http1Connection, read_s: float | None
    ) -> None:
        self._pool = pool
        self._origin = origin
        self._connection: Http1Connection | None = connection
        self._read_s = read_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection is not None:
            piece = await _in_time(self._read_s, self._connection.piece(), httpx.ReadTimeout)
            if not piece:
                return
            yield piece

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool._leave(self._origin, connection)  # noqa: SLF001 -- the pool gave it


class _Slices(httpx.AsyncByteStream):
    """A packed body a little at a time, so that it cannot unpack to more than is looked at."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), _SLICE_BYTES):
            yield self._body[start : start + _SLICE_BYTES]


def _written(
    method: str, target: str, authority: str, headers: Sequence[tuple[str, str]], body: bytes
) -> bytes:
    """Return a request as bytes; raise httpx.LocalProtocolError for one that would be read as another."""
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\n"]
    given = set()
    for name, value in headers:
        kind = name.lower()
        if kind not in _OURS:
            given.add(kind)
            lines.append(f"{name}: {value}\r\n")
    if "accept-encoding" not in given:
        lines.append("Accept-Encoding: identity\r\n")
    if body or method in _WITH_LENGTH:
        lines.append(f"Content-Length: {len(body)}\r\n")
    head = "".join(lines)
    if head.count("\n") != len(lines) + 1 or not _HEAD.fullmatch(head):
        raise httpx.LocalProtocolError("the request cannot be written as HTTP")
    return b"%b\r\n%b" % (head.encode("ascii"), body)


def _read_headers(told: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in told:
        name = raw_name.decode("ascii").lower()
        try:
            value = raw_value.decode()
        except UnicodeDecodeError:
            value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _earlier(wait_s: float | None, until_s: float | None) -> float | None:
    """Return the loop's time when a wait that begins now ends, and at `until_s` at the latest."""
    if wait_s is None:
        return until_s
    end_s = asyncio.get_running_loop().time() + wait_s
    return end_s if until_s is None else min(end_s, until_s)


async def _in_time(wait_s: float | None, wait: Awaitable[T], late: type[httpx.TimeoutException]) -> T:
    try:
        async with asyncio.timeout(wait_s):
            return await wait
    except TimeoutError:
        raise late("no answer in time") from None
