"""One exchange with a provider over HTTP, and the error when it fails.

The transport is passed in through httpx's interface: a test passes a plain function, the gateway
one that traces. Nothing here retries, follows redirects or logs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from giftcard_adapters.calls import Call, Moment, Reply, Signer
from giftcard_adapters.errors import BrokenOff, NotSent, TimedOut, Unreadable

_ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
"""No documented answer is nearly this large; a larger one is a fault or an attack."""

_CONNECT_S = 5.0
"""The longest wait for a connection or a place in the pool; after it the request was surely not sent."""


class Exchange:
    """Sends calls to one provider's base URL through one transport, signed on the way out."""

    def __init__(
        self,
        *,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        moment: Callable[[], Moment],
        timeout_s: float,
    ) -> None:
        """Keep what every call shares; the signer is the adapter's and comes with each call."""
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._moment = moment
        connect_s = min(timeout_s, _CONNECT_S)
        self._timeout_s = timeout_s
        self._extensions = {"timeout": httpx.Timeout(timeout_s, connect=connect_s, pool=connect_s).as_dict()}

    async def send(self, call: Call, *, sign: Signer, name: str) -> Reply:
        """Make one exchange; `name` says which documented operation it is, for traces.

        Raises NotSent when no byte left, TimedOut or BrokenOff when the outcome is unknown.
        """
        try:
            # The transport limits each wait, this their sum: no slow body holds a call for ever.
            async with asyncio.timeout(self._timeout_s), self.open(call, sign=sign, name=name) as answer:
                return await _read(answer)
        except TimeoutError:
            raise TimedOut(f"{name}: no whole answer in time") from None

    @asynccontextmanager
    async def open(self, call: Call, *, sign: Signer, name: str) -> AsyncIterator[httpx.Response]:
        """Make one exchange whose body the caller reads in pieces; raises as `send` does."""
        request = self._request(call, sign, name)
        try:
            answer = await self._transport.handle_async_request(request)
            try:
                yield answer
            finally:
                await answer.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol):
            raise NotSent(f"{name}: no connection") from None
        except httpx.TimeoutException:
            raise TimedOut(f"{name}: no answer in time") from None
        except httpx.HTTPError as fault:
            raise BrokenOff(f"{name}: {type(fault).__name__}") from None

    async def aclose(self) -> None:
        """Close the transport and its connections."""
        await self._transport.aclose()

    def _request(self, call: Call, sign: Signer, name: str) -> httpx.Request:
        headers = [*call.headers, *sign(call, self._moment()).items()]
        try:
            url = httpx.URL(self._base_url + call.path)
        except httpx.InvalidURL:
            raise NotSent(f"{name}: the path makes no URL") from None
        return httpx.Request(
            call.method,
            url,
            headers=headers,
            content=call.body or None,
            extensions=self._extensions | {"operation": name},
        )


async def _read(answer: httpx.Response) -> Reply:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > _ANSWER_LIMIT_BYTES:
            raise Unreadable("the answer is larger than any this provider documents")
    return Reply(status=answer.status_code, headers=dict(answer.headers.items()), body=bytes(body))
