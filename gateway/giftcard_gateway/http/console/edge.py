"""The console's port: who may come in, and which page is where.

Every page is asked for by GET and changes nothing. Whatever has an effect, and every search, is a form.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from aiohttp import web

from giftcard import v1
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.signing_in import Shown
from giftcard_gateway.errors import GatewayError
from giftcard_gateway.http.console.actions import decide, redeliver, resolve, review, run_plan, show_plan
from giftcard_gateway.http.console.bulks import BulkRuns, show_run
from giftcard_gateway.http.console.inbox import show_inbox
from giftcard_gateway.http.console.protection import Protection
from giftcard_gateway.http.console.providers import pause, show_providers
from giftcard_gateway.http.console.rendering import Templates, static_files
from giftcard_gateway.http.console.search import begin_search, show_found, show_search
from giftcard_gateway.http.console.sessions import OpenSessions, Session
from giftcard_gateway.http.console.transaction import show_transaction
from giftcard_gateway.http.console.visits import Form, Visit, caller, peer_of, see
from giftcard_gateway.http.listener import HttpListener
from giftcard_gateway.rpc.local import CallRefused, LocalCalls

if TYPE_CHECKING:
    from giftcard_gateway.access.signing_in import SigningIn
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Console as Settings
    from giftcard_gateway.ledger.observer import Observer

PageHandler = Callable[[Visit], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)
_MOST_BYTES = 128 * 1024
"""A form's size: a bulk of a hundred transactions takes 8 kB."""
_MOST_FIELDS = 1000
_FORM = "application/x-www-form-urlencoded"
_FORM_S = 10.0
"""How long a browser may take to hand over a form."""
_LIVE = "Console-Live"
"""The header by which our script says that it asks, and no person."""
_STATUSES = {
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
    "PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "INVALID_ARGUMENT": HTTPStatus.BAD_REQUEST,
    "FAILED_PRECONDITION": HTTPStatus.CONFLICT,
    "RESOURCE_EXHAUSTED": HTTPStatus.TOO_MANY_REQUESTS,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "DEADLINE_EXCEEDED": HTTPStatus.GATEWAY_TIMEOUT,
}


class ConsoleEdge:
    """Serves the console."""

    def __init__(
        self,
        settings: Settings,
        listen: str,
        *,
        calls: LocalCalls,
        signing_in: SigningIn,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Keep the parts; nothing listens yet."""
        self._settings = settings
        self._clock = clock
        self._calls = calls
        self._signing_in = signing_in
        self._observer = observer
        self._runs = BulkRuns(observer)
        self._protection = Protection(settings)
        self._sessions = OpenSessions(clock, idle_s=settings.idle_s, session_s=settings.session_s)
        self._templates = Templates(clock)
        self._files = static_files()
        self._listener = HttpListener("console", listen, settings.tls)

    @property
    def port(self) -> int:
        """Return the port listened on, 0 while none is."""
        return self._listener.port

    async def start(self) -> None:
        """Listen; raises PortTaken."""
        await self._listener.start(self._application())

    async def stop(self) -> None:
        """Stop listening once the requests in hand are answered, and acts in hand are through."""
        await self._listener.stop()
        await self._runs.stop()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_MOST_BYTES, middlewares=[self._around])
        application.on_response_prepare.append(self._protection.add_headers)
        router = application.router
        router.add_get("/static/{name}", self._static)
        router.add_get("/sign-in", self._ask_to_sign_in)
        router.add_post("/sign-in", self._sign_in)
        for method, path, handler in self._pages():
            router.add_route(method, path, self._for_visitor(handler))
        return application

    def _pages(self) -> list[tuple[str, str, PageHandler]]:
        return [
            ("GET", "/", show_inbox),
            ("GET", "/providers", show_providers),
            ("POST", "/providers", pause),
            ("GET", "/transactions/{transaction_id}", show_transaction),
            ("POST", "/transactions/{transaction_id}/resolve", resolve),
            ("POST", "/transactions/{transaction_id}/redeliver", redeliver),
            ("POST", "/transactions/{transaction_id}/decide", decide),
            ("POST", "/transactions/{transaction_id}/review", review),
            ("POST", "/bulk", show_plan),
            ("POST", "/bulk/run", run_plan),
            ("GET", "/bulk/{key}", show_run),
            ("GET", "/search", show_search),
            ("POST", "/search", begin_search),
            ("GET", "/search/{key}", show_found),
            ("POST", "/tenant", choose_tenant),
            ("POST", "/sign-out", self._sign_out),
        ]

    @web.middleware
    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer only who names us, and tell nobody what went wrong inside."""
        try:
            if not self._protection.is_our_host(request):
                return self._said(HTTPStatus.MISDIRECTED_REQUEST, "This address is not the console's.")
            if request.method == "POST" and not self._protection.is_same_site(request):
                return self._said(HTTPStatus.FORBIDDEN, "This form came from another site.")
            return await handler(request)
        except web.HTTPException as fault:
            return self._said(fault.status, fault.reason)
        except TimeoutError:
            return self._said(HTTPStatus.REQUEST_TIMEOUT, "The form did not come in time.")
        except Exception as fault:  # noqa: BLE001 - a fault of ours must not show its text
            self._observer.faulted("console", fault)
            return self._said(
                HTTPStatus.INTERNAL_SERVER_ERROR, "A fault of the gateway; its log has more of it."
            )

    def _said(self, status: int, sentence: str) -> web.Response:
        """Return a page that says one thing."""
        return self._templates.page("said.html", status=status, sentence=sentence, goes_on_to="")

    async def _static(self, request: web.Request) -> web.Response:
        kind, content = self._files.get(request.match_info["name"], ("", b""))
        if not kind:
            raise web.HTTPNotFound
        return web.Response(body=content, content_type=kind, charset="utf-8")

    def _for_visitor(self, handler: PageHandler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return what answers whoever is signed in, and leads everybody else to the form."""

        async def answer(request: web.Request) -> web.StreamResponse:
            token = self._protection.shown_cookie(request, self._protection.cookie)
            session = self._sessions.find(token, is_used=_LIVE not in request.headers)
            if session is not None:
                return await self._visit(request, token, session, handler)
            if request.method == "POST":
                return self._said(
                    HTTPStatus.UNAUTHORIZED, "You are not signed in any more; nothing was done."
                )
            if request.headers.get("Sec-Fetch-Site") == "cross-site":
                # From a link elsewhere a browser keeps our cookie back; asked by a page of ours it shows it.
                return self._templates.page("said.html", sentence="One moment…", goes_on_to=request.path_qs)
            if self._signing_in.is_on:
                return see(f"/sign-in?{urlencode({'next': request.path_qs})}")
            identity = await self._signing_in.identify(Shown())
            token, session = self._sessions.open(identity, None)
            response = await self._visit(request, token, session, handler)
            if isinstance(response, web.Response):
                self._protection.set_cookie(response, self._protection.cookie, token)
            return response

        return answer

    async def _visit(
        self, request: web.Request, token: str, session: Session, handler: PageHandler
    ) -> web.StreamResponse:
        form = await _form(request) if request.method == "POST" else Form([])
        if request.method == "POST" and not self._sessions.is_stamp(token, form.text("stamp")):
            return self._said(
                HTTPStatus.FORBIDDEN, "This form is not from a page you were shown; nothing was done."
            )
        visit = Visit(
            request=request,
            peer=peer_of(request),
            session=session,
            stamp=self._sessions.stamp(token),
            calls=self._calls,
            runs=self._runs,
            templates=self._templates,
            form=form,
            settings=self._settings,
            now=self._clock.now(),
            fresh_key=self._clock.uuid4(),
        )
        try:
            return await handler(visit)
        except CallRefused as fault:
            status = _STATUSES.get(fault.code, HTTPStatus.INTERNAL_SERVER_ERROR)
            if status is HTTPStatus.UNAUTHORIZED:
                self._sessions.close(token)
                return see("/sign-in")
            return visit.page("refused.html", status=status, sentence=str(fault))

    async def _ask_to_sign_in(self, request: web.Request) -> web.Response:
        return self._sign_in_form(request, _next_of(request.query.get("next", "")))

    def _sign_in_form(
        self, request: web.Request, goes_on_to: str, *, status: int = HTTPStatus.OK, sentence: str = ""
    ) -> web.Response:
        if not self._signing_in.is_on:
            return see("/")
        token = self._shown_visitor(request) or self._sessions.fresh_token()
        page = self._templates.page(
            "sign_in.html",
            status=status,
            stamp=self._sessions.stamp(token),
            sentence=sentence,
            goes_on_to=goes_on_to,
            takes_keys=self._signing_in.keys is not None,
        )
        self._protection.set_cookie(page, self._protection.visitor_cookie, token)
        return page

    async def _sign_in(self, request: web.Request) -> web.Response:
        """Begin a session for whoever shows a credential that may read."""
        form = await _form(request)
        goes_on_to = _next_of(form.text("next"))
        visitor = self._shown_visitor(request)
        if not visitor or not self._sessions.is_stamp(visitor, form.text("stamp")):
            return self._sign_in_form(
                request, goes_on_to, status=HTTPStatus.FORBIDDEN, sentence="The form was too old: try again."
            )
        credential = form.text("credential")
        if not (credential.isascii() and credential.isprintable() and " " not in credential):
            return self._sign_in_form(
                request, goes_on_to, status=HTTPStatus.BAD_REQUEST, sentence="That is no API key or token."
            )
        shown = caller(request, credential, peer=peer_of(request))
        try:
            # A call like any other: counted, audited when it is refused, and it needs the scope to read.
            await self._calls.call("ListProviders", v1.ListProvidersRequest(page_size=1), shown)
            identity = await self._signing_in.identify(Shown(metadata=shown.metadata))
        except CallRefused as fault:
            status = _STATUSES.get(fault.code, HTTPStatus.SERVICE_UNAVAILABLE)
            return self._sign_in_form(request, goes_on_to, status=status, sentence=str(fault))
        except GatewayError as fault:
            return self._sign_in_form(
                request, goes_on_to, status=HTTPStatus.SERVICE_UNAVAILABLE, sentence=str(fault)
            )
        token, _ = self._sessions.open(identity, Secret(credential))
        _log.info("signed in to the console", extra={"identity": identity.name, "tenant": identity.tenant})
        response = see(goes_on_to)
        self._protection.set_cookie(response, self._protection.cookie, token)
        response.del_cookie(self._protection.visitor_cookie, path="/", secure=self._protection.is_secure)
        return response

    def _shown_visitor(self, request: web.Request) -> str:
        return self._protection.shown_cookie(request, self._protection.visitor_cookie)

    async def _sign_out(self, visit: Visit) -> web.Response:
        """End the session, wherever its cookie is."""
        self._sessions.close(visit.request.cookies[self._protection.cookie])
        response = see("/sign-in")
        response.del_cookie(self._protection.cookie, path="/", secure=self._protection.is_secure)
        return response


async def choose_tenant(visit: Visit) -> web.Response:
    """Act for another tenant from now on, if the services let this person; empty is their own."""
    tenant = visit.form.text("tenant")
    visit.session.tenant, before = tenant, visit.session.tenant
    try:
        await visit.call("ListTransactions", v1.ListTransactionsRequest(page_size=1))
    except CallRefused:
        visit.session.tenant = before
        raise
    return see("/")


async def _form(request: web.Request) -> Form:
    """Return a form's fields; raises HTTPException for what is none, and TimeoutError."""
    if request.content_type != _FORM or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType
    try:
        async with asyncio.timeout(_FORM_S):
            sent = await request.read()
        # Pages of ours are UTF-8, and so are their forms, whatever the request says.
        fields = parse_qsl(
            sent.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except (ConnectionError, ValueError, web.RequestPayloadError):
        # It is no text, or did not come whole.
        raise web.HTTPBadRequest from None
    return Form(fields)


def _next_of(path: str) -> str:
    """Return a page of ours to go on to: never an address elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\", "/sign-"))
    return quote(path, safe="/?=&-_.%~") if is_ours else "/"
