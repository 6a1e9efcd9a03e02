"""The HTTP edge on a real port, to which a stranger's bytes are sent as they are: no client tidies them up.

The edge runs in an event loop of its own that moves only while an input is tried, in the process that tries.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from functools import cache

from giftcard_adapters.errors import WebhookRejected, WebhookUnreadable
from giftcard_simulators.sandbox import SimRequest
from tests.gateway.webhooks.edge import Edge, open_edge
from tests.patience import PATIENCE_S
from tests.world.app import HOST, edge_of

PROVIDERS = ("gr4vy", "jeudimerci", "gatepay")
_QUIET_S = 0.05
_LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""Ends a connection, where what was sent before it was a request that ends."""
_STATUSES = {100, 200, 400, 401, 404, 405, 408, 413, 417, 503}
"""What may be answered: taken, refused, or for want of room; never a fault of ours."""
_BODIES = {b"", b"{}", b'{"returnCode":"SUCCESS","returnMessage":""}'}
"""What an answer may hold: a provider's own word of thanks, or nothing."""
_HEADERS = {"content-length", "content-type", "date", "connection", "retry-after", "allow"}
_POST = b"POST /webhooks/gr4vy HTTP/1.1\r\nHost: x\r\n"
_ODD = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT provider.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST http://elsewhere.test/webhooks/gr4vy HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"POST /webhooks/%2e%2e/%00%ff HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na",
    _POST + b"Expect: marker-of-mine\r\nContent-Length: 1\r\n\r\na",
    _POST + b"Expect: \x80\r\nContent-Length: 0\r\n\r\n",
    _POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    _POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\na",
    _POST + b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\nX: y\r\n\r\n",
    _POST + b"Content-Length: 99999999999999999999\r\n\r\n",
    _POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    _POST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"POST /webhooks/gr4vy HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % one for one in range(100)) + b"\r\n",
    b"POST /webhooks/" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    _POST + b"X: a\x00b\r\n\r\n",
    b"POST /webhooks/gr4vy HTTP/9.9\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\x00" * 32,
    b"\r\n\r\n\r\n",
    b"",
)


class Conversations:
    """An edge, and the event loop it lives in."""

    def __init__(self) -> None:
        """Listen until `close`."""
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self.edge: Edge = self._loop.run_until_complete(self._stack.enter_async_context(open_edge()))

    def close(self) -> None:
        """Put the edge away."""
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()

    def send(self, given: bytes, *, is_whole: bool = False) -> bytes:
        """Send bytes on a connection and return what comes back.

        Of what is a whole request until the edge hangs up; of anything else until it is silent for a while.
        """
        quiet_s = PATIENCE_S if is_whole else _QUIET_S
        return self._loop.run_until_complete(self._send(given + _LAST, quiet_s))

    async def _send(self, given: bytes, quiet_s: float) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, edge_of(self.edge.app).port)
        heard = b""
        try:
            writer.write(given)
            # A part of a request is waited for longer than anybody fuzzes: what was not said by then is not.
            with suppress(TimeoutError):
                while part := await asyncio.wait_for(reader.read(65_536), quiet_s):
                    heard += part
        except ConnectionError:
            # They hung up on what they would not read on.
            return heard
        finally:
            writer.close()
        return heard


@cache
def conversations() -> Conversations:
    """Return the one edge of this process."""
    return Conversations()


def close() -> None:
    """Put the edge away, if one was opened."""
    if conversations.cache_info().currsize:
        conversations().close()
        conversations.cache_clear()


def seeds() -> Iterator[bytes]:
    """Give what providers send, in two ways of HTTP, and what no provider sends."""
    edge = conversations().edge
    for provider in PROVIDERS:
        event = edge.event_of(provider)
        yield b"raw\n" + _request(provider, event)
        yield b"raw\n" + _chunked(provider, event)
        yield b"raw\n" + _request(provider, event) + _request(provider, event)
    yield from (b"raw\n" + one for one in _ODD)


def try_one(given: bytes) -> None:
    """Send an input as it is; what comes back is bare, nothing is our fault, and others are served."""
    held = conversations()
    _, _, request = given.partition(b"\n")
    for status, headers, body in answers(held.send(request)):
        assert status in _STATUSES, status
        assert headers <= _HEADERS, headers
        assert body in _BODIES, body
    faults = [fault for _, fault in held.edge.heard.faults]
    held.edge.heard.faults.clear()
    for fault in faults:
        if not isinstance(fault, WebhookRejected | WebhookUnreadable):
            raise fault
    good = held.send(_request("jeudimerci", held.edge.event_of("jeudimerci")), is_whole=True)
    assert [status for status, _, _ in answers(good)] == [200, 404], good


def answers(heard: bytes) -> Iterator[tuple[int, set[str], bytes]]:
    """Read the answers on a connection: status, names of headers, body."""
    while heard:
        head, end, heard = heard.partition(b"\r\n\r\n")
        assert end, head
        first, *lines = head.decode("ascii").split("\r\n")
        found = re.fullmatch(r"HTTP/\d\.\d (\d{3}) [\w -]*", first)
        assert found, first
        headers = dict(line.lower().split(": ", 1) for line in lines)
        size = int(headers.get("content-length", 0))
        yield int(found[1]), set(headers), heard[:size]
        heard = heard[size:]


def _head(provider: str, event: SimRequest, *more: str) -> bytes:
    given = {name: value for name, value in event.headers.items() if name.lower() != "content-length"}
    lines = [f"{name}: {value}" for name, value in given.items()]
    text = "\r\n".join((f"POST /webhooks/{provider} HTTP/1.1", "Host: x", *lines, *more, "", ""))
    return text.encode("latin-1")


def _request(provider: str, event: SimRequest) -> bytes:
    return _head(provider, event, f"Content-Length: {len(event.body)}") + event.body


def _chunked(provider: str, event: SimRequest) -> bytes:
    half = len(event.body) // 2
    chunks = (event.body[:half], event.body[half:], b"")
    written = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return _head(provider, event, "Transfer-Encoding: chunked") + written
