"""A gateway behind a real grpc.aio server on a port of its own, over a provider that does what it is told.

The journal is SQLite in memory, the clock is the machine's, and nothing sleeps unless a test says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from google.type.money_pb2 import Money
from grpc_status import rpc_status

from giftcard import v1
from giftcard_adapters.contract import Settings
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.reads import (
    AccountQuery,
    AccountsExtract,
    CardView,
    ExportFile,
    Lookup,
    Offer,
    OfferSync,
    ProviderEvent,
    StoreCard,
    StoredCard,
    StoredCardPage,
    StoredCardQuery,
    Template,
    TicketQuery,
    TicketStatistics,
    Webhook,
)
from giftcard_gateway.access.signing_in import SigningIn
from giftcard_gateway.clock import Clock, SystemClock
from giftcard_gateway.config.settings import Limits, Routing, Server
from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.process.app import App
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from giftcard_gateway.providers.routing import Rule
from giftcard_gateway.rpc.call import END_USER
from giftcard_gateway.telemetry import Telemetry
from tests.gateway.wire.filled import METHODS, PAN
from tests.patience import PATIENCE_S
from tests.world.app import HOST, SLOW_TO_FORGIVE, open_app, settings, until
from tests.world.journal import Unsteady
from tests.world.observer import Heard
from tests.world.provider import LOST, Script, Scripted

T = TypeVar("T")
Shown = Sequence[tuple[str, str]]
"""Metadata of a call."""

RAND = Money(currency_code="ZAR", units=100)
"""A hundred rand: what the scripted provider approves."""


@dataclass
class Telling:
    """What a provider tells when read, by method: a value, an error to raise, or so many seconds first."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    async def tell(self, method: str, question: object, otherwise: T) -> T:
        """Note the question and answer it."""
        self.asked.append((method, question))
        answer: Any = self.answers.get(method, otherwise)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = otherwise
        if isinstance(answer, Exception):
            raise answer
        return cast("T", answer)


class Shop(Scripted):
    """The pipeline's scripted provider, with every read and a vault besides."""

    deletes_cards: ClassVar[bool] = True
    balances_per_call: ClassVar[int] = 2

    def __init__(self, settings: Settings, exchange: Exchange) -> None:
        """Begin with nothing to tell."""
        super().__init__(settings, exchange)
        self.telling = Telling()

    async def lookup(self, ask: Lookup) -> CardView:
        """Tell about a card."""
        return await self.telling.tell("lookup", ask, CardView(masked_card="604512******0007"))

    async def balances(self, cards: Sequence[CardRef], ask: Lookup) -> Sequence[CardView | Decline]:
        """Tell the balance of each card, by its number."""
        told = await self.telling.tell("balances", (tuple(cards), ask), dict[str, CardView | Decline]())
        return [told.get(card.number.reveal() if card.number else "", _view(card)) for card in cards]

    async def store_card(self, ask: StoreCard) -> StoredCard:
        """Store a card."""
        return await self.telling.tell("store_card", ask, _STORED)

    async def get_stored_card(self, stored_card_id: str) -> StoredCard:
        """Tell about a stored card."""
        return await self.telling.tell("get_stored_card", stored_card_id, _STORED)

    async def list_stored_cards(self, query: StoredCardQuery) -> StoredCardPage:
        """List stored cards."""
        return await self.telling.tell(
            "list_stored_cards", query, StoredCardPage(cards=(_STORED,), next_page_token="more")
        )

    async def delete_stored_card(self, stored_card_id: str) -> None:
        """Delete a stored card."""
        await self.telling.tell("delete_stored_card", stored_card_id, None)

    async def list_templates(self) -> Sequence[Template]:
        """List templates."""
        return await self.telling.tell("list_templates", None, ())

    async def list_offers(self) -> Sequence[Offer]:
        """List offers."""
        return await self.telling.tell("list_offers", None, ())

    async def sync_offers(self, offers: Sequence[Offer]) -> OfferSync:
        """Synchronize offers."""
        return await self.telling.tell("sync_offers", offers, OfferSync())

    async def extract_accounts(self, query: AccountQuery) -> AccountsExtract:
        """Extract accounts."""
        return await self.telling.tell("extract_accounts", query, AccountsExtract())

    @asynccontextmanager
    async def download_export(self, export_id: str) -> AsyncIterator[tuple[ExportFile, AsyncIterator[bytes]]]:
        """Open an export."""
        pieces: Sequence[bytes] = await self.telling.tell("download_export", export_id, (b"a", b"b"))

        async def read() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        yield ExportFile(file_name="export.csv", size=sum(map(len, pieces))), read()

    async def ticket_statistics(self, query: TicketQuery) -> TicketStatistics:
        """Count tickets."""
        return await self.telling.tell("ticket_statistics", query, TicketStatistics(issued=2, consumed=1))

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Read the events that were put there."""
        del webhook
        events: Sequence[ProviderEvent] = self.telling.answers["read_webhook"]
        return events


@dataclass
class Served:
    """A served gateway, seen from outside and from within."""

    channel: grpc.aio.Channel
    app: App
    clock: Clock
    shop: Shop

    @property
    def script(self) -> Script:
        """Return what the shop does with money."""
        return self.shop.script

    async def asked(self) -> None:
        """Return once the shop has been asked something."""
        await until(lambda: bool(self.script.requests or self.telling.asked))

    async def idle(self) -> None:
        """Return once no call is inside."""
        await until(lambda: not self.app.admission.inside)

    @property
    def telling(self) -> Telling:
        """Return what the shop tells when read."""
        return self.shop.telling

    def start(
        self,
        name: str,
        request: Message,
        *,
        timeout_s: float | None = PATIENCE_S,
        end_user: str = "",
        metadata: Shown = (),
    ) -> grpc.aio.UnaryUnaryCall[Message, Message]:
        """Begin a unary call, by the RPC's name."""
        method = _METHODS[name]
        call: grpc.aio.UnaryUnaryCall[Message, Message] = self.channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )(
            request,
            timeout=timeout_s,
            metadata=(*(((END_USER, end_user),) if end_user else ()), *metadata),
        )
        return call

    async def call(
        self, name: str, request: Message, *, timeout_s: float | None = PATIENCE_S, metadata: Shown = ()
    ) -> Any:  # noqa: ANN401 - its answer
        """Make a unary call and return its answer."""
        return await self.start(name, request, timeout_s=timeout_s, metadata=metadata)

    def stream(self, name: str, request: Message, metadata: Shown = ()) -> Any:  # noqa: ANN401 - a call that yields answers
        """Begin a call that answers with a stream."""
        method = _METHODS[name]
        return self.channel.unary_stream(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )(request, metadata=metadata)

    async def send(self, name: str, requests: Sequence[Message]) -> Any:  # noqa: ANN401 - its answer
        """Make a call with a stream of requests."""
        method = _METHODS[name]
        return await self.channel.stream_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=GetMessageClass(method.input_type).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )(iter(requests))

    async def refused(self, name: str, request: Message, metadata: Shown = ()) -> Refusal:
        """Make a unary call that must be refused, and return how."""
        try:
            answer = await self.call(name, request, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return refusal_of(error)
        raise AssertionError(f"{name} was not refused: {answer}")

    async def redeem(self, transaction_id: str = "", **more: Any) -> v1.Transaction:  # noqa: ANN401 - any field
        """Redeem a hundred rand and return the transaction."""
        answer = await self.call("Redeem", self.redemption(transaction_id, **more))
        transaction: v1.Transaction = answer.transaction
        return transaction

    def redemption(self, transaction_id: str = "", **more: Any) -> v1.RedeemRequest:  # noqa: ANN401 - any field
        """Return a good redemption."""
        fields: dict[str, Any] = {
            "transaction_id": transaction_id or self.clock.uuid4(),
            "card": v1.Card(number=v1.CardNumber(pan=PAN)),
            "amount": RAND,
        }
        return v1.RedeemRequest(**(fields | more))


_METHODS = {name.rpartition("/")[2]: method for name, method in METHODS.items()}
_STORED = StoredCard(stored_card_id="stored-1", masked_card="604512******0007")


def _view(card: CardRef) -> CardView:
    return CardView(masked_card=card.masked())


@dataclass(frozen=True)
class Refusal:
    """How a call was refused."""

    code: grpc.StatusCode
    message: str
    info: ErrorInfo
    details: tuple[str, ...]
    violations: tuple[str, ...]
    retry_after_s: float | None

    @property
    def reason(self) -> str:
        """Return the reason in the ErrorInfo."""
        return self.info.reason


def refusal_of(error: grpc.aio.AioRpcError) -> Refusal:
    """Read an error; it must hold exactly one ErrorInfo of our domain."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has what from_call reads
    assert status is not None, error
    return read_status(status)


def read_status(status: Status) -> Refusal:
    """Read a status; it must hold exactly one ErrorInfo of our domain."""
    infos = [unpack(detail, ErrorInfo) for detail in status.details if is_a(detail, ErrorInfo)]
    assert len(infos) == 1
    assert infos[0].domain == "giftcard.v1"
    bad = [unpack(detail, BadRequest) for detail in status.details if is_a(detail, BadRequest)]
    retry = [unpack(detail, RetryInfo) for detail in status.details if is_a(detail, RetryInfo)]
    return Refusal(
        code=next(code for code in grpc.StatusCode if code.value[0] == status.code),
        message=status.message,
        info=infos[0],
        details=tuple(detail.TypeName() for detail in status.details),
        violations=tuple(one.field for request in bad for one in request.field_violations),
        retry_after_s=retry[0].retry_delay.ToTimedelta().total_seconds() if retry else None,
    )


def is_a(detail: Any, kind: type[Any]) -> bool:  # noqa: ANN401 - a detail of any kind
    """Tell whether a detail is of a kind."""
    return bool(detail.Is(kind.DESCRIPTOR))


def unpack(detail: Any, kind: type[Any]) -> Any:  # noqa: ANN401 - a detail of that kind
    """Return one detail of a status."""
    message = kind()
    detail.Unpack(message)
    return message


@asynccontextmanager
async def serve(
    *,
    signing_in: SigningIn | None = None,
    limit: int = 100,
    at_once: int = 64,
    rules: Sequence[Rule] = (),
    terms: Terms | None = None,
    journal: Journal | None = None,
    heard: Heard | None = None,
    telemetry: Telemetry | None = None,
    limits: Limits = SLOW_TO_FORGIVE,
) -> AsyncIterator[Served]:
    """Serve a gateway with the providers `first`, a Shop, and `second`, which has nothing to read."""
    clock = SystemClock()
    shop, terms = Shop.open(clock), terms or Terms(retry_base_s=0.01)
    connections = Connections(
        [
            Connection("first", shop, terms, clock, display_name="The first"),
            Connection("second", Scripted.open(clock), terms, clock),
        ]
    )
    server = Server(
        listen=f"{HOST}:0",
        max_concurrent_calls=limit,
        calls_at_once=at_once,
        max_metadata_bytes=8 * 1024,
        drain_s=0.1,
    )
    table = settings(server, limits=limits, routing=Routing(default="first", rules=tuple(rules)))
    parts = {"signing_in": signing_in, "connections": connections, "heard": heard, "telemetry": telemetry}
    async with (
        open_app(table, clock, journal=journal or Unsteady(), **parts) as app,
        grpc.aio.insecure_channel(f"{HOST}:{app.server.port}") as channel,
    ):
        yield Served(channel, app, clock, shop)


async def unresolved(served: Served) -> v1.Transaction:
    """Return a transaction that only a person can end."""
    served.script.reactions.append(LOST)
    void = v1.VoidRequest(transaction_id=served.clock.uuid4(), card=v1.Card(number=v1.CardNumber(pan=PAN)))
    transaction: v1.Transaction = (await served.call("Void", void)).transaction
    assert transaction.state == v1.TransactionState.TRANSACTION_STATE_UNRESOLVED
    return transaction
