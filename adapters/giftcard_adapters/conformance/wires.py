"""The wires of the suite: one that remembers what was sent, and one that throws it back."""

from __future__ import annotations

import httpx
import msgspec

Transport = httpx.AsyncBaseTransport
"""What carries requests; a simulator's, or one of these."""


class Sent(msgspec.Struct, frozen=True):
    """One request as it left: everything but its credentials."""

    method: str
    target: bytes
    body: bytes

    def __repr__(self) -> str:
        """Show neither path nor body."""
        return f"Sent({self.method}, {len(self.body)} bytes)"


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on and remembers them."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        """Keep the transport that answers."""
        self._inner = inner
        self.sent: list[Sent] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Remember the request and pass it on."""
        self.sent.append(Sent(request.method, request.url.raw_path, await request.aread()))
        return await self._inner.handle_async_request(request)


class Echo(httpx.AsyncBaseTransport):
    """A provider at its worst: it answers with whatever it was sent, as plain text or as a JSON text."""

    def __init__(self, status: int) -> None:
        """Answer everything with `status`."""
        self._status = status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send back what came."""
        return httpx.Response(self._status, content=await request.aread() or request.url.raw_path)
