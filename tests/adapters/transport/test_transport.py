"""What the wire to a provider says when it fails, over real sockets, with both engines on both loops."""

from __future__ import annotations

import asyncio
import socket
import time

import httpx
import pytest

from giftcard_adapters.transport import open_transport
from tests.adapters.transport.wire import OK, Line, Script, keep, mute, post, serve, then
from tests.patience import PATIENCE_S
from tests.world.app import until

Transport = httpx.AsyncBaseTransport
CARD = "6045001122334455"
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


async def fault_of(
    transport: Transport, url: str, *, limits_s: httpx.Timeout | None = None, method: str = "POST"
) -> httpx.HTTPError:
    """Make an exchange that fails, and check that its fault tells nothing of the card."""
    with pytest.raises(httpx.HTTPError) as caught:
        await post(transport, url, limits_s=limits_s, method=method)
    assert CARD not in f"{caught.value!s}{caught.value!r}"
    assert caught.value.__suppress_context__ or not isinstance(caught.value.__context__, OSError)
    return caught.value


class TestNeverSent:
    """Faults before a byte left: safe to call a failure."""

    async def test_refused(self, transport: Transport) -> None:
        """A port nobody listens on is ConnectError."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            fault = await fault_of(transport, f"http://127.0.0.1:{port}/cards/{CARD}")
        assert type(fault) is httpx.ConnectError

    async def test_unknown_host(self, transport: Transport) -> None:
        """A host without an address (RFC 6761 reserves .invalid) is ConnectError."""
        # How long a machine's resolver takes to say no is not what is tested.
        fault = await fault_of(
            transport, f"http://nowhere.invalid/cards/{CARD}", limits_s=httpx.Timeout(PATIENCE_S)
        )
        assert type(fault) is httpx.ConnectError

    async def test_connect_timeout(self, transport: Transport) -> None:
        """A host that does not take the connection in time is ConnectTimeout."""
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for other in (first, second):
                other.setblocking(False)
                other.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}/cards/{CARD}"
            fault = await fault_of(transport, url, limits_s=httpx.Timeout(PATIENCE_S, connect=0.05))
        assert type(fault) is httpx.ConnectTimeout

    async def test_pool_exhausted(self, transport: Transport) -> None:
        """A third exchange through two connections is PoolTimeout, and its request is never heard."""
        async with serve(mute) as wire:
            patient_s = httpx.Timeout(PATIENCE_S)
            running = [asyncio.ensure_future(post(transport, wire.url, limits_s=patient_s)) for _ in range(2)]
            await until(lambda: wire.connections == 2)
            fault = await fault_of(transport, wire.url, limits_s=httpx.Timeout(PATIENCE_S, pool=0.05))
            assert wire.connections == 2
            for call in running:
                call.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        assert type(fault) is httpx.PoolTimeout

    @pytest.mark.parametrize("url", ["ftp://localhost/x", "http:///x", "/cards/1"])
    async def test_no_address(self, transport: Transport, url: str) -> None:
        """An address HTTP cannot go to is UnsupportedProtocol."""
        assert type(await fault_of(transport, url)) is httpx.UnsupportedProtocol

    async def test_closed(self, transport: Transport) -> None:
        """A closed transport connects nowhere."""
        async with serve(keep) as wire:
            await post(transport, wire.url)
            await transport.aclose()
            assert type(await fault_of(transport, wire.url)) is httpx.ConnectError


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"
MAYBE_SENT: dict[str, tuple[Script, set[type[httpx.HTTPError]]]] = {
    "closed": (then(), {httpx.RemoteProtocolError, httpx.ReadError}),
    "reset": (then(is_reset=True), {httpx.RemoteProtocolError, httpx.ReadError}),
    "half a head": (then(b"HTTP/1.1 200 OK\r\nConte"), {httpx.RemoteProtocolError}),
    "half a body": (then(HALF), {httpx.RemoteProtocolError}),
    "half a body, reset": (then(HALF, is_reset=True), {httpx.RemoteProtocolError, httpx.ReadError}),
    "garbage": (then(b"\x00\x01 what\r\n\r\n"), {httpx.RemoteProtocolError}),
    "another protocol": (then(b"SSH-2.0-OpenSSH_9.2\r\n"), {httpx.RemoteProtocolError}),
    "bad chunk": (
        then(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        {httpx.RemoteProtocolError},
    ),
}


class TestMaybeSent:
    """Faults after the request went out: the outcome is unknown, and must never look like never sent."""

    @pytest.mark.parametrize("name", MAYBE_SENT)
    async def test_broken_answer(self, transport: Transport, name: str) -> None:
        """However the provider breaks off after the request, the fault says that it may have been sent."""
        script, allowed = MAYBE_SENT[name]
        async with serve(script) as wire:
            fault = await fault_of(transport, wire.url)
        assert type(fault) in allowed

    async def test_no_answer(self, transport: Transport) -> None:
        """No answer in time is ReadTimeout."""
        async with serve(mute) as wire:
            fault = await fault_of(transport, wire.url, limits_s=httpx.Timeout(PATIENCE_S, read=0.05))
        assert type(fault) is httpx.ReadTimeout

    async def test_silent_body(self, transport: Transport) -> None:
        """A body that stops coming is ReadTimeout."""

        async def script(line: Line) -> None:
            await line.hear()
            await line.say(HALF)
            await line.end()

        async with serve(script) as wire:
            fault = await fault_of(transport, wire.url, limits_s=httpx.Timeout(PATIENCE_S, read=0.05))
        assert type(fault) is httpx.ReadTimeout

    async def test_dripping_head(self, transport: Transport) -> None:
        """A head that comes byte by byte does not hold a call for ever: its limits together end it."""

        async def script(line: Line) -> None:
            await line.hear()
            await line.say(b"HTTP/1.1 200 OK\r\n")
            is_heard.set()
            while True:
                await line.say(b"X: y\r\n")
                await asyncio.sleep(0.02)

        is_heard = asyncio.Event()
        limits_s = httpx.Timeout(PATIENCE_S, read=0.1, connect=0.1, write=0.1)
        async with serve(script) as wire, asyncio.timeout(PATIENCE_S):
            fault = await fault_of(transport, wire.url, limits_s=limits_s)
            while not is_heard.is_set():  # a slow machine had not got so far when the time was over
                assert isinstance(fault, httpx.TimeoutException)
                fault = await fault_of(transport, wire.url, limits_s=limits_s)
        assert type(fault) is httpx.ReadTimeout

    async def test_deaf_provider(self, transport: Transport) -> None:
        """A body the provider never reads ends in time too."""

        async def script(_: Line) -> None:
            await asyncio.Event().wait()

        limits_s = httpx.Timeout(PATIENCE_S, read=0.1, write=0.1)
        async with serve(script) as wire:
            with pytest.raises(httpx.TimeoutException) as caught:
                await post(transport, wire.url, body=b"x" * 900_000, limits_s=limits_s)
        assert not isinstance(caught.value, NEVER_SENT)

    async def test_unwritable_header(self, transport: Transport) -> None:
        """A header that would end the line is not sent."""
        async with serve(keep) as wire:
            request = httpx.Request("POST", wire.url, headers={"X-Key": "k\r\nX-Other: 1"}, content=b"{}")
            with pytest.raises(httpx.LocalProtocolError):
                await transport.handle_async_request(request)


class TestKeptConnections:
    """Connections used again: nothing is sent twice, and no answer is taken for another's."""

    @pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
    async def test_at_most_once(self, transport: Transport, method: str) -> None:
        """A kept connection that breaks under a request is not a reason to send it again, by any method."""
        heard: list[bytes] = []

        async def script(line: Line) -> None:
            heard.append(await line.hear())
            await line.say(OK)
            heard.append(await line.hear())

        async with serve(script) as wire:
            await post(transport, wire.url, method=method)
            try:
                await post(transport, wire.url, method=method)
            except httpx.HTTPError as fault:
                assert not isinstance(fault, NEVER_SENT)  # noqa: PT017 -- an engine may open a connection
            await asyncio.sleep(0.02)
        assert len(heard) == 2

    @pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
    async def test_lost_answer_once(self, transport: Transport, method: str) -> None:
        """A request heard and not answered is heard once, by any method."""
        heard: list[bytes] = []

        async def script(line: Line) -> None:
            heard.append(await line.hear())

        async with serve(script) as wire:
            fault = await fault_of(transport, wire.url, method=method)
        assert len(heard) == 1
        assert not isinstance(fault, NEVER_SENT)

    async def test_stale_connection(self, transport: Transport) -> None:
        """A connection the provider closed while idle is not used: the next call is answered."""

        async def script(line: Line) -> None:
            await line.hear()
            await line.say(OK)

        async with serve(script) as wire:
            assert (await post(transport, wire.url)).content == b"ok"
            await wire.lost.wait()
            assert (await post(transport, wire.url)).content == b"ok"
            assert wire.connections == 2

    async def test_closed_unseen(self, transport: Transport) -> None:
        """A close that the event loop has not seen yet is found out before the request is written."""
        with socket.socket() as listening:
            listening.settimeout(PATIENCE_S)
            listening.bind(("127.0.0.1", 0))
            listening.listen(8)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            first = asyncio.ensure_future(post(transport, url))
            kept = await asyncio.to_thread(_answer_one, listening)
            await first
            second = asyncio.ensure_future(asyncio.to_thread(_answer_one, listening))
            kept.close()
            assert (await post(transport, url)).content == b"ok"
            (await second).close()

    @pytest.mark.parametrize("pause_s", [None, 0.0, 0.05], ids=["one write", "two writes", "later"])
    @pytest.mark.parametrize("is_chunked", [False, True])
    async def test_second_answer(self, transport: Transport, pause_s: float | None, is_chunked: bool) -> None:
        """A second answer to one call is never read as the answer to the next call."""
        calls = iter(range(100))

        async def script(line: Line) -> None:
            while True:
                await line.hear()
                answer = _numbered(next(calls), is_chunked=is_chunked)
                if pause_s is None:
                    await line.say(answer + answer)
                    continue
                head, _, rest = answer.partition(b"\r\n\r\n")
                await line.say(head + b"\r\n\r\n")
                await asyncio.sleep(0.01)
                await line.say(rest + (answer if pause_s == 0.0 else b""))
                await asyncio.sleep(pause_s)
                await line.say(answer)
                said.release()

        said = asyncio.Semaphore(0)
        async with serve(script) as wire:
            for number in range(4):
                assert (await post(transport, wire.url)).content == b"%d" % number
                if pause_s is not None:
                    await said.acquire()
                await asyncio.sleep(0.02)  # for what was said to arrive: nothing tells us of it

    async def test_reuse(self) -> None:
        """Our own engine uses one connection for calls that follow each other."""
        transport = open_transport()
        async with serve(keep) as wire:
            for _ in range(5):
                await post(transport, wire.url)
            await transport.aclose()
            assert wire.connections == 1


class TestPool:
    """A cancelled call gives its place back."""

    async def test_after_cancellations(self, transport: Transport) -> None:
        """After a second of cancellations at every moment of an exchange, calls go through."""

        async def script(line: Line) -> None:
            while True:
                await line.hear()
                await asyncio.sleep(0.002)
                await line.say(HALF[:20])
                await asyncio.sleep(0.002)
                await line.say(HALF[20:-1], b"x" * 500)

        async with serve(script) as wire:
            end_s = time.monotonic() + 1.0
            delay_s = 0.0
            while time.monotonic() < end_s:
                calls = [asyncio.ensure_future(post(transport, wire.url)) for _ in range(8)]
                await asyncio.sleep(delay_s)
                delay_s = (delay_s + 0.0007) % 0.012
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
            answers = await asyncio.gather(*(post(transport, wire.url) for _ in range(6)))
        assert [len(answer.content) for answer in answers] == [500] * 6

    async def test_after_faults(self, transport: Transport) -> None:
        """Every kind of broken answer gives its place back."""
        for script, _ in MAYBE_SENT.values():
            async with serve(script) as wire:
                await fault_of(transport, wire.url)
        async with serve(keep) as wire:
            await asyncio.gather(*(post(transport, wire.url) for _ in range(6)))

    async def test_half_read(self, transport: Transport) -> None:
        """An answer closed before its end frees its place and does not leave its rest to the next call."""

        async def script(line: Line) -> None:
            while True:
                await line.hear()
                await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x" * 100_000)

        async with serve(script) as wire:
            for _ in range(5):
                request = httpx.Request("GET", wire.url)
                answer = await transport.handle_async_request(request)
                await answer.aclose()
                await answer.aclose()
            assert len((await post(transport, wire.url)).content) == 100_000


def _numbered(number: int, *, is_chunked: bool) -> bytes:
    if is_chunked:
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n%d\r\n0\r\n\r\n" % number
    return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number


def _answer_one(listening: socket.socket) -> socket.socket:
    kept, _ = listening.accept()
    kept.recv(65536)
    kept.sendall(OK)
    return kept
