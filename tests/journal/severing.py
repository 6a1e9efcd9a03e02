"""A wire to a PostgreSQL server that can be cut at the worst moment: when a commit is sent, or is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


@dataclass
class Wire:
    """Carries bytes between clients and a server. `marker` in what a client sends tells the moment to cut."""

    server: Path
    marker: bytes = b""
    is_cut_before: bool = False
    """Cut before the server gets the message, instead of after it has answered."""
    cuts: int = 0
    links: set[asyncio.Task[None]] = field(default_factory=set)

    def cut_at(self, marker: bytes, *, before: bool) -> None:
        """Cut the next connection that carries `marker`, once."""
        self.marker, self.is_cut_before = marker, before

    async def link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side is gone or the wire is cut."""
        from_server, to_server = await asyncio.open_unix_connection(str(self.server / SOCKET))
        doomed = asyncio.Event()
        up = asyncio.ensure_future(self._up(reader, to_server, doomed))
        down = asyncio.ensure_future(self._down(from_server, writer, doomed))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also when the test is over and cancels what still runs.
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            to_server.close()
            writer.close()

    async def _up(
        self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while sent := await reader.read(65_536):
            if self.marker and self.marker in sent:
                self.marker = b""
                self.cuts += 1
                if self.is_cut_before:
                    return
                doomed.set()
            to_server.write(sent)

    async def _down(
        self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while answer := await from_server.read(65_536):
            if doomed.is_set():
                return
            writer.write(answer)


@asynccontextmanager
async def wire(folder: Path, server: Path) -> AsyncIterator[Wire]:
    """Run a wire; clients reach it through the socket in `folder`."""
    made = Wire(server)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        made.links.add(task)
        with suppress(OSError, asyncio.CancelledError):
            await made.link(reader, writer)
        made.links.discard(task)

    listening = await asyncio.start_unix_server(serve, str(folder / SOCKET))
    try:
        yield made
    finally:
        listening.close()
        for task in tuple(made.links):
            task.cancel()
        await asyncio.gather(*made.links, return_exceptions=True)
