"""The seam between an exchange and the wire: a whole request goes out, and a whole answer comes back.

What carries it is any transport of httpx: a test passes a plain function. Our own also make a round trip
without building httpx's types, which cost more than the exchange. Errors are httpx's either way.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import httpx
import msgspec

from giftcard_adapters.calls import Reply
from giftcard_adapters.errors import Unreadable

ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
"""No documented answer is nearly this large; a larger one is a fault or an attack."""

_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where a provider listens: scheme, host without brackets, port; and both as the Host header has them."""

    scheme: str
    host: str
    port: int
    authority: str

    @classmethod
    def of(cls, url: httpx.URL) -> Origin:
        """Take the origin of a URL."""
        port = url.port or _PORTS.get(url.scheme, 0)
        return cls(url.scheme, url.raw_host.decode("ascii"), port, url.netloc.decode("ascii"))


class Outgoing(msgspec.Struct, kw_only=True):
    """One request on its way out. `target` is path and query as they are written; Host and framing are added.

    `template` is the path below the base URL without what changes in it, for traces. `timeout_s` is for the
    whole exchange, `connect_s` for getting a connection or a place in the pool.
    """

    origin: Origin
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    name: str
    template: str = ""
    timeout_s: float
    connect_s: float

    def __repr__(self) -> str:
        """Show neither path nor headers nor body: they name cards and keys."""
        return f"Outgoing({self.method}, {len(self.body)} bytes)"


class RoundTrips(httpx.AsyncBaseTransport):
    """A transport of httpx that also makes a whole round trip by itself."""

    async def roundtrip(self, sent: Outgoing) -> Reply:
        """Send once, and return the whole answer, unpacked.

        Raises httpx.HTTPError as `transport` says, and Unreadable when the answer is too large.
        """
        raise NotImplementedError


def over(transport: httpx.AsyncBaseTransport) -> RoundTrips:
    """Return `transport` itself if it makes round trips, else one that makes them of its exchanges."""
    return transport if isinstance(transport, RoundTrips) else _OverHttpx(transport)


class _OverHttpx(RoundTrips):
    """Makes round trips through any transport of httpx."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def roundtrip(self, sent: Outgoing) -> Reply:
        request = as_httpx(sent)
        try:
            # The transport limits each wait, this their sum: no slow body holds a call for ever.
            async with asyncio.timeout(sent.timeout_s):
                answer = await self._transport.handle_async_request(request)
                try:
                    return await read(answer)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise httpx.ReadTimeout("no whole answer in time") from None


def as_httpx(sent: Outgoing) -> httpx.Request:
    """Return a request as httpx has them; raise httpx.InvalidURL when it has no address."""
    timeouts = httpx.Timeout(sent.timeout_s, connect=sent.connect_s, pool=sent.connect_s)
    return httpx.Request(
        sent.method,
        httpx.URL(f"{sent.origin.scheme}://{sent.origin.authority}{sent.target}"),
        headers=sent.headers,
        content=sent.body or None,
        extensions={"timeout": timeouts.as_dict(), "operation": sent.name, "template": sent.template},
    )


async def read(answer: httpx.Response) -> Reply:
    """Read an answer whole; raise Unreadable when it is too large."""
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > ANSWER_LIMIT_BYTES:
            raise Unreadable("the answer is larger than any this provider documents")
    return Reply(status=answer.status_code, headers=dict(answer.headers.items()), body=bytes(body))
