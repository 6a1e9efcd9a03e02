"""The doors that strangers' bytes come through, each as a function of bytes that must end without a fault.

Whatever the bytes are: a door reads them, or refuses them in the way it documents. Anything else comes out
of `try_one` as an exception, and is a fault. An input begins with a line that says for what it is meant (an
RPC, a golden exchange, or how an event is signed); of a line that names nothing, its checksum chooses.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from giftcard_adapters.calls import Moment
from giftcard_adapters.codec import pack, unpacker
from giftcard_adapters.contract import Provider
from giftcard_adapters.errors import AdapterError, SettingsError, WebhookRejected
from giftcard_adapters.gatepay import GatePay
from giftcard_adapters.gatepay.wire import signature
from giftcard_adapters.gr4vy import Gr4vy
from giftcard_adapters.jeudimerci import JeudiMerci
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.money import MoneyError
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_conformance.golden import Golden, answered, variants
from giftcard_gateway.wire import cards, requests
from giftcard_gateway.wire.bounds import TooMany, read
from giftcard_gateway.wire.reports import event_to
from giftcard_gateway.wire.validation import MOST, validator
from giftcard_simulators import gatepay, gr4vy, jeudimerci
from tests.fuzz import http_edge
from tests.gateway.wire.filled import METHODS, fill
from tests.world.provider import Refusing

GOLDENS = Path(__file__).parent.parent / "adapters" / "golden"
CORPUS = Path(__file__).parent / "corpus"
"""What was found, and what seeds cannot show; one folder for each door, one input a file."""

_AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
_MOST_EXCHANGES = 100
"""An adapter that asks more often for one answer does not end."""


@dataclass(frozen=True)
class Door:
    """One door: what comes through it in peace, and how to try one input."""

    name: str
    seeds: Callable[[], Iterator[bytes]]
    try_one: Callable[[bytes], None]

    def corpus(self) -> Iterator[bytes]:
        """Give what is kept in the repository for this door."""
        for path in sorted((CORPUS / self.name).glob("*")):
            yield path.read_bytes()


# ---- the wire ----


def _wire_seeds() -> Iterator[bytes]:
    for name, method in METHODS.items():
        yield name.encode() + b"\n" + fill(method.input_type).SerializeToString(deterministic=True)


def _try_wire(given: bytes) -> None:
    """Read a request as the handlers do, and make the values of it that the services make."""
    head, _, encoded = given.partition(b"\n")
    method = METHODS.get(head.decode(errors="replace")) or _chosen(list(METHODS.values()), head)
    kind = GetMessageClass(method.input_type)
    try:
        request = read(kind, encoded)
    except (TooMany, DecodeError):
        return
    faults = validator(method.input_type)(request)
    assert len(faults) <= MOST
    for path, fault in faults:
        # What is told of a request must be something that can be told.
        f"{path}{fault}".encode()
    if not faults and (value := _value(method, request)) is not None:
        pack(value)


def _value(method: MethodDescriptor, request: Any) -> object:  # noqa: ANN401 - a message of any kind
    for operation in Operation:
        if method.input_type.name == f"{operation.value.title().replace('_', '')}Request":
            return requests.ask_from(operation, request, requested_at=_AT)
    if method.name.startswith("Confirm"):
        return requests.confirmation_from(request)
    if method.name.startswith("Reverse"):
        return requests.reversal_from(request)
    read_card = _CARD_READS.get(method.name)
    return read_card(request) if read_card else None


_CARD_READS: Mapping[str, Callable[[Any], object]] = {
    "Lookup": partial(cards.lookup_from, lookup_id="l", asked_at=_AT),
    "Balance": partial(cards.balance_from, lookup_id="l", asked_at=_AT),
    "StoreCard": cards.store_from,
    "ListStoredCards": cards.stored_query_from,
}


# ---- webhooks ----

_EVENT = unpacker(ProviderEvent)


def _sign_gr4vy(body: bytes) -> dict[str, str]:
    at = str(int(_AT.timestamp()))
    (key, *_) = _webhook_provider("gr4vy").settings.webhook_secrets
    signed = hmac.new(key.reveal().encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"x-gr4vy-webhook-timestamp": at, "x-gr4vy-webhook-signatures": signed}


def _sign_jeudimerci(body: bytes) -> dict[str, str]:
    del body
    return {"x-api-key": str(jeudimerci.sandbox_settings()["webhook_api_key"])}


def _sign_gatepay(body: bytes) -> dict[str, str]:
    provider = _webhook_provider("gatepay")
    secret = provider.settings.webhook_secret or provider.settings.api_secret
    at = str(int(_AT.timestamp() * 1000))
    return {
        "x-gatepay-timestamp": at,
        "x-gatepay-nonce": "1",
        "x-gatepay-signature": signature(secret, at, "1", body),
    }


_WEBHOOKS: Mapping[str, tuple[type[Provider], Mapping[str, Any], Callable[[bytes], dict[str, str]]]] = {
    "gr4vy": (Gr4vy, gr4vy.sandbox_settings(), _sign_gr4vy),
    "jeudimerci": (JeudiMerci, jeudimerci.sandbox_settings(), _sign_jeudimerci),
    "gatepay": (GatePay, gatepay.sandbox_settings(), _sign_gatepay),
}


@cache
def _webhook_provider(name: str) -> Provider:
    adapter, stanza, _ = _WEBHOOKS[name]
    settings = read_settings(adapter, {"base_url": "http://provider.test", **stanza})
    return open_provider(adapter, settings, transport=Refusing(), moment=lambda: Moment(now_s=0.0, nonce="0"))


def _webhook_seeds(name: str) -> Iterator[bytes]:
    for golden in _goldens(name).values():
        if golden.method == "read_webhook":
            plain = golden.arguments["webhook"]
            yield b"signed\n" + plain["body"].encode()
            headers = json.dumps(plain.get("headers", {}))
            yield headers.encode() + b"\n" + plain["body"].encode()


def _try_webhook(name: str, given: bytes) -> None:
    """Read an event, signed or under the headers its first line has; what is read can be kept and told."""
    head, _, body = given.partition(b"\n")
    headers = _WEBHOOKS[name][2](body) if head == b"signed" else _headers(head)
    try:
        events = _webhook_provider(name).read_webhook(Webhook(headers=headers, body=body, received_at=_AT))
    except WebhookRejected:
        return
    for event in events:
        assert _EVENT.decode(pack(event)) == event
        told = event_to(event, provider=name, received_at=_AT, entry=None)
        told.SerializeToString()


def _headers(head: bytes) -> dict[str, str]:
    """Return headers as the HTTP server gives them: by lower-case names, each byte one character."""
    text = head.decode("latin-1")
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        plain = None
    if isinstance(plain, dict):
        given = {name.lower(): value for name, value in plain.items() if isinstance(value, str)}
        return {name: value.encode("latin-1", "replace").decode("latin-1") for name, value in given.items()}
    return dict.fromkeys(_header_names(), text)


@cache
def _header_names() -> Sequence[str]:
    return [name for _, _, sign in _WEBHOOKS.values() for name in sign(b"")]


# ---- providers' answers ----


class Answers(httpx.AsyncBaseTransport):
    """Plays the replies of a golden, one of them with another body; says goodbye to who asks without end."""

    def __init__(self, golden: Golden, place: int, body: bytes) -> None:
        """Keep the replies and the body that stands in for one of theirs."""
        self._replies = [exchange.reply for exchange in golden.script()]
        self._place, self._body = place, body
        self._asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with the next reply; the last one goes on answering."""
        await request.aread()
        assert self._asked < _MOST_EXCHANGES, "the adapter does not end asking"
        at = min(self._asked, len(self._replies) - 1)
        self._asked += 1
        reply = self._replies[at]
        body = self._body if at == self._place else _body_of(reply)
        headers = {name: text for name, text in reply.get("headers", {}).items() if name != "content-length"}
        return httpx.Response(reply.get("status", 200), headers=headers, content=body)


def _body_of(reply: Mapping[str, Any]) -> bytes:
    if "body" in reply:
        return msgspec.json.encode(reply["body"])
    return str(reply.get("text", "")).encode()


@cache
def _goldens(provider: str) -> Mapping[str, Golden]:
    home = GOLDENS / provider
    shared = json.loads((home / "provider.json").read_text("utf-8"))
    found: dict[str, Golden] = {}
    for path in sorted(home.glob("**/*.json")):
        if path.name != "provider.json":
            for plain in variants(path):
                golden = msgspec.convert({**plain, "provider": shared}, Golden)
                found[f"{path.stem}/{golden.name}"] = golden
    return found


@cache
def _exchanges(provider: str) -> Mapping[str, tuple[Golden, int]]:
    """Return every reply of every golden by its name."""
    return {
        f"{name}#{place}": (golden, place)
        for name, golden in _goldens(provider).items()
        for place in range(len(golden.script()))
    }


def _answer_seeds(provider: str) -> Iterator[bytes]:
    for name, (golden, place) in _exchanges(provider).items():
        yield name.encode() + b"\n" + _body_of(golden.script()[place].reply)


def _try_answer(provider: str, given: bytes) -> None:
    """Make a golden's call and answer it with these bytes."""
    head, _, body = given.partition(b"\n")
    known = _exchanges(provider)
    golden, place = known.get(head.decode(errors="replace")) or _chosen(list(known.values()), head)
    try:
        asyncio.run(answered(golden, Answers(golden, place, body)))
    except (MoneyError, SettingsError):
        # Neither is ever about an answer.
        raise
    except AdapterError as fault:
        str(fault).encode()


def _chosen(among: Sequence[Any], head: bytes) -> Any:  # noqa: ANN401 - one of what is given
    return among[zlib.crc32(head) % len(among)]


DOORS: Mapping[str, Door] = {
    door.name: door
    for door in (
        Door("wire", _wire_seeds, _try_wire),
        Door("http", http_edge.seeds, http_edge.try_one),
        *(
            Door(f"webhooks-{name}", partial(_webhook_seeds, name), partial(_try_webhook, name))
            for name in _WEBHOOKS
        ),
        *(
            Door(f"answers-{name}", partial(_answer_seeds, name), partial(_try_answer, name))
            for name in sorted(path.parent.name for path in GOLDENS.glob("*/provider.json"))
        ),
    )
}
