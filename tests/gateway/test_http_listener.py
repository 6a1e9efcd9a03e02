"""What every HTTP port of ours bounds, whatever is served on it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from giftcard_gateway.http.listener import HttpListener
from tests.patience import PATIENCE_S
from tests.world.app import HOST

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Caller:
    """A connection that its test ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep both ends."""
        self._reader, self._writer = reader, writer

    async def is_served(self) -> bool:
        """Ask, and tell whether it was answered before the connection ended."""
        try:
            self._writer.write(REQUEST)
            return (await asyncio.wait_for(self._reader.read(65_536), PATIENCE_S)).startswith(b"HTTP/1.1")
        except ConnectionError:
            return False

    async def leave(self) -> None:
        """Hang up."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def test_idle_connections_take_no_more_than_their_share() -> None:
    """Whoever opens many holds so many files of the process; who is there goes on, who left makes room."""
    listener = HttpListener("console", f"{HOST}:0", None, most_connections=2)
    await listener.start(web.Application())
    callers = list[Caller]()

    async def call() -> Caller:
        callers.append(Caller(*await asyncio.open_connection(HOST, listener.port)))
        return callers[-1]

    async def is_room() -> bool:
        return await (await call()).is_served()

    try:
        first, second = await call(), await call()
        assert [await first.is_served(), await second.is_served()] == [True, True]
        assert not await is_room()
        await first.leave()
        async with asyncio.timeout(PATIENCE_S):
            while not await is_room():
                pass
        assert await second.is_served()
    finally:
        for one in callers:
            await one.leave()
        await listener.stop()
