"""A server of raw bytes on a real socket, which does to a request what a test says; and a call to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from giftcard_adapters.roundtrip import Origin, Outgoing, over
from tests.patience import PATIENCE_S

Script = Callable[["Line"], Awaitable[None]]
"""What the server does on one connection; when it returns, the connection is closed."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Line:
    """One connection, as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def hear(self) -> bytes:
        """Read one whole request."""
        head = await self.hear_head()
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return head + await self._reader.readexactly(length)

    async def hear_head(self) -> bytes:
        """Read no more than the head of a request."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def say(self, *pieces: bytes) -> None:
        """Send each piece, one write after the other."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def end(self) -> None:
        """Wait until the other side hangs up."""
        await self._reader.read()

    def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        self._writer.transport.abort()


class Wire:
    """The server: where it is, and every request it heard, in order."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.heard: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.scheme = "http"
        self.lost = asyncio.Event()

    @property
    def url(self) -> str:
        """Give the address of one card, to see that no text repeats it."""
        return f"{self.scheme}://localhost:{self.port}/cards/6045001122334455?pin=1234"

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play the script on one connection."""
        self.connections += 1
        line = Line(reader, writer)
        try:
            await self._script(line)
        except (OSError, asyncio.IncompleteReadError):
            return  # the caller hung up, which a script may bring about
        finally:
            writer.close()
            self.lost.set()


@asynccontextmanager
async def serve(script: Script, context: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Serve a script on a free port of this machine."""
    wire = Wire(script)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(wire.attend(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    wire.port = server.sockets[0].getsockname()[1]
    wire.scheme = "https" if context else "http"
    try:
        yield wire
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def then(*pieces: bytes, is_reset: bool = False) -> Script:
    """Hear one request, send pieces, and close or reset."""

    async def script(line: Line) -> None:
        await line.hear()
        await line.say(*pieces)
        if is_reset:
            line.reset()

    return script


async def keep(line: Line) -> None:
    """Answer every request on the connection."""
    while True:
        await line.hear()
        await line.say(OK)


async def mute(line: Line) -> None:
    """Hear everything and never answer."""
    await line.end()


async def post(
    transport: httpx.AsyncBaseTransport,
    url: str,
    *,
    method: str = "POST",
    body: bytes = b'{"amount": 5}',
    limits_s: httpx.Timeout | None = None,
) -> httpx.Response:
    """Make one exchange and read its answer whole."""
    request = httpx.Request(
        method,
        url,
        content=body,
        headers={"X-Key": "k"},
        extensions={"timeout": (limits_s or httpx.Timeout(PATIENCE_S)).as_dict()},
    )
    answer = await transport.handle_async_request(request)
    try:
        await answer.aread()
    finally:
        await answer.aclose()
    return answer


class Whole(httpx.AsyncBaseTransport):
    """Makes each exchange of a transport as a whole round trip."""

    def __init__(self, wire: httpx.AsyncBaseTransport) -> None:
        """Keep the transport behind."""
        self._wire = over(wire)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make a round trip within the time to read, and at least what connecting takes on a busy machine."""
        limits_s = httpx.Timeout(5).as_dict() | request.extensions.get("timeout", {})
        reply = await self._wire.roundtrip(
            Outgoing(
                origin=Origin.of(request.url),
                method=request.method,
                target=request.url.raw_path.decode(),
                headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
                body=await request.aread(),
                name="exchange",
                timeout_s=max(2.0, limits_s["read"] or 0.0),
                connect_s=min(limits_s["pool"] or 5.0, limits_s["connect"] or 5.0),
            )
        )
        headers = {name: value for name, value in reply.headers.items() if name != "content-encoding"}
        return httpx.Response(reply.status, headers=headers, content=reply.body)

    async def aclose(self) -> None:
        """Close the transport behind."""
        await self._wire.aclose()
