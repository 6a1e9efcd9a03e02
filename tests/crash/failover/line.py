"""The line between two regions: passes bytes on, can stand still, and loses what is on it when it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.world.app import HOST

_CHUNK = 65_536


@dataclass
class Line:
    """Passes connections on to one port of this machine."""

    to_port: int
    port: int = 0
    """Where it listens; set while it is open."""
    _flows: asyncio.Event = field(default_factory=asyncio.Event)
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)
    _passing: set[asyncio.Task[None]] = field(default_factory=set)

    def stand_still(self) -> None:
        """Pass nothing more on; who sends does not notice before the line is full."""
        self._flows.clear()

    def cut(self) -> None:
        """Lose what is on the line, and every connection; new ones pass again."""
        for end in self._ends:
            end.transport.abort()
        self._flows.set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Line]:
        """Listen until the block ends."""
        self._flows.set()
        server = await asyncio.start_server(self._begin, HOST, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._passing)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(HOST, self.to_port)
            self._ends |= {writer, far_writer}
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            self._ends -= {writer, far_writer}
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while read := await reader.read(_CHUNK):
                await self._flows.wait()
                writer.write(read)
                await writer.drain()
        writer.close()
