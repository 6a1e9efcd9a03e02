"""A simulator as an httpx transport inside the process, with the same faults as over a port.

Waiting is `asyncio.sleep` and nothing else, so an event loop with virtual time skips it.
"""

from __future__ import annotations

import asyncio

import httpx

from giftcard_simulators.faults import Script
from giftcard_simulators.sandbox import SimRequest, Simulator
from giftcard_simulators.stage import Cut, Performance, Stage


class SimulatorTransport(httpx.AsyncBaseTransport):
    """Hands httpx requests to a simulator; honours the read timeout in `request.extensions`.

    A request whose sender stopped waiting is still acted on, as a real provider would: so a
    delayed request can arrive after its own reversal.
    """

    def __init__(self, simulator: Simulator, script: Script | None = None) -> None:
        """Keep the simulator; `script` can be shared and rewritten by whoever made it."""
        self.script = Script() if script is None else script
        self._stage = Stage(simulator, self.script, can_refuse=True)
        self._late: set[asyncio.Task[Performance]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one exchange; raises ConnectError, RemoteProtocolError, ReadError or ReadTimeout."""
        asked = SimRequest(
            method=request.method,
            path=request.url.raw_path.partition(b"?")[0].decode("ascii"),
            query=request.url.query.decode("ascii"),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.aread(),
        )
        performance = await self._play(asked, _read_timeout_s(request))
        if performance.cut is not None:
            raise _cut(performance.cut, request)
        answer = performance.answer
        return httpx.Response(
            answer.status,
            headers={**answer.headers, "content-length": str(len(answer.body))},
            content=answer.body,
            request=request,
        )

    async def _play(self, asked: SimRequest, timeout_s: float | None) -> Performance:
        work = asyncio.ensure_future(self._stage.play(asked))
        self._late.add(work)
        work.add_done_callback(self._late.discard)
        done, _ = await asyncio.wait({work}, timeout=timeout_s)
        if not done:
            raise httpx.ReadTimeout("the simulator did not answer in time")
        return work.result()


def _read_timeout_s(request: httpx.Request) -> float | None:
    timeout = request.extensions.get("timeout", {})
    read = timeout.get("read")
    return float(read) if read is not None else None


def _cut(cut: Cut, request: httpx.Request) -> httpx.TransportError:
    if cut is Cut.REFUSED:
        return httpx.ConnectError("the simulator refused the connection", request=request)
    if cut is Cut.UNACTED:
        return httpx.RemoteProtocolError("the simulator cut the connection", request=request)
    return httpx.ReadError("the simulator cut the connection", request=request)
