"""A gateway that answers as a test tells it, over a real grpc.aio server; and one way to drive both clients.

It knows the contract's shapes and nothing of its rules. It is for tests of the client, not of the gateway.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.descriptor_pool import Default
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2 as details_pb2
from google.rpc.status_pb2 import Status
from grpc import aio

from giftcard import AsyncClient, CallError, Card, Client, RepeatPolicy, new_transaction_id, read_error, v1
from giftcard.open_transactions import AsyncOpenTransaction, OpenTransaction
from giftcard.v1 import gift_card_service_pb2

_CALLS = gift_card_service_pb2.DESCRIPTOR.services_by_name["GiftCardService"].methods_by_name
OPERATIONS = tuple(name for name in _CALLS if f"Confirm{name}" in _CALLS)
PAN = "6045123412341234"
PIN = "9713"

State = v1.TransactionState


@dataclass(frozen=True)
class Refusal:
    """An error a call ends with, with the details the contract promises."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "no"
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Mapping[str, str] = field(default_factory=dict)
    retry_after_ms: int | None = None
    domain: str = "giftcard.v1"
    request_id: str = ""

    def trailing(self) -> tuple[tuple[str, bytes], ...]:
        """Pack the details as the wire carries them."""
        details: list[Message] = []
        if self.reason:
            details.append(
                details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=dict(self.metadata))
            )
        if self.violations:
            kind = details_pb2.BadRequest.FieldViolation
            fields = [kind(field=name, description=text) for name, text in self.violations.items()]
            details.append(details_pb2.BadRequest(field_violations=fields))
        if self.retry_after_ms is not None:
            delay = Duration()
            delay.FromMilliseconds(self.retry_after_ms)
            details.append(details_pb2.RetryInfo(retry_delay=delay))
        if self.request_id:
            details.append(details_pb2.RequestInfo(request_id=self.request_id))
        status = Status(code=self.code.value[0], message=self.message, details=map(pack, details))
        return (("grpc-status-details-bin", status.SerializeToString()),)

    def as_error(self) -> CallError:
        """Make the exception a client reads from it."""
        return read_error(self.as_rpc_error())

    def as_rpc_error(self) -> aio.AioRpcError:
        """Make the exception that gRPC raises for it."""
        metadata = aio.Metadata(*self.trailing())
        return aio.AioRpcError(self.code, aio.Metadata(), metadata, self.message)


def pack(message: Message) -> Packed:
    """Put a message into an Any."""
    packed = Packed()
    packed.Pack(message)
    return packed


UNREACHABLE = Refusal(grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNREACHABLE", retry_after_ms=2000)
CUT = Refusal(grpc.StatusCode.UNAVAILABLE, message="connection reset")
LATE = Refusal(grpc.StatusCode.DEADLINE_EXCEEDED)
UNKNOWN_ID = Refusal(grpc.StatusCode.NOT_FOUND, "TRANSACTION_NOT_FOUND")

Reply = Message | Refusal | None
"""What a call is answered; None lets it wait until its caller gives up."""


@dataclass(frozen=True)
class Seen:
    """One call that arrived."""

    name: str
    request: Message
    metadata: Mapping[str, str | bytes]
    seconds_left: float | None

    def text(self, name: str) -> str:
        """Read a text field of the request."""
        return cast("str", getattr(self.request, name))


class ScriptedGateway(grpc.GenericRpcHandler):
    """Answers each call with the next reply written down for it, the last one for ever after."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.arrived = asyncio.Event()
        self.replies: dict[str, list[Reply]] = defaultdict(list)
        self.streams: dict[str, list[list[Reply]]] = defaultdict(list)
        self.trailing: tuple[tuple[str, str], ...] = ()

    def expect(self, name: str, *replies: Reply) -> None:
        """Write down what calls of this name are answered, one after the other."""
        self.replies[name] = list(replies)

    def names(self) -> list[str]:
        """Name the calls that arrived."""
        return [each.name for each in self.seen]

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Message, Message]:
        """Find the handler of a call by the contract."""
        method = Default().FindMethodByName(handler_call_details.method.strip("/").replace("/", "."))

        async def answer(request: Message, context: aio.ServicerContext[Message, Message]) -> Message:
            metadata = dict(context.invocation_metadata() or ())
            self.seen.append(Seen(method.name, request, metadata, context.time_remaining()))
            self.arrived.set()
            replies = self.replies[method.name] or [GetMessageClass(method.output_type)()]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            if reply is None:
                await asyncio.Event().wait()
            if isinstance(reply, Refusal):
                await context.abort(reply.code, reply.message, reply.trailing())
            context.set_trailing_metadata(self.trailing)
            return cast("Message", reply)

        async def pour(
            request: Message, context: aio.ServicerContext[Message, Message]
        ) -> AsyncIterator[Message]:
            metadata = dict(context.invocation_metadata() or ())
            self.seen.append(Seen(method.name, request, metadata, context.time_remaining()))
            for reply in self.streams[method.name].pop(0):
                if reply is None:
                    await asyncio.Event().wait()
                if isinstance(reply, Refusal):
                    await context.abort(reply.code, reply.message, reply.trailing())
                yield cast("Message", reply)

        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                pour,
                request_deserializer=GetMessageClass(method.input_type).FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )


@asynccontextmanager
async def serve(gateway: ScriptedGateway) -> AsyncIterator[str]:
    """Serve a scripted gateway on a port of the system's choice; give its address."""
    server = aio.server()
    server.add_generic_rpc_handlers((gateway,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@dataclass
class Time:
    """A clock that moves only when someone sleeps."""

    now_s: float = 0.0
    pauses_s: list[float] = field(default_factory=list)

    def read(self) -> float:
        """Tell the time."""
        return self.now_s

    def sleep(self, pause_s: float) -> None:
        """Let the pause be over at once."""
        self.pauses_s.append(pause_s)
        self.now_s += pause_s

    async def asleep(self, pause_s: float) -> None:
        """Let the pause be over at once, for asyncio."""
        self.sleep(pause_s)

    def policy(self, **settings: float) -> RepeatPolicy:
        """Make a policy that lives in this time, and whose jitter is always the whole pause."""
        plain = RepeatPolicy(chance=lambda: 1.0, clock_s=self.read)
        return RepeatPolicy(**{**vars(plain), **settings})


Body = Callable[[OpenTransaction | AsyncOpenTransaction], None]


@dataclass
class Driver:
    """Either client, driven in one way. The one that waits runs in a thread, beside the server's loop."""

    client: Client | AsyncClient

    async def call(self, name: str, *args: object, **fields: object) -> object:
        """Make a call by its name and return its answer."""
        call = getattr(self.client, name)
        if isinstance(self.client, AsyncClient):
            return cast("object", await call(*args, **fields))
        return cast("object", await asyncio.to_thread(call, *args, **fields))

    async def transact(self, name: str, **fields: object) -> v1.Transaction:
        """Make a money call by its name."""
        return cast("v1.Transaction", await self.call(name, **fields))

    async def hold(self, name: str, body: Body, **fields: object) -> None:
        """Run a body in the `with` block of an operation."""
        opening = getattr(self.client, name)(**fields)
        if isinstance(self.client, AsyncClient):
            async with opening as held:
                body(held)
        else:
            await asyncio.to_thread(run_held, opening, body)


def run_held(opening: OpenTransaction, body: Body) -> None:
    """Run a body in a `with` block."""
    with opening as held:
        body(held)


def fields_of(operation: str) -> dict[str, object]:
    """Give the least an operation can be asked with, each time under a new id."""
    fields: dict[str, object] = {"transaction_id": new_transaction_id()}
    descriptor = getattr(v1, f"{operation}Request").DESCRIPTOR
    cards = [name for name in descriptor.fields_by_name if name.endswith("card")]
    fields |= {name: Card.number(PAN, pin=PIN) for name in cards}
    if "amount" in descriptor.fields_by_name:
        fields |= {"amount": "100.00", "currency": "ZAR"}
    return fields


def response(name: str, state: State.ValueType, *issued: v1.IssuedCard) -> Message:
    """Make the response of a call with a transaction in a state."""
    kind = getattr(v1, f"{name}Response")
    transaction = v1.Transaction(transaction_id="t", state=state, issued_cards=issued)
    return cast("Message", kind(transaction=transaction))
