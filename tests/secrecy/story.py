"""A gateway's whole story, with secrets in their places and in many that are not, and what it left.

Everybody signs in, every provider does what it can, callers are clumsy and hostile, and answers go wrong.
What is returned is what others than the caller may ever see.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import httpx
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.type.money_pb2 import Money

from giftcard import AsyncClient, GiftcardError, RepeatPolicy, new_transaction_id, v1
from giftcard_gateway.access import api_keys
from giftcard_gateway.audit.purge import rows_of
from giftcard_gateway.audit.records import exported
from giftcard_gateway.config.access import Grant, Scope
from giftcard_gateway.config.settings import Telemetry as LogSettings
from giftcard_gateway.telemetry import logs
from giftcard_simulators.catalogue import SANDBOXES
from tests.e2e.test_seen import PRIVATE_SETTINGS
from tests.gateway.access.issuing import AUDIENCE, ISSUER, Issuing
from tests.gateway.wire.filled import METHODS, places
from tests.gateway.wire.filled import fill as filled
from tests.patience import PATIENCE_S
from tests.providers.cells import CELLS, FUNDED, WITH_PIN
from tests.providers.world import ELECTRUM, Table, World, open_world
from tests.secrecy.faults import Raised, watching
from tests.world.app import HOST, edge_of
from tests.world.seen import Seen

STRANGER, TYPED_PIN = "4539578763621486", "8351907462"
"""A number that no provider knows, and a PIN that somebody typed for a card that has another."""
PIN_BLOCK, PIN_HASH, ACCOUNT = "5A1C9E37D0428BF6", "C0FFEE6B1D2E3F405162738495A6B7C8", "578763621486"
TRACK = f";{STRANGER}=30121010000012345678?"
SEAL_KEY, HASH_KEY = (
    hashlib.sha256(name).digest() for name in (b"seal of the search", b"hash of the search")
)
_ISSUED = ("number", "pin", "redemption_key", "redemption_url", "barcode")
RETENTION_DAYS = 30
"""How long card numbers are kept."""
_FAULTS = ("drop_answer", "truncated_json", "html_502", "wrong_amount")
_SHORTEST = 8


@dataclass(repr=False)
class Story:
    """What happened in a world that is still open."""

    world: World
    seen: Seen
    raised: Raised
    log: io.StringIO
    secrets: dict[str, str | bytes] = field(default_factory=dict)
    signed_in: tuple[tuple[str, str], ...] = ()
    """The metadata that everybody shows."""
    errors: list[str] = field(default_factory=list)
    pages: list[bytes] = field(default_factory=list)

    def keep_secret(self, name: str, text: str | bytes) -> None:
        """Remember what must be found nowhere; a few digits, such as a short PIN, are found by chance."""
        if len(text) >= _SHORTEST:
            self.secrets[name] = text

    async def left(self) -> dict[str, bytes]:
        """Return what was left behind, by its place; the journal itself is the caller's to read."""
        app = self.world.app
        app.trail.tell_refusals()
        rows = [row async for row in rows_of(app.journal)]
        return {
            "logs at DEBUG": self.log.getvalue().encode(),
            "spans": "".join(span.to_json() for span in self.seen.spans()).encode(),
            "metrics": self.seen.metrics().encode(),
            "audit table": b"".join(row.document for row in rows),
            "audit export": json.dumps([exported(row) for row in rows]).encode(),
            "audit logs": self.seen.logs().encode(),
            "errors callers hear": "\n".join(self.errors).encode(),
            "HTTP pages": b"\n".join(self.pages),
            "words of exceptions": "\n".join(self.raised.texts).encode(),
            "values beside exceptions": "\n".join(self.raised.values).encode(),
            "settings and parts": repr([app.settings, vars(app), *map(vars, app.connections)]).encode(),
        }


@contextmanager
def logging_all() -> Iterator[io.StringIO]:
    """Write every line of every logger, as a gateway at DEBUG does: as JSON and for people."""
    written, root = io.StringIO(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.set_up(LogSettings(log_level="debug", log_format="json"), written)
    people = logging.StreamHandler(written)
    people.setFormatter(logs.TextForm(is_coloured=True))
    root.addHandler(people)
    try:
        yield written
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)


@asynccontextmanager
async def told(folder: Path, journal_url: str) -> AsyncIterator[Story]:
    """Let the whole story happen, and give it while its world is still open."""
    issuing = Issuing(folder)

    def adjust(table: Table) -> None:
        table["journal"] |= {"url": journal_url, "card_number_retention_days": RETENTION_DAYS}
        seal, hashing = (base64.b64encode(key).decode() for key in (SEAL_KEY, HASH_KEY))
        table["seal"] = {"keys": {"test": seal}, "active": "test", "hash_key": hashing}
        table["access"] = {
            "api_keys": True,
            "issuers": {"id": {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(issuing.file)}},
        }

    seen = Seen()
    with logging_all() as log, watching() as raised:
        async with open_world(folder, adjust, telemetry=seen.telemetry) as world:
            story = Story(world, seen, raised, log)
            _keep_configured(story)
            await _sign_in(story, issuing)
            await _do_everything(story)
            await _go_wrong(story)
            await _be_clumsy(story)
            await _be_hostile(story, issuing)
            await _look_at_pages(story)
            yield story


def _keep_configured(story: Story) -> None:
    for name, key in (("seal key", SEAL_KEY), ("hash key", HASH_KEY)):
        story.keep_secret(name, base64.b64encode(key).decode())
        story.keep_secret(f"{name}'s bytes", key)
    story.keep_secret("funded card", FUNDED)
    story.keep_secret("card with a PIN", WITH_PIN)
    story.keep_secret("stranger", STRANGER)
    story.keep_secret("typed PIN", TYPED_PIN)
    story.keep_secret("PIN block", PIN_BLOCK)
    story.keep_secret("hash of a PIN", PIN_HASH)
    story.keep_secret("account number", ACCOUNT)
    story.keep_secret("track", TRACK)
    for one in SANDBOXES:
        for name, value in one.settings().items():
            if name in PRIVATE_SETTINGS:
                lines = value if isinstance(value, list) else str(value).splitlines()
                for place, line in enumerate(line for line in lines if not line.startswith("-----")):
                    story.keep_secret(f"{name} of {one.provider_id}, {place}", line)


async def _sign_in(story: Story, issuing: Issuing) -> None:
    """Make an API key, which everybody uses from now on, and let a token in once."""
    app = story.world.app
    grant = Grant(name="till-7", scopes=tuple(Scope))
    key, text = api_keys.make(grant, app.clock)
    await app.journal.put_api_key(api_keys.row_of(key))
    assert app.signing_in.keys is not None
    await app.signing_in.keys.read()
    story.keep_secret("API key", text)
    story.keep_secret("API key's secret", text.rpartition("_")[2])
    token = issuing.token(scope="giftcard.read")
    story.keep_secret("token", token)
    story.keep_secret("token's signature", token.rpartition(".")[2])
    world = story.world
    async with _client(world, token) as reader:
        assert (await reader.list_providers()).providers
    story.signed_in = _shown(text)
    world.client = _client(world, text)
    world.stubs = world.client.stubs


def _shown(credential: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {credential}"),)


def _client(world: World, credential: str) -> AsyncClient:
    return AsyncClient(
        world.address,
        plaintext=True,
        metadata=lambda: _shown(credential),
        policy=RepeatPolicy(deadline_s=PATIENCE_S, attempts=1),
    )


async def _do_everything(story: Story) -> None:
    """Every provider does what it can; half of it is confirmed, the other half put back."""
    world = story.world
    for place, cell in enumerate(CELLS):
        done = await world.ask(cell.provider, cell.operation, cell.fresh())
        for number, card in enumerate(done.issued_cards):
            for name in _ISSUED:
                story.keep_secret(f"{name} {number} of {cell.name}", getattr(card, name))
        end = world.reverse if place % 2 else world.confirm
        try:
            await end(cell.operation, done.transaction_id)
        except GiftcardError as fault:
            _hear(story, fault)
        shown = await world.client.get_transaction(done.transaction_id)
        story.errors.append(str(shown))


async def _go_wrong(story: Story) -> None:
    """Answers are lost, cut, replaced and false."""
    world = story.world
    for cell in CELLS:
        for kind in _FAULTS:
            await world.providers[cell.provider].go_wrong({"fault": kind})
            try:
                done = await world.ask(cell.provider, cell.operation, cell.fresh())
                for number, card in enumerate(done.issued_cards):
                    for name in _ISSUED:
                        story.keep_secret(f"{name} {number} of {cell.name} on {kind}", getattr(card, name))
            except GiftcardError as fault:
                _hear(story, fault)
        await world.providers[cell.provider].reset()


async def _be_clumsy(story: Story) -> None:
    """Put secrets where they belong and are wrong, and where they do not belong."""
    electrum = story.world.stubs.gift_cards
    numbers = (
        v1.CardNumber(pan=WITH_PIN, clear_pin=TYPED_PIN),
        v1.CardNumber(
            pan=WITH_PIN, encrypted_pin=_filled(v1.EncryptedPin, block=PIN_BLOCK, account_number=ACCOUNT)
        ),
        v1.CardNumber(pan=WITH_PIN, hashed_pin=_filled(v1.HashedPin, digest=PIN_HASH)),
        v1.CardNumber(pan=STRANGER),
    )
    cards = [v1.Card(number=number) for number in numbers]
    cards.append(v1.Card(swipe=_filled(v1.SwipedCard, track=TRACK)))
    for card in cards:
        number = card.number
        own = number.pan or STRANGER
        for text in ("till 7", f"card {own[:4]} {own[4:]}", f"PIN {number.clear_pin or own}"):
            request = v1.RedeemRequest(
                transaction_id=new_transaction_id(),
                card=card,
                provider=ELECTRUM,
                amount=Money(currency_code="ZAR", units=1),
                external_reference=text,
                labels={"note": text},
            )
            await _try(story, electrum.Redeem(request, metadata=story.signed_in, timeout=PATIENCE_S))
        lookup = v1.LookupRequest(card=card, provider=ELECTRUM)
        await _try(story, electrum.Lookup(lookup, metadata=story.signed_in, timeout=PATIENCE_S))


def _filled(kind: type[Message], **changed: str) -> Any:  # noqa: ANN401 - a message of that kind
    message = filled(cast("Descriptor", kind.DESCRIPTOR))
    for name, value in changed.items():
        setattr(message, name, value)
    return message


async def _be_hostile(story: Story, issuing: Issuing) -> None:
    """Send a number as every text of every request, bytes that are no message, and wrong credentials."""
    world = story.world
    async with grpc.aio.insecure_channel(world.address) as channel:
        for name, method in METHODS.items():
            if method.client_streaming or method.server_streaming:
                continue
            call: Any = channel.unary_unary(
                f"/{name}", response_deserializer=GetMessageClass(method.output_type).FromString
            )
            shown = story.signed_in
            for request in (_stuffed(method.input_type), STRANGER.encode() * 9):
                await _try(story, call(request, metadata=shown, timeout=PATIENCE_S))
        key, token = str(story.secrets["API key"]), str(story.secrets["token"])
        for wrong in (key[:-1] + "A", key + "x", token[:-3] + "abc", issuing.token(aud="others"), STRANGER):
            call = channel.unary_unary("/giftcard.v1.ProviderService/ListProviders")
            await _try(story, call(b"", metadata=_shown(wrong), timeout=PATIENCE_S))
            metadata = (*story.signed_in, ("giftcard-tenant", wrong), ("giftcard-end-user", wrong))
            await _try(story, call(b"", metadata=metadata, timeout=PATIENCE_S))


def _stuffed(descriptor: Descriptor) -> bytes:
    request = filled(descriptor)
    for place in list(places(request)):
        if place.field.type == place.field.TYPE_STRING and not place.field.is_repeated:
            setattr(place.holder, place.field.name, STRANGER)
    return request.SerializeToString()


async def _look_at_pages(story: Story) -> None:
    """Look at the HTTP port's pages with secrets in path, query, headers and body."""
    base = f"http://{HOST}:{edge_of(story.world.app).port}"
    async with httpx.AsyncClient(verify=False, timeout=PATIENCE_S) as http:  # noqa: S501 - plain HTTP
        for path in (
            "/",
            "/livez",
            "/readyz",
            "/metrics",
            f"/webhooks/{STRANGER}",
            f"/{STRANGER}?pan={STRANGER}",
        ):
            for provider_path in (path, *(f"/webhooks/{name}" for name in story.world.providers)):
                for headers in ({}, {"authorization": f"Bearer {STRANGER}", "x-api-signatures": STRANGER}):
                    answer = await http.post(base + provider_path, content=STRANGER.encode(), headers=headers)
                    story.pages.append(f"{answer.status_code} {answer.headers}".encode() + answer.content)
            answer = await http.get(base + path)
            story.pages.append(f"{answer.status_code} {answer.headers}".encode() + answer.content)
    # A request that no parser takes is answered by the server underneath.
    reader, writer = await asyncio.open_connection(HOST, edge_of(story.world.app).port)
    writer.write(f"GET /{STRANGER} HTTP/9.9\r\n{STRANGER}\r\n\r\n".encode())
    story.pages.append(await reader.read(65536))
    writer.close()


async def _try(story: Story, call: Any) -> None:  # noqa: ANN401 - a call of gRPC
    try:
        story.errors.append(str(await call))
    except grpc.aio.AioRpcError as fault:
        trailing: Sequence[tuple[str, Any]] = tuple(fault.trailing_metadata() or ())
        story.errors.append(f"{fault.code()} {fault.details()} {trailing} {fault!r}")


def _hear(story: Story, fault: GiftcardError) -> None:
    shown: Mapping[str, Any] = vars(fault)
    story.errors.append(f"{fault} {fault!r} {shown}")
