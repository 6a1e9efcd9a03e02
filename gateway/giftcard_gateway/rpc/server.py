"""The gRPC server: its options, health, reflection and channelz, and draining.

What the services do is in `services`; what surrounds each call is in `rpc`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import grpc
import grpc.aio
from grpc_channelz.v1 import channelz
from grpc_channelz.v1.channelz_pb2_grpc import add_ChannelzServicer_to_server
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse

from giftcard_gateway.errors import OperatorError
from giftcard_gateway.rpc import reflection
from giftcard_gateway.rpc.certificates import Certificates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from giftcard_gateway.config.settings import Server as Settings
    from giftcard_gateway.rpc.guard import Guard


CHANNELZ = "grpc.channelz.v1.Channelz"
_NEVER = 2**31 - 1
_LISTENERS, _CONNECTIONS = 4, 256
"""How many of gRPC's servers share our port at most, and how many connections each has at least.

Each of them takes one call in a turn of the loop, and the next only after a change to another thread and
back. With one of them calls wait in gRPC, where nobody sees them, while few are inside; eight gain nothing.
"""
_LAST_WORD_S = 0.5
"""How long the last answers may take to reach their callers."""


SEAL = "giftcard.seal"
"""The name in health checks that tells whether this process has every key it needs."""

CELL = "cell/"
"""What stands before a cell's name in health checks."""


class PortTaken(OperatorError):
    """The gRPC port cannot be listened on; the text says which."""


class Server:
    """The gRPC server of one process; several of gRPC's own stand behind it."""

    def __init__(
        self,
        settings: Settings,
        handlers: Sequence[grpc.GenericRpcHandler],
        names: Sequence[str],
        *,
        guard: Guard,
        cell: str = "",
    ) -> None:
        """Make the server with every service registered; nothing listens yet. Raises TlsUnusable.

        Health checks also know the cell that is served, by its name after CELL.
        """
        self._settings = settings
        self._names = [*names, CELL + cell] if cell else names
        self._health = health.HealthServicer()
        self._listeners = min(_LISTENERS, max(1, settings.max_connections // _CONNECTIONS))
        self._servers = [
            grpc.aio.server(options=_options(settings, self._listeners)) for _ in range(self._listeners)
        ]
        # Each hears of a new certificate by itself, so each has its own.
        self._certificates = [Certificates("server.tls", settings.tls) for _ in self._servers if settings.tls]
        self._held: socket.socket | None = None
        health_pb2_grpc.add_HealthServicer_to_server(self._health, guard)  # type: ignore[arg-type]  # it has the two calls used
        served = [*names, HEALTH]
        if settings.channelz:
            add_ChannelzServicer_to_server(channelz.aio.ChannelzServicer(), guard)
            served.append(CHANNELZ)
        if settings.reflection:
            reflection.enable(guard, served)
        for server in self._servers:
            server.add_generic_rpc_handlers((*handlers, *guard.handlers))
        self.port = 0

    async def start(self) -> None:
        """Listen and answer health checks; NOT_SERVING until `serve`. Raises PortTaken."""
        await self._tell_health(is_serving=False)
        listen = self._settings.listen
        if self._listeners > 1 and self._settings.workers == 1:
            self._held = hold_port(listen)
            listen = f"{listen.rpartition(':')[0]}:{self._held.getsockname()[1]}"
        try:
            for place, server in enumerate(self._servers):
                self.port = (
                    server.add_secure_port(listen, self._certificates[place].for_grpc())
                    if self._certificates
                    else server.add_insecure_port(listen)
                )
        except RuntimeError:
            self._let_go()
            raise PortTaken(
                f"cannot listen on {self._settings.listen}: the port is taken or the address is not ours"
            ) from None
        for server in self._servers:
            await server.start()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    async def _stop(self, grace_s: float) -> None:
        await asyncio.gather(*(server.stop(grace_s) for server in self._servers))

    async def serve(self) -> None:
        """Tell health checks that every service is ready."""
        await self._tell_health(is_serving=True)

    async def tell_seal(self, *, is_whole: bool) -> None:
        """Tell health checks of the name SEAL whether every open transaction can be opened here.

        The whole server's health does not depend on it: the others are served, and a host that has the key
        drives what this one cannot.
        """
        status = HealthCheckResponse.SERVING if is_whole else HealthCheckResponse.NOT_SERVING
        await self._health.set(SEAL, status)

    async def pause(self) -> None:
        """Tell health checks to send callers elsewhere; calls are still answered."""
        await self._tell_health(is_serving=False)

    async def leave(self) -> None:
        """Tell health checks for good to send callers elsewhere: `serve` changes nothing any more.

        Calls are still answered, until `drain`.
        """
        await self._health.enter_graceful_shutdown()

    async def drain(self, grace_s: float, idle: Awaitable[None]) -> None:
        """Refuse new calls, let those in flight finish for `grace_s`, then stop listening.

        Once our services are `idle` it is over: whoever watches health or reflection has no end.
        """
        await self.leave()
        stopping = asyncio.ensure_future(self._stop(grace_s))
        working = asyncio.ensure_future(idle)
        await asyncio.wait((stopping, working), return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        await self._stop(_LAST_WORD_S)
        await stopping
        self._let_go()

    async def _tell_health(self, *, is_serving: bool) -> None:
        status = HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, status)


def hold_port(listen: str) -> socket.socket:
    """Bind an address for several processes to share, and refuse if somebody else has it.

    gRPC starts a second server on a shared port without a word, so the port is first bound alone.
    The socket never listens; keep it open for as long as the port is ours.
    """
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = (host.strip("[]"), int(port))
    with socket.socket(family) as alone:
        # Connections of a life that ended a moment ago do not count; a listener still does.
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            alone.bind(address)
        except OSError:
            raise PortTaken(
                f"cannot listen on {listen}: the port is taken or the address is not ours"
            ) from None
    held = socket.socket(family)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(address)
    return held


def _options(settings: Settings, listeners: int) -> list[tuple[str, int]]:
    milliseconds = 1000
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_metadata_size", settings.max_metadata_bytes),
        # Between this limit and the other gRPC refuses by chance.
        ("grpc.absolute_max_metadata_size", settings.max_metadata_bytes),
        ("grpc.max_connection_age_ms", int(settings.max_connection_age_s * milliseconds)),
        ("grpc.max_connection_age_grace_ms", int(settings.max_connection_age_grace_s * milliseconds)),
        ("grpc.keepalive_time_ms", int(settings.keepalive_s * milliseconds)),
        ("grpc.keepalive_timeout_ms", int(settings.keepalive_timeout_s * milliseconds)),
        ("grpc.http2.min_ping_interval_without_data_ms", int(settings.min_ping_interval_s * milliseconds)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.max_connection_idle_ms", int(settings.max_connection_idle_s * milliseconds)),
        ("grpc.server_handshake_timeout_ms", int(settings.handshake_s * milliseconds)),
        ("grpc.max_allowed_incoming_connections", settings.max_connections // listeners),
        # With it, even a connection that keeps to its number of calls had 3,000 of 4,000 refused.
        ("grpc.http.overload_protection", 0),
        ("grpc.max_concurrent_streams", settings.max_calls_per_connection),
        # Between these limits of its own gRPC refuses by chance and without a word.
        ("grpc.server.max_pending_requests", _NEVER),
        ("grpc.server.max_pending_requests_hard_limit", _NEVER),
        # What waits longer for us gRPC ends as CANCELLED, without a word; by default after 30 seconds.
        ("grpc.server_max_unrequested_time_in_server", _NEVER),
        # Only servers of one gateway share a port; see hold_port.
        ("grpc.so_reuseport", int(settings.workers > 1 or listeners > 1)),
    ]
