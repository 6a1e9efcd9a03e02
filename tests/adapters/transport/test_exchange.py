"""What is sent is what was written, and what comes is handed on as it came: both engines, both loops."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from giftcard_adapters.engine import Engine, PoolLimits
from giftcard_adapters.transport import open_transport
from tests.adapters.transport.wire import OK, Line, Whole, keep, post, serve, then

Transport = httpx.AsyncBaseTransport


class TestPlainExchange:
    """What is sent is what was written, and what comes is handed on as it came."""

    async def test_bytes_sent(self, transport: Transport) -> None:
        """Path, query, header names and body go out byte for byte; nothing is added but the framing."""
        heard: list[bytes] = []

        async def script(line: Line) -> None:
            heard.append(await line.hear())
            await line.say(OK)

        async with serve(script) as wire:
            url = f"http://localhost:{wire.port}/a%2Fb%20c?q=%7B%22x%22%3A1%7D&r=a+b"
            await post(transport, url)
        head, _, body = heard[0].partition(b"\r\n\r\n")
        first, *headers = head.split(b"\r\n")
        assert first == b"POST /a%2Fb%20c?q=%7B%22x%22%3A1%7D&r=a+b HTTP/1.1"
        assert body == b'{"amount": 5}'
        assert {name.split(b":")[0] for name in headers} == {
            b"Host", b"X-Key", b"Content-Length", b"Accept-Encoding",
        }  # fmt: skip

    async def test_no_redirect(self, transport: Transport) -> None:
        """A redirect is an answer like any other; nothing follows it."""
        async with serve(then(b"HTTP/1.1 307 Go\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")) as wire:
            answer = await post(transport, wire.url)
        assert answer.status_code == 307
        assert wire.connections == 1

    async def test_no_cookies(self, transport: Transport) -> None:
        """A cookie set by one answer is not sent with the next call."""
        heard: list[bytes] = []

        async def script(line: Line) -> None:
            while True:
                heard.append(await line.hear())
                await line.say(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

        async with serve(script) as wire:
            await post(transport, wire.url)
            answer = await post(transport, wire.url)
        assert answer.headers["set-cookie"] == "a=b"
        assert b"cookie" not in heard[1].lower()

    async def test_packed_answer(self, transport: Transport) -> None:
        """An answer that comes packed though it was not asked to is unpacked once."""
        packed = gzip.compress(b"hello")
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        async with serve(then(head + packed)) as wire:
            answer = await post(transport, wire.url)
        assert answer.content == b"hello"

    async def test_streamed_answer(self, transport: Transport) -> None:
        """A body is handed on while it still comes."""
        if isinstance(transport, Whole):
            pytest.skip("a round trip is whole")
        go_on = asyncio.Event()

        async def script(line: Line) -> None:
            await line.hear()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            await go_on.wait()
            await line.say(b"rest")

        async with serve(script) as wire:
            answer = await transport.handle_async_request(httpx.Request("GET", wire.url))
            pieces = aiter(answer.aiter_bytes())
            assert await anext(pieces) == b"half"
            go_on.set()
            assert await anext(pieces) == b"rest"
            await answer.aclose()

    @pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints"])
    async def test_interim_answer(self, transport: Transport, status: bytes) -> None:
        """An interim answer is not the answer."""
        async with serve(then(b"HTTP/1.1 " + status + b"\r\n\r\n" + OK)) as wire:
            assert (await post(transport, wire.url)).status_code == 200

    async def test_streamed_request(self, transport: Transport) -> None:
        """A request whose body is made in pieces is sent whole."""
        heard: list[bytes] = []

        async def script(line: Line) -> None:
            heard.append(await line.hear())
            await line.say(OK)

        async def pieces() -> AsyncIterator[bytes]:
            yield b"ab"
            yield b"cd"

        async with serve(script) as wire:
            request = httpx.Request("POST", wire.url, content=pieces(), headers={"Content-Length": "4"})
            answer = await transport.handle_async_request(request)
            await answer.aread()
            await answer.aclose()
        assert heard[0].endswith(b"\r\n\r\nabcd")


async def test_environment_is_not_read(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy named in the environment is not used: only the configuration decides where requests go."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    transport = open_transport(engine=engine, limits=PoolLimits(connections=1))
    async with serve(keep) as wire:
        assert (await post(transport, wire.url)).status_code == 200
        await transport.aclose()
