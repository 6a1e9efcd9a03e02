"""An HTTP server that never quotes what it was sent.

aiohttp answers a request that its parser refuses with the parser's text, which holds the request's bytes,
before any middleware of ours. Its runner has no setting for that, so the handler of those is replaced.
"""

from __future__ import annotations

import asyncio

from aiohttp import web


class _QuietHandler(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - aiohttp fixes the parameters
        message: str | None = None,  # noqa: ARG002 - aiohttp fixes the parameters
    ) -> web.StreamResponse:
        """Answer with a bare status and hang up."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        answer = web.Response(status=status)
        answer.force_close()
        return answer


class _QuietServer(web.Server):
    def __call__(self) -> web.RequestHandler:
        """Return the handler of one connection."""
        return _QuietHandler(self, loop=asyncio.get_running_loop(), **self._kwargs)


class QuietRunner(web.AppRunner):
    """Runs an application behind a server that says nothing of what it could not read."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _QuietServer
        return server
