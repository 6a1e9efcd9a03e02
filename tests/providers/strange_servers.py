"""Servers no simulator plays: one that never answers, and one whose export is as long as you like."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.world.app import HOST

_PIECE = bytes(range(256)) * 256
"""64 KiB that are not all alike."""


class Tarpit:
    """Reads requests and never answers; notes when somebody came and when they hung up."""

    def __init__(self) -> None:
        """Begin with nobody there."""
        self.came = asyncio.Event()
        self.left = asyncio.Event()
        self.url = ""

    def forget(self) -> None:
        """Wait for somebody new."""
        self.came.clear()
        self.left.clear()

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one connection until the other side ends it."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.came.set()
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        finally:
            self.left.set()
            writer.close()


@asynccontextmanager
async def tarpit() -> AsyncIterator[Tarpit]:
    """Serve a tarpit on a free port."""
    pit = Tarpit()
    server = await asyncio.start_server(pit.hold, HOST, 0)
    pit.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield pit


class LongExport:
    """One export of so many pieces of 64 KiB, sent only as fast as it is read."""

    def __init__(self, pieces: int) -> None:
        """Have sent nothing yet."""
        self.pieces = pieces
        self.sent_bytes = 0
        self.break_off_at = self.size_bytes + 1
        """After so many bytes the connection is cut."""
        self.cut = asyncio.Event()
        self.url = ""

    @property
    def size_bytes(self) -> int:
        """Return how long the file is."""
        return self.pieces * len(_PIECE)

    def digest(self) -> str:
        """Return the SHA-256 of the whole file."""
        told = hashlib.sha256()
        for _ in range(self.pieces):
            told.update(_PIECE)
        return told.hexdigest()

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Send the file; note when the other side hung up before its end."""
        answer = web.StreamResponse(
            headers={"content-type": "text/csv", "content-length": str(self.size_bytes)}
        )
        await answer.prepare(request)
        try:
            for _ in range(self.pieces):
                await answer.write(_PIECE)
                self.sent_bytes += len(_PIECE)
                if self.sent_bytes >= self.break_off_at and request.transport is not None:
                    request.transport.abort()
        except ConnectionError:
            self.cut.set()
            raise
        return answer


@asynccontextmanager
async def long_export(pieces: int) -> AsyncIterator[LongExport]:
    """Serve a long export on a free port, whatever its path is."""
    export = LongExport(pieces)
    application = web.Application()
    application.router.add_get("/{path:.*}", export.send)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    # Left to itself the kernel lets send and receive buffers grow with the machine's mood.
    listener = socket.create_server((HOST, 0))
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        listener.setsockopt(socket.SOL_SOCKET, option, 256 * 1024)
    try:
        await web.SockSite(runner, listener).start()
        export.url = f"http://{HOST}:{runner.addresses[0][1]}"
        yield export
    finally:
        await runner.cleanup()
