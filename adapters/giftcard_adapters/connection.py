"""One HTTP/1.1 connection to a provider: one request at a time goes out on it, and one answer comes.

It knows what was handed to the socket and what came unasked, and nothing of pools and limits in time. The
parser is llhttp, through httptools; framing that can be read in two ways is refused, by it or here.
"""

from __future__ import annotations

import asyncio
import select
from typing import cast

import httptools
import httpx

from giftcard_adapters.errors import Unreadable

_HEAD_LIMIT_BYTES = 64 * 1024
"""Of an answer's head, with the interim answers before it."""
_FRAMING_RATIO = 16
"""How many bytes may arrive for each byte of a body; a body in chunks of one byte needs six."""
_BUFFER_BYTES = 256 * 1024
"""What may wait for a reader of pieces before the provider is made to wait."""
_INTERIM_BELOW = 200
_SWITCHING = 101
_BODILESS = (204, 304)

_IDLE, _HEAD, _BODY, _DONE, _DEAD = range(5)
"""The states: nothing asked; no final head yet; no whole body yet; the answer is here; broken or closed."""


class Http1Connection(asyncio.Protocol):
    """One connection and the answer that comes on it; made by the event loop, used by one task at a time."""

    def __init__(self) -> None:
        """Wait to be connected."""
        self.idle_since_s = 0.0
        """When its last exchange ended, by the loop's clock; kept by the owner."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._arrived = select.poll()
        self._waiter: asyncio.Future[None] | None = None
        self._is_deaf = False
        """Whether the operating system takes no more of the request for now."""
        self._is_reading = True
        self._begin(is_head=False, limit_bytes=None)

    def _begin(self, *, is_head: bool, limit_bytes: int | None) -> None:
        self._state = _IDLE
        self._fault: Exception | None = None
        self._is_head = is_head
        self._limit_bytes = limit_bytes
        self._may_keep = False
        self._ends_with_connection = False
        self._arrived_bytes = 0
        self._allowed_bytes = _HEAD_LIMIT_BYTES
        self._body_bytes = 0
        self._waiting_bytes = 0
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []

    # What its owner does.

    @property
    def is_open(self) -> bool:
        """Whether it is there, and nothing was read from it that was not asked for."""
        return self._state == _IDLE and self._transport is not None and not self._transport.is_closing()

    @property
    def is_unspoiled(self) -> bool:
        """Whether it is open, and nothing waits in the operating system, neither bytes nor the end."""
        return self.is_open and not self._arrived.poll(0)

    def write(self, request: bytes, *, is_head: bool, limit_bytes: int | None) -> None:
        """Hand a whole request to the socket, once; from here on it may have been sent.

        A body larger than `limit_bytes` is Unreadable; without a limit its reader holds it back.
        """
        if self._transport is None:
            raise httpx.ConnectError("not connected")
        self._begin(is_head=is_head, limit_bytes=limit_bytes)
        self._state = _HEAD
        self._transport.write(request)

    async def written(self) -> None:
        """Wait until the operating system has taken the whole request, or there is no need to."""
        while self._is_deaf and self._state == _HEAD:
            await self._wait()

    async def head(self) -> None:
        """Wait for the head of the answer; raise what broke it."""
        while self._state == _HEAD:
            await self._wait()
        if not self.status:
            self._raise()

    async def piece(self) -> bytes:
        """Wait for more of the body, and return it; empty at the end. Raises what broke it."""
        while not self._pieces and self._state == _BODY:
            await self._wait()
        if not self._pieces:
            self._raise()
        return self._taken()

    async def whole(self) -> bytes:
        """Wait for the whole answer, and return its body; raise what broke it."""
        while _IDLE < self._state < _DONE:
            await self._wait()
        self._raise()
        return self._taken()

    def expire(self) -> None:
        """Give up: there was no answer in time."""
        self._break(httpx.ReadTimeout("no answer in time"))

    def release(self) -> bool:
        """End the exchange; False, and the connection is closed, when it cannot carry another one."""
        transport = self._transport
        if (
            self._state == _DONE
            and self._may_keep
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()  # answered before the request was taken
        ):
            self._taken()
            self._state = _IDLE
            return True
        self.abort()
        return False

    def close(self) -> None:
        """Close it; nothing is under way."""
        self._state = _DEAD
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self._state = _DEAD
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _raise(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._state == _DEAD:
            raise httpx.ReadError("the connection was closed")

    def _taken(self) -> bytes:
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting_bytes = 0
        if not self._is_reading and self._transport is not None:
            self._is_reading = True
            self._transport.resume_reading()
        return body

    def _break(self, fault: Exception) -> None:
        self._may_keep = False
        if self._state != _DONE:  # an answer that is whole stays so, whatever follows it
            if self._state != _DEAD:
                self._fault = fault
            self._state = _DEAD
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._wake()

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own are no subclass of it
        self._transport.set_write_buffer_limits(high=0)
        self._arrived.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if not _IDLE < self._state < _DONE:
            self._break(httpx.RemoteProtocolError("bytes came unasked"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break(httpx.RemoteProtocolError("the answer is not HTTP"))
            return
        self._arrived_bytes += len(data)
        if self._arrived_bytes > self._allowed_bytes:
            self._break(httpx.RemoteProtocolError("the answer is more framing than content"))

    def eof_received(self) -> None:
        """Take the end: of a body without a length, or of everything."""
        if self._state == _BODY and self._ends_with_connection:
            self._done()
        elif self._state == _HEAD and not self._arrived_bytes:
            self._break(httpx.RemoteProtocolError("closed without an answer"))
        else:
            self._break(httpx.RemoteProtocolError("the answer broke off"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Take notice that it is gone."""
        self._break(httpx.ReadError("the connection broke" if exc else "the connection was closed"))

    def pause_writing(self) -> None:
        """Take notice that the operating system takes no more for now."""
        self._is_deaf = True

    def resume_writing(self) -> None:
        """Take notice that it has taken everything."""
        self._is_deaf = False
        self._wake()

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Take notice of a second answer right behind the first."""
        if self._state == _DONE:
            self._may_keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; those behind a body in chunks are dropped."""
        if self._state == _HEAD:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Pass over an interim answer, or decide where the body ends."""
        if self._state != _HEAD:
            return
        status = self._parser.get_status_code()
        if status < _INTERIM_BELOW and status != _SWITCHING:
            self.headers.clear()
            return
        is_framed = status in _BODILESS
        codings = []
        for name, value in self.headers:
            kind = name.lower()
            if kind == b"content-length":
                is_framed = True
            elif kind == b"transfer-encoding":
                codings.append(value.lower())
        is_ours = not codings or codings == [b"chunked"]
        if status == _SWITCHING or not is_ours or not self._parser.get_http_version().startswith("1."):
            self._break(httpx.RemoteProtocolError("the answer is in another protocol"))
            return
        self.status = status
        self._state = _BODY
        self._ends_with_connection = not is_framed and not codings
        self._allowed_bytes = self._arrived_bytes + 2 * _HEAD_LIMIT_BYTES
        if self._is_head:
            self._done()
        elif self._limit_bytes is None:
            self._wake()

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        if self._state != _BODY:
            return
        size = len(piece)
        self._allowed_bytes += _FRAMING_RATIO * size
        self._body_bytes += size
        self._pieces.append(piece)
        if self._limit_bytes is None:
            self._hold_back(size)
        elif self._body_bytes > self._limit_bytes:
            self._break(Unreadable("the answer is larger than any this provider documents"))

    def on_message_complete(self) -> None:
        """Finish the answer."""
        if self._state == _BODY:
            self._may_keep = self._parser.should_keep_alive()
            self._done()

    def _done(self) -> None:
        self._state = _DONE
        self._wake()

    def _hold_back(self, size: int) -> None:
        self._wake()
        self._waiting_bytes += size
        if self._is_reading and self._waiting_bytes > _BUFFER_BYTES and self._transport is not None:
            self._is_reading = False
            self._transport.pause_reading()
