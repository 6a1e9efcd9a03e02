"""Serves a design written by hand: `python -m tests.bench.compare.servers DESIGN PORT PROVIDER [DATABASE]`.

It says `serves` on standard output once it does, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
import uvloop
from grpc.aio import ServerInterceptor

from giftcard.v1.gift_card_service_pb2_grpc import (
    GiftCardServiceServicer,
    add_GiftCardServiceServicer_to_server,
)

ON_UVLOOP = {"noop", "strong"}


@asynccontextmanager
async def opened(
    design: str, provider: str, database: str
) -> AsyncIterator[tuple[GiftCardServiceServicer, Sequence[ServerInterceptor]]]:
    """Give a design's servicer and its interceptors; import nothing that another one needs."""
    if design == "noop":
        from tests.bench.compare.servers.noop import Noop  # noqa: PLC0415 - see above

        yield Noop(), ()  # type: ignore[abstract]  # as generated, a method not written answers UNIMPLEMENTED
    elif design == "strong":
        from tests.bench.compare.servers.strong import Strong  # noqa: PLC0415 - see above

        async with Strong.opened(provider) as strong:
            yield strong, ()
    elif design == "naive":
        from tests.bench.compare.servers.naive import Naive  # noqa: PLC0415 - see above

        async with Naive.opened(provider) as naive:
            yield naive, ()
    elif design == "usual":
        from tests.bench.compare.servers.usual import Usual, traced  # noqa: PLC0415 - see above

        interceptor = traced()
        async with Usual.opened(provider, database) as usual:
            yield usual, (interceptor,)
    else:
        raise SystemExit(f"no design is called {design}")


async def serve(design: str, port: str, provider: str, database: str = "") -> None:
    """Serve until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with opened(design, provider, database) as (servicer, interceptors):
        server = grpc.aio.server(interceptors=interceptors)
        add_GiftCardServiceServicer_to_server(servicer, server)
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        print("serves", flush=True)  # noqa: T201 - whoever started us waits for it
        await ended.wait()
        await server.stop(0)


if __name__ == "__main__":
    design, *others = sys.argv[1:]
    run = uvloop.run if design in ON_UVLOOP else asyncio.run
    run(serve(design, *others))
