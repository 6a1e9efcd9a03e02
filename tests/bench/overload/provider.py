"""A provider that costs next to nothing: it approves what Electrum's paths name, and keeps each id.

`python -m tests.bench.overload.provider PORT FILE` serves until SIGTERM, then writes the ids into FILE, a
line each, in the order in which they came.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import cast

import uvloop

_CARD = '"card":{"pan":"604500******0061","expiryDate":"4912"}'
_AMOUNTS = ",".join(
    f'"{name}":{{"amount":{amount},"currency":"710"}}'
    for name, amount in (("requestAmount", 100), ("approvedAmount", 100), ("availableBalance", 40000))
)
_ANSWER = '{"id":"%s","time":"2026-11-25T12:00:00.000Z","thirdPartyIdentifiers":[],"rrn":"261125000001",'


class Provider(asyncio.Protocol):
    """One connection, on which requests come one after another."""

    def __init__(self, asked: list[str]) -> None:
        """Put each id into `asked`."""
        self._asked = asked
        self._unread = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer on."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is there whole."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].decode("latin-1")
            length = next(
                (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")),
                0,
            )
            if len(self._unread) < end + 4 + length:
                return
            self._unread = self._unread[end + 4 + length :]
            self._answer(head.split(" ", 2)[1])

    def _answer(self, path: str) -> None:
        name = path.rpartition("/")[2]
        self._asked.append(name)
        body = (_ANSWER % name + _CARD + ',"amounts":{' + _AMOUNTS + "}}").encode()
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )


async def serve(port: int, file: Path) -> None:
    """Serve until SIGTERM, then write the ids down."""
    asked: list[str] = []
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Provider(asked), "127.0.0.1", port)
    await stop.wait()
    server.close()
    file.write_text("".join(f"{one}\n" for one in asked), encoding="ascii")  # noqa: ASYNC240 - nothing else runs


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
