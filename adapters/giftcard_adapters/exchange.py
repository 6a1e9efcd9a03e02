"""One exchange with a provider over HTTP, and the error when it fails.

The transport is passed in through httpx's interface: a test passes a plain function, the gateway
one that traces. Nothing here retries, follows redirects or logs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx

from giftcard_adapters.calls import Call, Moment, Reply, Signer
from giftcard_adapters.errors import BrokenOff, ExchangeError, NotSent, SettingsError, TimedOut
from giftcard_adapters.hearing import heard
from giftcard_adapters.roundtrip import Origin, Outgoing, as_httpx, over

_CONNECT_S = 5.0
"""The longest wait for a connection or a place in the pool; after it the request was surely not sent."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

_PLAIN = re.compile(r"/(?!.*/\.)(?:[A-Za-z0-9._~!$&()*+,;=:@/?-]|%[0-9A-Fa-f]{2}){0,4000}")
"""A path and query that every URL library leaves as they are. All others are left to httpx, which quotes."""


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
        try:
            base = httpx.URL(self._base_url)
        except httpx.InvalidURL:
            raise SettingsError(["base_url is no URL"]) from None
        self._origin = Origin.of(base)
        self._folder = base.raw_path.decode("ascii").rstrip("/")
        self._wire = over(transport)
        self._moment = moment
        self._timeout_s = timeout_s
        self._connect_s = min(timeout_s, _CONNECT_S)
        self.templates: Mapping[str, str] = {}
        """The path of each documented operation without what changes in it, for traces; the adapter's."""

    async def send(self, call: Call, *, sign: Signer, name: str) -> Reply:
        """Make one exchange; `name` says which documented operation it is, for traces.

        Raises NotSent when no byte left, TimedOut or BrokenOff when the outcome is unknown.
        """
        sent = self._outgoing(call, sign, name)
        try:
            reply = await self._wire.roundtrip(sent)
        except httpx.HTTPError as fault:
            raise _told(fault, name) from None
        if (listener := heard.get()) is not None:
            listener.status = reply.status
        return reply

    @asynccontextmanager
    async def open(self, call: Call, *, sign: Signer, name: str) -> AsyncIterator[httpx.Response]:
        """Make one exchange whose body the caller reads in pieces; raises as `send` does."""
        request = as_httpx(self._outgoing(call, sign, name))
        try:
            answer = await self._wire.handle_async_request(request)
            try:
                yield answer
            finally:
                await answer.aclose()
        except httpx.HTTPError as fault:
            raise _told(fault, name) from None

    async def aclose(self) -> None:
        """Close the transport and its connections."""
        await self._wire.aclose()

    def _outgoing(self, call: Call, sign: Signer, name: str) -> Outgoing:
        target = self._folder + call.path
        if not _PLAIN.fullmatch(target):
            try:
                target = httpx.URL(self._base_url + call.path).raw_path.decode("ascii")
            except httpx.InvalidURL:
                raise NotSent(f"{name}: the path makes no URL") from None
        return Outgoing(
            origin=self._origin,
            method=call.method,
            target=target,
            headers=[*call.headers, *sign(call, self._moment()).items()],
            body=call.body,
            name=name,
            template=self.templates.get(name, ""),
            timeout_s=self._timeout_s,
            connect_s=self._connect_s,
        )


def _told(fault: httpx.HTTPError, name: str) -> ExchangeError:
    if isinstance(fault, _NEVER_SENT):
        return NotSent(f"{name}: no connection")
    if isinstance(fault, httpx.TimeoutException):
        return TimedOut(f"{name}: no answer in time")
    return BrokenOff(f"{name}: {type(fault).__name__}")
