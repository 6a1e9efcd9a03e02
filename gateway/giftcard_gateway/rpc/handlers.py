"""Builds the gRPC handlers of each service from its descriptor, one wrapper around every RPC.

In order: a span, the admission, who asks and whether they may, the caller's share, the request's decoding
and validation, the call, and whatever went wrong as a status. When there is no room, admission and share
come before everything else, even before the request is read, and a refusal has no span: it must cost
little. What a call does is in `services`; an RPC without an implementation keeps the gateway from starting.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.access.acting import OF_EVERY_TENANT, acting
from giftcard_gateway.errors import GatewayError, InvalidRequest, JournalUnavailable, Overloaded
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.rpc.call import RpcCall
from giftcard_gateway.rpc.doors import Door, Doors, Handler
from giftcard_gateway.rpc.guard import identify, is_audited, scope_of, tell, tell_error
from giftcard_gateway.rpc.status import code_of, overloaded, status_of, trailer_of
from giftcard_gateway.wire.bounds import TooMany, read
from giftcard_gateway.wire.validation import validator

if TYPE_CHECKING:
    from giftcard_gateway.access.cells import Cell
    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.access.machines import Machines
    from giftcard_gateway.access.shares import Share, Shares
    from giftcard_gateway.access.signing_in import SigningIn
    from giftcard_gateway.rpc.admission import Admission
    from giftcard_gateway.rpc.auditing import CallAudit
    from giftcard_gateway.rpc.call import Context
    from giftcard_gateway.telemetry import ServerCall, Telemetry

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")
_MONEY = frozenset(names_of(operation).rpc for operation in Operation)

Implementation = Callable[..., Any]
"""`async (request, call) -> answer`; a stream of answers is an async generator."""


@dataclass(frozen=True)
class Surroundings:
    """The parts that every handler shares."""

    admission: Admission
    machines: Machines
    signing_in: SigningIn
    shares: Shares
    telemetry: Telemetry
    audit: CallAudit
    cell: Cell | None = None
    """The cell that is served beside others; None where there is one journal for all."""


def build(
    service: ServiceDescriptor, calls: Mapping[str, Implementation], around: Surroundings
) -> grpc.GenericRpcHandler:
    """Return the handlers of one service; `calls` holds implementations by the name of the RPC.

    Raises KeyError for an implementation of an RPC the service does not have, for an RPC without one, and for
    one without a scope.
    """
    methods = {method.name: method for method in service.methods}
    if unknown := calls.keys() - methods.keys():
        raise KeyError(f"{service.full_name} has no {', '.join(sorted(unknown))}")
    if missing := methods.keys() - calls.keys():
        raise KeyError(f"{service.full_name} has no implementation of {', '.join(sorted(missing))}")
    return Doors([_door(method, calls[name], around) for name, method in methods.items()], around.admission)


def _door(method: MethodDescriptor, call: Implementation, around: Surroundings) -> Door:
    name = f"{method.containing_service.full_name}/{method.name}"
    inside = _Wrapper(name, call, method, around)
    # Requests are decoded by the wrapper: what gRPC itself cannot decode it answers without our reason.
    write = GetMessageClass(method.output_type).SerializeToString
    if method.client_streaming:
        collect = partial(inside.surround, inside.collect)
        usual: Handler = grpc.stream_unary_rpc_method_handler(collect, None, write)
        return Door(f"/{name}", usual, usual, is_stream=True)
    if method.server_streaming:
        stream = partial(inside.surround, inside.stream)
        usual = grpc.unary_stream_rpc_method_handler(stream, None, write)
        full: Handler = grpc.stream_stream_rpc_method_handler(inside.stream_when_full, None, write)
        return Door(f"/{name}", usual, full, is_stream=True)
    usual = grpc.unary_unary_rpc_method_handler(partial(inside.surround, inside.answer), None, write)
    full = grpc.stream_unary_rpc_method_handler(inside.answer_when_full, None, write)
    return Door(f"/{name}", usual, full, is_stream=False)


class _Wrapper:
    """The wrapper around one RPC."""

    def __init__(
        self, name: str, call: Implementation, method: MethodDescriptor, around: Surroundings
    ) -> None:
        self._name = name
        self._scope = scope_of(method)
        self._call = call
        self._kind: type[Message] = GetMessageClass(method.input_type)
        self._validate = validator(method.input_type)
        self._is_stream = method.client_streaming or method.server_streaming
        self._is_money = method.name in _MONEY
        self._takes_every = method.name in OF_EVERY_TENANT
        self._audit = around.audit.of(method)
        self._around = around

    async def answer(self, request: bytes, call: RpcCall, _: Context) -> Message:
        """Answer one request with one message."""
        read = self._read(request)
        await self._audit.asked(call, read)
        answer: Message = await self._call(read, call)
        await self._audit.answered(call, read)
        return answer

    async def answer_when_full(self, _: object, context: Context) -> Message | None:
        """Answer as `answer` does, but look whether there is room before the request is read."""
        await self._demand_room(context)
        request = await _request_of(context)
        return None if request is None else await self.surround(self.answer, request, context)

    async def stream_when_full(self, _: object, context: Context) -> None:
        """Answer as `stream` does, but look whether there is room before the request is read."""
        await self._demand_room(context)
        request = await _request_of(context)
        if request is not None:
            await self.surround(self.stream, request, context)

    async def collect(self, requests: AsyncIterator[bytes], call: RpcCall, _: Context) -> Message:
        """Answer a stream of requests with one message."""
        await self._audit.asked(call)
        answer: Message = await self._call(self._each(requests), call)
        await self._audit.answered(call)
        return answer

    async def stream(self, request: bytes, call: RpcCall, context: Context) -> None:
        """Answer one request with a stream of messages."""
        async with aclosing(self._call(self._read(request), call)) as answers:
            async for answer in answers:
                await context.write(answer)

    async def _each(self, requests: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        place = 0
        async for request in requests:
            yield self._read(request, f"requests[{place}]")
            place += 1

    def _read(self, encoded: bytes, place: str = "") -> Message:
        """Return a request that is as the contract has it, or raise InvalidRequest."""
        try:
            request = read(self._kind, encoded)
        except TooMany as refusal:
            violations = [(refusal.path, refusal.fault)]
        except DecodeError:
            violations = [("", f"is no {self._kind.DESCRIPTOR.name} as the contract has it")]
        else:
            violations = self._validate(request)
            if not violations:
                return request
        if place:
            violations = [(f"{place}.{path}".removesuffix("."), fault) for path, fault in violations]
        raise InvalidRequest(violations)

    async def _demand_room(self, context: Context) -> None:
        """End a call for which there is no room, and cheaply; nothing is counted for one that may go on."""
        around = self._around
        metadata = context.invocation_metadata() or ()
        machine = around.machines.of(context.peer(), metadata)
        identity: Identity | None = None
        try:
            around.admission.demand(is_stream=self._is_stream, left_s=context.time_remaining())
            identity = await identify(around.signing_in, context, metadata, machine)
            caller = around.shares.caller(identity, machine)
            to_share = around.admission.to_share
            around.shares.demand(caller, is_stream=self._is_stream, to_share=to_share)
        except Overloaded as fault:
            await self._turn_away(context, fault)
        except Exception as fault:  # noqa: BLE001 - the edge, as below
            with around.telemetry.call(self._name, metadata) as watched:
                await self._refuse(context, fault, watched, identity, machine)

    async def _turn_away(self, context: Context, fault: Overloaded) -> NoReturn:
        """Refuse a call for want of room, and say when to come back."""
        around = self._around
        cause, come_back_s = fault.metadata["cause"], around.admission.come_back_s()
        around.telemetry.metrics.crowded_out(self._name, cause)
        around.telemetry.observer.erred(Overloaded.reason, cause)
        message, trailer = overloaded(str(fault), cause, math.ceil(come_back_s * 10))
        if (hold_s := around.admission.hold_s(context.time_remaining())) > 0:
            await asyncio.sleep(hold_s)
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, message, (trailer,))

    async def surround(
        self,
        work: Callable[[_Asked, RpcCall, Context], Awaitable[_Answer]],
        request: _Asked,
        context: Context,
    ) -> _Answer:
        """Do the work of one RPC, with all around it that every call has."""
        around = self._around
        if (to_share := around.admission.to_share) is not None and not self._is_stream:
            await self._demand_room(context)
            to_share = around.admission.to_share
        identity: Identity | None = None
        metadata = context.invocation_metadata() or ()
        machine = around.machines.of(context.peer(), metadata)
        with around.telemetry.call(self._name, metadata) as watched:
            entered = False
            share: Share | None = None
            try:
                if around.admission.is_behind:
                    around.admission.demand(is_stream=self._is_stream, left_s=context.time_remaining())
                around.admission.enter(is_stream=self._is_stream)
                entered = True
                identity = await identify(around.signing_in, context, metadata, machine)
                identity = acting(identity, metadata, takes_every=self._takes_every)
                caller = around.shares.caller(identity, machine)
                share = around.shares.take(
                    caller, is_stream=self._is_stream, is_money=self._is_money, to_share=to_share
                )
                identity.demand(self._scope)
                if around.cell is not None:
                    around.cell.demand(identity.tenant)
                call = RpcCall(
                    *(context, identity, around.admission),
                    caller=caller,
                    metadata=metadata,
                    machine=machine,
                    trace_id=watched.trace_id,
                )
                return await work(request, call, context)
            except Exception as fault:  # noqa: BLE001 - the edge: whatever failed inside is told in one way
                await self._refuse(context, fault, watched, identity, machine)
            finally:
                if share is not None:
                    share.leave(is_stream=self._is_stream)
                if entered:
                    around.admission.leave(is_stream=self._is_stream, was_refused=share is None)

    async def _refuse(
        self,
        context: Context,
        fault: Exception,
        watched: ServerCall,
        identity: Identity | None,
        machine: str,
    ) -> NoReturn:
        if isinstance(fault, JournalClosed):
            fault = JournalUnavailable()
        if isinstance(fault, Overloaded):
            fault.retry_after_s = self._around.admission.come_back_s()
            self._around.telemetry.metrics.crowded_out(self._name, fault.metadata.get("cause", ""))
        if not isinstance(fault, GatewayError):
            self._around.telemetry.observer.faulted(self._name, fault)
        else:
            tell(self._around.telemetry.observer, self._name, fault)
            if is_audited(fault):
                self._audit.refused(fault.reason, identity, machine)
        tell_error(self._around.telemetry.observer, fault)
        code, status = code_of(fault), status_of(fault, watched.trace_id)
        watched.answered(code.name)
        await context.abort(code, status.message, (trailer_of(status),))


async def _request_of(context: Context) -> bytes | None:
    """Return the one request of a call that is read as a stream; nothing when its client has gone."""
    request: object = await context.read()
    return request if isinstance(request, bytes) else None
