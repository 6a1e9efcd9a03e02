"""One request of a browser, with what its page may use: the session, and the calls made for it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import web

from giftcard_gateway.access.metadata import EVERY_TENANT, REASON, TENANT
from giftcard_gateway.config.access import Scope
from giftcard_gateway.config.console import TRACE_ID
from giftcard_gateway.rpc.local import Caller

if TYPE_CHECKING:
    from datetime import datetime

    from google.protobuf.message import Message

    from giftcard_gateway.config.settings import Console
    from giftcard_gateway.http.console.bulks import BulkRuns
    from giftcard_gateway.http.console.rendering import Templates
    from giftcard_gateway.http.console.sessions import Session
    from giftcard_gateway.rpc.local import LocalCalls

LONGEST_S = 10.0
"""How long a page waits for a call; an advice that takes longer is shown as it stands."""


def caller(
    request: web.Request,
    credential: str,
    *,
    peer: str,
    tenant: str = "",
    reason: str = "",
    longest_s: float = LONGEST_S,
) -> Caller:
    """Return who calls for a browser: whoever the credential is of, from where the request came."""
    metadata = [("authorization", f"Bearer {credential}")] if credential else []
    if tenant:
        metadata.append((TENANT, tenant))
    if reason:
        metadata.append((REASON, reason))
    metadata += [("x-forwarded-for", one) for one in request.headers.getall("X-Forwarded-For", ())]
    return Caller(metadata=metadata, peer=peer, longest_s=longest_s)


def peer_of(request: web.Request) -> str:
    """Return where a request comes from, as gRPC writes it."""
    name = None if request.transport is None else request.transport.get_extra_info("peername")
    if not name:
        return ""
    host, port = name[0], name[1]
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request of somebody who may be here."""

    request: web.Request
    peer: str
    """Where the request came from, as gRPC writes it; known also when the browser has left."""
    session: Session
    stamp: str
    """What each form carries, so that no other site's form counts."""
    calls: LocalCalls
    runs: BulkRuns
    templates: Templates
    form: Form
    settings: Console
    now: datetime
    fresh_key: str
    """A text that was never given before."""

    @property
    def tenant(self) -> str | None:
        """Return the tenant that an address names, None where it names none."""
        return self.request.query.get("tenant") or None

    def trace_address(self, trace_id: str) -> str:
        """Return where a trace is looked at, nothing if that is not known or there is no trace."""
        return self.settings.trace_url.replace(TRACE_ID, trace_id) if trace_id else ""

    async def call(
        self,
        name: str,
        request: Message,
        *,
        tenant: str | None = None,
        reason: str = "",
        longest_s: float = LONGEST_S,
    ) -> Any:  # noqa: ANN401 - the answer's own type
        """Return what a service answers to this person; raise CallRefused.

        `tenant` is the one to act for instead of the session's, `reason` what the audit keeps of why.
        """
        acting = self.session.tenant if tenant is None else tenant
        credential = self.session.credential.reveal() if self.session.credential else ""
        return await self.calls.call(
            name,
            request,
            caller(
                self.request,
                credential,
                peer=self.peer,
                tenant=acting,
                reason=reason,
                longest_s=longest_s,
            ),
        )

    def page(self, name: str, *, status: int = 200, **words: object) -> web.Response:
        """Return a page, with what each has at its head."""
        session = self.session
        return self.templates.page(
            name,
            status=status,
            who=session.identity.name,
            is_signed_in=session.credential is not None,
            tenant=session.tenant or session.identity.tenant,
            every_tenant=EVERY_TENANT,
            may_act_for_others=session.credential is None or Scope.TENANTS in session.identity.scopes,
            may_operate=Scope.OPERATE in session.identity.scopes,
            may_decide=Scope.MONEY in session.identity.scopes
            and session.tenant in {"", session.identity.tenant},
            notice=session.take_notice(),
            stamp=self.stamp,
            here=self.request.path,
            **words,
        )

    def address_of(self, transaction_id: str, tenant: str) -> str:
        """Return the address of a transaction's page; another tenant's says whose it is."""
        is_own = tenant in {"", self.session.tenant or self.session.identity.tenant}
        return f"/transactions/{transaction_id}" + ("" if is_own else f"?tenant={quote(tenant, safe='')}")


class Form:
    """What a form sent; a field that comes twice is a list, and a file is nothing."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        """Keep the fields."""
        self._fields = fields

    def text(self, name: str) -> str:
        """Return a field's text without space around it, empty if it is not there."""
        return next((value.strip() for key, value in self._fields if key == name), "")

    def line(self, name: str) -> str:
        """Return a field's text as one line."""
        return " ".join(self.text(name).split())

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return [value for key, value in self._fields if key == name]


def see(address: str) -> web.Response:
    """Return an answer that sends a browser on to a page, by GET."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})
