"""One HTTP port of ours: what each has in common, whatever is served on it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web

from giftcard_gateway.http.quiet import QuietRunner
from giftcard_gateway.rpc.certificates import Certificates
from giftcard_gateway.rpc.server import PortTaken

if TYPE_CHECKING:
    from giftcard_gateway.config.tls import ListenerTls

_SHUTDOWN_S = 5.0
_IDLE_S = 30.0
"""How long a connection may be silent, or take over its headers."""
_LINGER_S = 1.0
"""How long the rest of a refused body is read, so that its sender hears the refusal."""
_MOST_HEADERS = 64

_wire_log = logging.getLogger(f"{__name__}.wire")
# What aiohttp says of a request it cannot read quotes it; our own faults are told to the observer.
_wire_log.setLevel(logging.CRITICAL)


class HttpListener:
    """Listens where one table of the settings says, such as `[webhooks]`."""

    def __init__(
        self, table: str, listen: str, tls: ListenerTls | None, *, most_connections: int = 512
    ) -> None:
        """Read the certificate; nothing listens yet. Of more connections at once each is closed unheard."""
        self._table = table
        self._listen = listen
        self._most_connections = most_connections
        self._certificates = Certificates(f"{table}.tls", tls) if tls else None
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """Return the port listened on, 0 while none is."""
        return 0 if self._runner is None else int(self._runner.addresses[0][1])

    async def start(self, application: web.Application, *, is_port_shared: bool = False) -> None:
        """Serve an application; raises PortTaken."""
        application.on_response_prepare.append(_keep_quiet)
        host, _, port = self._listen.rpartition(":")
        runner = QuietRunner(
            application,
            access_log=None,
            logger=_wire_log,
            shutdown_timeout=_SHUTDOWN_S,
            keepalive_timeout=_IDLE_S,
            lingering_time=_LINGER_S,
            max_headers=_MOST_HEADERS,
            # A signature is over the bytes as they came; and a bomb stays packed.
            auto_decompress=False,
        )
        runner.most_connections = self._most_connections
        await runner.setup()
        try:
            context = self._certificates.for_http() if self._certificates else None
            site = web.TCPSite(
                runner, host.strip("[]"), int(port), reuse_port=is_port_shared, ssl_context=context
            )
            await site.start()
        except OSError:
            await runner.cleanup()
            raise PortTaken(
                f"cannot listen for {self._table} on {self._listen}: the port is taken or not ours"
            ) from None
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening once the requests in hand are answered."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


async def _keep_quiet(_: web.Request, response: web.StreamResponse) -> None:
    """Remove the Server header."""
    response.headers.popall("Server", None)
