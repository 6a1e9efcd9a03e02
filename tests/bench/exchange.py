"""What an exchange with a provider costs this process, engine by engine: CPU microseconds, least of many.

The provider is a child process that answers at once, so its CPU is not counted. The engines take turns in
one run; only their ratios hold on another machine. `python -m tests.bench.exchange`
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import aiohttp
import httpx
import uvloop

from giftcard_adapters.calls import Call, Moment, Reply
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.transport import open_transport

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from giftcard_adapters.engine import Engine

Trip = Callable[[], Awaitable[object]]
_BODY = b'{"amount": {"amount": 10000, "currency": "710"}, "card": {"pan": "6045000000000061"}}' * 3
_ANSWER = b"".join(
    (
        b"HTTP/1.1 201 Created\r\nServer: nginx\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\n",
        b"Content-Type: application/json\r\nContent-Length: 250\r\nConnection: keep-alive\r\n\r\n",
        b"x" * 250,
    )
)
_CALL = Call(
    method="POST",
    path="/redemptions/5f0c6f1e-7a63-4b6e-9f0a-111111111111",
    body=_BODY,
    headers=(("Content-Type", "application/json"), ("Accept", "application/json")),
)


class _Provider(asyncio.Protocol):
    """Answers each request, which comes in one write, at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport
        self._length = 0

    def data_received(self, data: bytes) -> None:
        """Answer when the body is here; its end is known."""
        if data.endswith(_BODY[-10:]):
            self._transport.write(_ANSWER)  # type: ignore[attr-defined]  # a stream's


def provide(port: Connection) -> None:
    """Serve until killed, and say where."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Provider, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


async def _exchange(stack: AsyncExitStack, engine: Engine, url: str) -> Exchange:
    exchange = Exchange(
        base_url=url,
        transport=open_transport(engine),
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
        timeout_s=30.0,
    )
    stack.push_async_callback(exchange.aclose)
    return exchange


async def trips(stack: AsyncExitStack, url: str) -> dict[str, Trip]:
    """Return what makes one exchange, by design."""
    own, other = await _exchange(stack, "own", url), await _exchange(stack, "httpx", url)
    session = await stack.enter_async_context(aiohttp.ClientSession())
    client = await stack.enter_async_context(httpx.AsyncClient())
    headers = {**dict(_CALL.headers), "Authorization": "Basic x"}

    def sent(exchange: Exchange) -> Awaitable[Reply]:
        return exchange.send(_CALL, sign=lambda *_: {"Authorization": "Basic x"}, name="redeem")

    async def pieces() -> None:
        async with own.open(_CALL, sign=lambda *_: {"Authorization": "Basic x"}, name="redeem") as answer:
            await answer.aread()

    async def by_aiohttp() -> None:
        async with session.post(url + _CALL.path, data=_BODY, headers=headers) as answer:
            await answer.read()

    async def by_httpx() -> None:
        await client.post(url + _CALL.path, content=_BODY, headers=headers)

    return {
        "Exchange.send, engine own": lambda: sent(own),
        "Exchange.open, engine own": pieces,
        "Exchange.send, engine httpx": lambda: sent(other),
        "aiohttp's session alone": by_aiohttp,
        "httpx's client alone": by_httpx,
    }


async def measured(url: str, rounds: int, at_once: int, exchanges: int) -> dict[str, float]:
    """Return the least CPU microseconds of an exchange, by design."""
    least: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        designs = await trips(stack, url)
        for number in range(rounds + 1):
            for name, trip in designs.items():
                began_s = time.process_time()
                for _ in range(exchanges // at_once):
                    await asyncio.gather(*(trip() for _ in range(at_once)))
                cost_us = (time.process_time() - began_s) / exchanges * 1e6
                if number:  # the first round warms up
                    least[name] = min(cost_us, least.get(name, cost_us))
    return least


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.exchange", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--exchanges", type=int, default=160)
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    provider = multiprocessing.get_context("spawn").Process(target=provide, args=(theirs,))
    provider.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}"
        for at_once in (1, 16):
            least = uvloop.run(measured(url, given.rounds, at_once, given.exchanges))
            for name, cost_us in least.items():
                ratio = cost_us / min(least.values())
                sys.stdout.write(f"{at_once:3} at once  {cost_us:7.0f} µs  {ratio:5.1f}  {name}\n")
    finally:
        provider.kill()


if __name__ == "__main__":
    main()
