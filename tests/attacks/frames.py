"""HTTP/2 frames by hand (RFC 9113), for what no well-behaved client library will send."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from contextlib import suppress

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACK, END_STREAM, END_HEADERS = 0x1, 0x1, 0x4
CANCEL = 8
MAX_CONCURRENT_STREAMS = 3
_HEAD = 9


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def headers(path: str) -> bytes:
    """Return the header block of a gRPC call: literals without indexing and without Huffman codes."""
    named = ((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "attack"))
    more = (("te", "trailers"), ("content-type", "application/grpc"))
    return b"".join(
        b"\x00" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
        for name, value in (*named, *more)
    )


class Connection:
    """One raw connection; counts the frames that come back, by kind, until it is closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.heard = Counter[int]()
        self.farewell = b""
        """The text of the server's GOAWAY, if it sent one."""
        self.announced: dict[int, int] = {}
        """What the server's SETTINGS say, by their identifiers."""
        self.greeted = asyncio.Event()
        self.closed = asyncio.Event()
        self._listening = asyncio.ensure_future(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readexactly(_HEAD)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                self.heard[head[3]] += 1
                if head[3] == GOAWAY:
                    self.farewell = payload[8:]
                if head[3] == SETTINGS and not head[4] & ACK:
                    self.announced.update(struct.iter_unpack(">HI", payload))
                    self.greeted.set()
                    self.writer.write(frame(SETTINGS, ACK, 0))
        self.closed.set()

    async def send(self, *frames: bytes) -> bool:
        """Send frames; False once the other side has closed."""
        if self.closed.is_set():
            return False
        try:
            self.writer.write(b"".join(frames))
            await self.writer.drain()
        except OSError:
            return False
        return True

    async def close(self) -> None:
        """Hang up."""
        self._listening.cancel()
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


async def connect(port: int) -> Connection:
    """Open a connection and say hello."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = Connection(reader, writer)
    await connection.send(PREFACE, frame(SETTINGS, 0, 0))
    return connection
