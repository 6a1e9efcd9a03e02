"""The transports of the suite: one records requests, one echoes them, one plays a golden script."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx
import msgspec

from giftcard_conformance.subject import demand

Transport = httpx.AsyncBaseTransport
"""What carries requests; a simulator's, or one of these."""


class Sent(msgspec.Struct, frozen=True):
    """One request as it left: everything but its credentials."""

    method: str
    target: bytes
    body: bytes

    def __repr__(self) -> str:
        """Show neither path nor body."""
        return f"Sent({self.method}, {len(self.body)} bytes)"


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on and records them."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        """Keep the transport that answers."""
        self._inner = inner
        self.sent: list[Sent] = []
        self.headers: list[frozenset[tuple[str, str]]] = []
        """Those of each request, credentials too."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Record the request and pass it on."""
        self.headers.append(frozenset(request.headers.items()))
        self.sent.append(Sent(request.method, request.url.raw_path, await request.aread()))
        return await self._inner.handle_async_request(request)


class Echo(httpx.AsyncBaseTransport):
    """A provider that answers with the request it was sent, as plain text or as a JSON text."""

    def __init__(self, status: int) -> None:
        """Answer everything with `status`."""
        self._status = status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the request's body, or its path if it has none."""
        return httpx.Response(self._status, content=await request.aread() or request.url.raw_path)


JsonObject = dict[str, Any]
"""A JSON object as it is read from a file, its decimals exact."""


class GoldenExchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request as it must be, and the reply to play."""

    request: JsonObject
    reply: JsonObject


_REPLIES = msgspec.json.Encoder(decimal_format="number")
_FAULTS: Mapping[str, type[httpx.TransportError]] = {
    "refused": httpx.ConnectError,
    "timeout": httpx.ReadTimeout,
    "cut": httpx.ReadError,
}
_PARTS = frozenset({"method", "path", "headers", "body", "text"})


class Playback(httpx.AsyncBaseTransport):
    """Compares each request with a script and plays the reply that belongs to it."""

    def __init__(self, script: Sequence[GoldenExchange]) -> None:
        """Keep the exchanges that are still to come."""
        self.left = list(script)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Compare one request; raise NotConforming, or the fault, or return the reply."""
        sent = f"{request.method} {request.url.raw_path.decode()}"
        demand(self.left, f"one request too many: {sent}")
        exchange = self.left.pop(0)
        _compare(exchange.request, request, await request.aread())
        _compare_template(request)
        reply = exchange.reply
        if "fault" in reply:
            raise _FAULTS[reply["fault"]]("as the golden says")
        body = _REPLIES.encode(reply["body"]) if "body" in reply else reply.get("text", "").encode()
        return httpx.Response(reply["status"], headers=reply.get("headers"), content=body)


def _compare(golden: JsonObject, request: httpx.Request, body: bytes) -> None:
    """Raise NotConforming unless a request is the golden one."""
    unknown = ", ".join(sorted(golden.keys() - _PARTS))
    demand(not unknown, f"a golden request has {', '.join(sorted(_PARTS))}, and no {unknown}")
    sent = f"{request.method} {request.url.raw_path.decode()}"
    wanted = f"{golden['method']} {golden['path']}"
    demand(sent == wanted, f"{sent} was sent, the golden has {wanted}")
    for name, value in golden.get("headers", {}).items():
        _compare_header(name, request.headers.get(name), value)
    if "body" in golden:
        demand_same("the body", json.loads(body or b"null", parse_float=Decimal), golden["body"])
    else:
        demand_same("the body", body.decode(), golden.get("text", ""))


def _compare_template(request: httpx.Request) -> None:
    """Raise NotConforming where what traces show of a path is not this path without what changes in it."""
    template = request.extensions.get("template", "")
    path = request.url.raw_path.decode().partition("?")[0]
    words = map(re.escape, re.split(r"\{\w+\}", template))
    # Before it stands what the base URL has.
    fits = not template or re.fullmatch("(?:/.*)?" + "[^/]+".join(words), path) is not None
    demand(fits, f"the path template {template} is not one of {path}")


def _compare_header(name: str, sent: str | None, wanted: str | JsonObject) -> None:
    if isinstance(wanted, dict):
        is_right = re.fullmatch(wanted["matches"], sent or "") is not None
    else:
        is_right = sent == wanted
    demand(is_right, f"the header {name} is {sent!r}, the golden has {wanted!r}")


def demand_same(what: str, given: object, wanted: object) -> None:
    """Raise NotConforming, with the lines that differ, unless two plain values are equal."""
    if given != wanted:
        lines = difflib.unified_diff(_lines(wanted), _lines(given), "the golden", "the adapter", lineterm="")
        demand(None, f"{what} is not the golden one:\n" + "\n".join(lines))


def _lines(value: object) -> list[str]:
    return json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False).splitlines()
