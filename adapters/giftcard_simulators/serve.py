"""Serves a simulator on a real port with aiohttp."""

from __future__ import annotations

import errno
from http.client import responses

import aiohttp
from aiohttp import web

from giftcard_simulators.faults import Script
from giftcard_simulators.sandbox import SimAnswer, SimRequest, Simulator
from giftcard_simulators.stage import Performance, Post, Stage

_BODY_LIMIT_BYTES = 1024 * 1024
"""No documented request comes near this; aiohttp answers 413 beyond it."""
_SEND_S = 10.0
"""How many seconds an event may take to be answered."""
_GRACE_S = 1.0
"""How many seconds `close` waits for answers under way; a later one is cut off."""


class Served:
    """A simulator on a port, until it is closed."""

    def __init__(self, stage: Stage, runner: web.AppRunner, host: str, port: int) -> None:
        """Keep what is needed to describe and to close it."""
        self.simulator = stage.simulator
        self.script = stage.script
        self.host = host
        self.port = port
        self._runner = runner

    @property
    def url(self) -> str:
        """The root URL, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    async def close(self) -> None:
        """Stop listening and cut what is still open."""
        await self._runner.cleanup()


async def serve(
    simulator: Simulator, host: str, port: int, *, script: Script | None = None, webhooks_url: str = ""
) -> Served:
    """Serve a simulator and its `/_sandbox/` paths; port 0 takes a free one.

    Its events go to `webhooks_url`, unless an act names another address.

    Raises OSError, with a sentence a person can act on, when the port cannot be had.
    """
    stage = Stage(
        simulator, Script() if script is None else script, can_refuse=False, post=_sender(webhooks_url)
    )
    runner = web.AppRunner(_application(stage), access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as fault:
        await runner.cleanup()
        raise _no_port(fault, simulator.name, host, port) from fault
    return Served(stage, runner, host, int(runner.addresses[0][1]))


def _sender(webhooks_url: str) -> Post:
    async def post(event: SimRequest, url: str) -> int:
        if not (url or webhooks_url):
            raise OSError("`url` must say where to send it")
        timeout = aiohttp.ClientTimeout(total=_SEND_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url or webhooks_url, data=event.body, headers=dict(event.headers)) as answer,
            ):
                return answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as fault:
            raise OSError(type(fault).__name__) from None

    return post


def _no_port(fault: OSError, name: str, host: str, port: int) -> OSError:
    why = "the port is taken" if fault.errno == errno.EADDRINUSE else "the address cannot be used"
    return OSError(fault.errno, f"the {name} simulator cannot listen on {host}:{port}: {why}")


def _application(stage: Stage) -> web.Application:
    async def handle(request: web.Request) -> web.StreamResponse:
        performance = await stage.play(
            SimRequest(
                method=request.method,
                path=request.rel_url.raw_path,
                query=request.rel_url.raw_query_string,
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.read(),
            )
        )
        return _send(request, performance)

    application = web.Application(client_max_size=_BODY_LIMIT_BYTES)
    application.router.add_route("*", "/{path:.*}", handle)
    return application


def _send(request: web.Request, performance: Performance) -> web.StreamResponse:
    answer = performance.answer
    transport = request.transport
    if transport is not None and performance.cut is not None:
        transport.abort()
    elif transport is not None and performance.copies > 1:
        transport.write(_wire_bytes(answer) * performance.copies)
        transport.close()
    # On a connection cut or closed above, aiohttp finds that it cannot write this one, and is done.
    return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


def _wire_bytes(answer: SimAnswer) -> bytes:
    head = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}"]
    head += [f"{name}: {value}" for name, value in answer.headers.items()]
    head += [f"content-length: {len(answer.body)}", "", ""]
    return "\r\n".join(head).encode("latin-1") + answer.body
