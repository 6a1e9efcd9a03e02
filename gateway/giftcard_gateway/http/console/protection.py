"""What keeps a browser from being used against the person before it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from giftcard_gateway.config.exposure import is_loopback

if TYPE_CHECKING:
    from giftcard_gateway.config.settings import Console

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer: nothing from elsewhere, nothing inline, no frame, no copy kept, no referrer."""
_HSTS = "max-age=31536000"


class Protection:
    """What the place of a console asks of requests and answers."""

    def __init__(self, settings: Console) -> None:
        """Read off the settings how browsers reach us."""
        origin = urlsplit(settings.origin)
        self._host = origin.netloc
        self._is_loopback = settings.listen is not None and is_loopback(settings.listen)
        self.is_secure = settings.tls is not None or origin.scheme == "https"
        """Whether browsers reach us by TLS, so that a cookie must not go without."""
        # The prefix makes a browser refuse a cookie that another host or a plain page would plant.
        self.cookie = "__Host-giftcard-console" if self.is_secure else "giftcard-console"
        self.visitor_cookie = f"{self.cookie}-visitor"
        """The cookie of who has not signed in yet, for the stamp of the form alone."""

    def shown_cookie(self, request: web.Request, name: str) -> str:
        """Return what a cookie holds, nothing where there is none or it is none of ours."""
        token = request.cookies.get(name, "")
        return token if token.isascii() else ""

    async def add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        """Put what every answer carries into one."""
        response.headers.update(HEADERS)
        if self.is_secure:
            response.headers["Strict-Transport-Security"] = _HSTS

    def set_cookie(self, response: web.Response, name: str, token: str) -> None:
        """Give a browser a cookie that no script reads and no other site sends."""
        response.set_cookie(name, token, path="/", httponly=True, samesite="Strict", secure=self.is_secure)

    def is_our_host(self, request: web.Request) -> bool:
        """Tell whether a request names us: a name that another site points at this machine does not count."""
        if self._host:
            return request.host == self._host
        return not self._is_loopback or is_loopback(request.host)

    def is_same_site(self, request: web.Request) -> bool:
        """Tell whether a form comes from a page of ours, as far as the browser says."""
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        # A page that tells no referrer has the origin `null` in its forms.
        origin = request.headers.get("Origin", "null")
        is_ours = origin == "null" or origin.partition("://")[2] == request.host
        return site == "same-origin" and is_ours
