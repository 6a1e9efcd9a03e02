"""An HTTP server that never quotes what it was sent, nor tells what it is.

aiohttp answers a request that its parser refuses with the parser's text, which holds the request's bytes, and
one that expects what nobody knows with its words, both outside any middleware of ours; and it names itself.
Its runner has no setting for that, so the handler of those is replaced.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import web


class _Bare(web.Response):
    """An answer without a word, also to what never came as far as the application and its signals."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


class _QuietHandler(web.RequestHandler):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection, and end it at once where there are too many: each holds an open file."""
        super().connection_made(transport)
        server = self._manager
        if isinstance(server, _QuietServer) and len(server.connections) > server.most_connections:
            self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, of one that was raised past our middleware the status alone."""
        if isinstance(resp, web.HTTPException):
            resp = _Bare(status=resp.status)
        return await super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp fixes the parameters
    ) -> web.StreamResponse:
        """Answer with a bare status and hang up."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        if isinstance(exc, UnicodeError):
            # It was quoting the request, which is no text.
            status = HTTPStatus.BAD_REQUEST
        answer = _Bare(status=status)
        answer.force_close()
        return answer


class _QuietServer(web.Server):
    most_connections = 0

    def __call__(self) -> web.RequestHandler:
        """Return the handler of one connection."""
        return _QuietHandler(self, loop=asyncio.get_running_loop(), **self._kwargs)


class QuietRunner(web.AppRunner):
    """Runs an application behind a server that says nothing of what it could not read."""

    most_connections = 0

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _QuietServer
        vars(server)["most_connections"] = self.most_connections
        return server
