"""What a hostile or broken provider may do to our own engine, byte by byte and over real sockets."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from giftcard_adapters.connection import Http1Connection
from giftcard_adapters.engine import PoolLimits
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.http1 import Http1
from giftcard_adapters.roundtrip import Origin, Outgoing, RoundTrips, over
from giftcard_adapters.transport import open_transport
from tests.adapters.transport.wire import OK, Line, Script, Wire, keep, serve, then

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
KEPT = b"HTTP/1.1 200 OK\r\n"


class FakeTransport(asyncio.Transport):
    """A socket that takes everything, and says what was done to it."""

    def __init__(self) -> None:
        """Have a socket to look at."""
        super().__init__({"socket": socket.socket()})
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take everything at once."""
        self.sent.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Expect to be asked to tell of every byte that waits."""
        assert (high, low) == (0, None)

    def get_write_buffer_size(self) -> int:
        """Say that nothing waits."""
        return 0

    def is_closing(self) -> bool:
        """Say whether it was closed."""
        return self.is_closed

    def abort(self) -> None:
        """Close at once."""
        self.is_closed = True
        self.get_extra_info("socket").close()

    close = abort


def asked(*, is_head: bool = False, limit_bytes: int = 1000) -> tuple[Http1Connection, FakeTransport]:
    """Return a connection on which a request was sent."""
    connection, transport = Http1Connection(), FakeTransport()
    connection.connection_made(transport)
    connection.write(b"GET / HTTP/1.1\r\n\r\n", is_head=is_head, limit_bytes=limit_bytes)
    return connection, transport


WHOLE: dict[str, tuple[bytes, bytes, bool]] = {
    "length": (KEPT + b"X: y\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "chunks": (
        KEPT + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nT: v\r\n\r\n",
        b"hello",
        True,
    ),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK,
        b"ok",
        True,
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", True),
    "goodbye": (KEPT + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_split_anywhere(name: str) -> None:
    """However an answer is cut into two reads, or into single bytes, it is the same answer."""
    answer, body, is_kept = WHOLE[name]
    cuts = [[answer[:at], answer[at:]] for at in range(1, len(answer))]
    for pieces in [*cuts, [answer[at : at + 1] for at in range(len(answer))]]:
        connection, transport = asked()
        for piece in pieces:
            connection.data_received(piece)
        assert await connection.whole() == body
        assert connection.release() is is_kept is not transport.is_closed
        transport.abort()


@pytest.mark.parametrize("name", WHOLE)
async def test_cut_anywhere(name: str) -> None:
    """However early a connection ends, a part is never taken for the whole, and was not never sent."""
    answer, _, _ = WHOLE[name]
    for at in range(len(answer)):
        for end in ("eof", "reset"):
            connection, transport = asked()
            if at:
                connection.data_received(answer[:at])
            if end == "eof":
                connection.eof_received()
            connection.connection_lost(ConnectionResetError() if end == "reset" else None)
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await connection.whole()
            assert connection.release() is False
            transport.abort()


TWO_READINGS = {
    "two lengths": KEPT + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "lengths that differ": KEPT + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a list of lengths": KEPT + b"Content-Length: 2, 2\r\n\r\nok",
    "a signed length": KEPT + b"Content-Length: +2\r\n\r\nok",
    "an endless length": KEPT + b"Content-Length: 99999999999999999999\r\n\r\nok",
    "length and chunks": KEPT + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": KEPT + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "chunked twice": KEPT + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two headers": KEPT
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": KEPT + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": KEPT + b"Transfer-Encoding: identity\r\n\r\nok",
    "a blank before the colon": KEPT + b"Content-Length : 2\r\n\r\nok",
    "a folded line": KEPT + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "a null byte": KEPT + b"X: a\x00b\r\nContent-Length: 2\r\n\r\nok",
    "another protocol asked for": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a bad size of a chunk": KEPT + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
    "a chunk that goes on": KEPT + b"Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", TWO_READINGS)
async def test_two_readings(name: str) -> None:
    """An answer that another reader would read differently is none, and its connection is closed."""
    connection, transport = asked()
    connection.data_received(TWO_READINGS[name])
    with pytest.raises(httpx.RemoteProtocolError):
        await connection.whole()
    assert transport.is_closed


FLOODS = {
    "headers": KEPT + b"X: y\r\n" * 20_000,
    "one header": KEPT + b"X: " + b"y" * 100_000,
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000,
    "an extension of a chunk": KEPT + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 300_000,
    "trailers": KEPT + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 60_000,
}


@pytest.mark.parametrize("name", FLOODS)
async def test_floods(name: str) -> None:
    """What comes beside a body is bounded, however it comes."""
    flood = FLOODS[name]
    connection, transport = asked()
    for start in range(0, len(flood), 16_384):
        connection.data_received(flood[start : start + 16_384])
        if transport.is_closed:
            break
    with pytest.raises(httpx.RemoteProtocolError):
        await connection.whole()


async def test_too_large() -> None:
    """A body larger than the limit is unreadable, told by its pieces and not by its length."""
    connection, transport = asked(limit_bytes=10)
    connection.data_received(KEPT + b"Content-Length: 11\r\n\r\n0123456789")
    assert not transport.is_closed
    connection.data_received(b"x")
    with pytest.raises(Unreadable):
        await connection.whole()
    assert transport.is_closed


async def test_small_chunks() -> None:
    """A body in chunks of one byte each is a body, as large as any."""
    connection, transport = asked(limit_bytes=200_000)
    connection.data_received(KEPT + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(1_000):
        connection.data_received(b"1\r\nx\r\n" * 200)
    connection.data_received(b"0\r\n\r\n")
    assert len(await connection.whole()) == 200_000
    transport.abort()


async def test_head_has_no_body() -> None:
    """An answer to HEAD ends with its head, and nothing is kept that might still send the body."""
    connection, transport = asked(is_head=True)
    connection.data_received(KEPT + b"Content-Length: 5\r\n\r\n")
    assert await connection.whole() == b""
    assert connection.release() is False
    assert transport.is_closed


async def test_body_without_length() -> None:
    """A body that ends with the connection is whole when the connection is ended, not when it is cut."""
    for is_ended in (True, False):
        connection, _ = asked()
        connection.data_received(KEPT + b"\r\nhel")
        connection.data_received(b"lo")
        if is_ended:
            connection.eof_received()
        connection.connection_lost(None)
        if is_ended:
            assert await connection.whole() == b"hello"
        else:
            with pytest.raises(httpx.ReadError):
                await connection.whole()


@pytest.mark.parametrize("more", [b"x", OK, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("is_one_read", [True, False])
async def test_bytes_behind(more: bytes, *, is_one_read: bool) -> None:
    """Bytes behind an answer neither change it nor reach the next: the connection is not kept."""
    connection, transport = asked()
    for piece in [OK + more] if is_one_read else [OK, more]:
        connection.data_received(piece)
    assert await connection.whole() == b"ok"
    assert connection.status == 200
    assert connection.release() is False
    assert transport.is_closed


async def test_bytes_unasked() -> None:
    """Bytes on an idle connection close it."""
    connection, transport = asked()
    connection.data_received(OK)
    await connection.whole()
    assert connection.release()
    connection.data_received(OK)
    assert transport.is_closed
    assert not connection.is_open


async def test_spoke_first() -> None:
    """A server that speaks before it is asked is not asked."""
    connection, transport = Http1Connection(), FakeTransport()
    connection.connection_made(transport)
    connection.data_received(OK)
    assert not connection.is_open
    assert transport.is_closed
    assert transport.sent == []


def outgoing(wire: Wire, *, body: bytes = b"{}", timeout_s: float = 30.0, method: str = "POST") -> Outgoing:
    """Return a request to a server."""
    return Outgoing(
        origin=Origin.of(httpx.URL(wire.url)),
        method=method,
        target="/cards",
        headers=[],
        body=body,
        name="exchange",
        timeout_s=timeout_s,
        connect_s=timeout_s,
    )


@pytest.fixture(params=["own", "httpx"])
def trips(request: pytest.FixtureRequest) -> RoundTrips:
    """Open each engine with one connection."""
    limits = PoolLimits(connections=1)
    return over(open_transport("own" if request.param == "own" else "httpx", limits=limits))


async def dripping(line: Line) -> None:
    """Answer with a body that never ends, a byte at a time."""
    await line.hear()
    await line.say(KEPT + b"Content-Length: 100000\r\n\r\n")
    while True:
        await line.say(b"x")
        await asyncio.sleep(0.01)


async def test_slow_drip(trips: RoundTrips) -> None:
    """A body that drips does not hold a round trip longer than its time, and gives its place back."""
    async with serve(dripping) as wire:
        with pytest.raises(httpx.ReadTimeout):
            await trips.roundtrip(outgoing(wire, timeout_s=3.0))
    async with serve(keep) as wire:
        assert (await trips.roundtrip(outgoing(wire))).body == b"ok"
    await trips.aclose()


@pytest.mark.parametrize("is_reset", [True, False])
async def test_closed_after_reading(trips: RoundTrips, *, is_reset: bool) -> None:
    """A provider that reads the request and hangs up may have acted on it."""
    async with serve(then(is_reset=is_reset)) as wire:
        with pytest.raises(httpx.HTTPError) as caught:
            await trips.roundtrip(outgoing(wire))
        assert not isinstance(caught.value, NEVER_SENT)
        assert wire.connections == 1
    await trips.aclose()


async def test_answered_before_it_was_read() -> None:
    """An answer to half a request is that request's answer; its connection is not used again."""
    is_over = asyncio.Event()
    waiting: list[Line] = []

    async def script(line: Line) -> None:
        if waiting:
            await keep(line)
        waiting.append(line)
        await line.hear_head()
        await line.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await is_over.wait()

    trips = own(1)
    async with serve(script) as wire:
        # More than the operating system takes while nobody reads.
        reply = await trips.roundtrip(outgoing(wire, body=b"x" * 32_000_000))
        assert reply.status == 413
        assert (await trips.roundtrip(outgoing(wire))).body == b"ok"
        assert wire.connections == 2
        is_over.set()
    await trips.aclose()


CLOSING: dict[str, Script] = {
    "goodbye": then(KEPT + b"Connection: close\r\nContent-Length: 2\r\n\r\nok"),
    "no length": then(KEPT + b"\r\nok"),
    "reset behind": then(OK, is_reset=True),
}


@pytest.mark.parametrize("name", CLOSING)
async def test_last_answer(name: str) -> None:
    """A connection that ended with its answer is not used again."""
    trips = own(1)
    async with serve(CLOSING[name]) as wire:
        for number in range(1, 4):
            try:
                assert (await trips.roundtrip(outgoing(wire))).body == b"ok"
            except httpx.ReadError:
                assert name == "reset behind", "only a reset may overtake the answer before it"
            await wire.lost.wait()
            wire.lost.clear()
            assert wire.connections == number
    await trips.aclose()


def own(connections: int, keepalive_s: float = 60.0) -> Http1:
    """Open our own engine."""
    opened = open_transport("own", limits=PoolLimits(connections=connections, keepalive_s=keepalive_s))
    assert isinstance(opened, Http1)
    return opened


async def test_idle_limit() -> None:
    """We hang up on a connection that was idle too long, without being asked for another exchange."""
    trips = own(1, keepalive_s=0.05)
    async with serve(keep) as wire:
        await trips.roundtrip(outgoing(wire))
        await wire.lost.wait()
        await trips.roundtrip(outgoing(wire))
        assert wire.connections == 2
    await trips.aclose()


async def test_version_six() -> None:
    """An address of IP version 6 is connected to, and written into Host with its brackets."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IP version 6")
    port = server.sockets[0].getsockname()[1]
    trips = own(1)
    request = httpx.Request("GET", f"http://[::1]:{port}/a")
    response = await trips.handle_async_request(request)
    assert await response.aread() == b"ok"
    assert f"Host: [::1]:{port}\r\n".encode() in heard[0]
    await trips.aclose()
    server.close()


@pytest.mark.parametrize(
    "bad",
    [
        {"method": "GE T"},
        {"target": "/a b"},
        {"target": "/a\r\nX: y"},
        {"headers": [("X", "a\r\nY: b")]},
        {"headers": [("X", "a\nb")]},
        {"headers": [("X: y\r\nZ", "a")]},
        {"headers": [("", "a")]},
        {"headers": [("X", "ü")]},
        {"headers": [("X", "a\x00")]},
    ],
)
async def test_unwritable(bad: dict[str, object]) -> None:
    """A request that would be read as another one is not written, and nothing is connected for it."""
    trips = own(1)
    async with serve(keep) as wire:
        sent = outgoing(wire)
        for name, value in bad.items():
            setattr(sent, name, value)
        with pytest.raises(httpx.LocalProtocolError):
            await trips.roundtrip(sent)
        assert wire.connections == 0
    await trips.aclose()


async def test_framing_is_ours() -> None:
    """Headers that would say where a request ends are replaced by what is true."""
    heard: list[bytes] = []

    async def script(line: Line) -> None:
        heard.append(await line.hear())
        await line.say(OK)

    trips = own(1)
    async with serve(script) as wire:
        sent = outgoing(wire, body=b"four")
        sent.headers += [("content-length", "1"), ("Transfer-Encoding", "chunked"), ("HOST", "elsewhere")]
        await trips.roundtrip(sent)
    assert heard[0].lower().count(b"content-length") == 1
    assert b"elsewhere" not in heard[0]
    assert b"chunked" not in heard[0]
    assert heard[0].endswith(b"four")
    await trips.aclose()
