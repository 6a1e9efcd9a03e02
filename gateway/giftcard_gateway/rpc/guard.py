"""Finds out who makes a call, and whether they have its scope. What there is to find out is `access`'s.

The scope of a call of ours stands in the contract; `STANDARD` has those of the services gRPC brings.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc

from giftcard.v1 import scope_pb2
from giftcard_gateway.access.signing_in import Shown, SigningIn
from giftcard_gateway.config.access import Scope
from giftcard_gateway.errors import (
    CredentialsInvalid,
    GatewayError,
    OutOfReach,
    Overloaded,
    RateLimited,
    ScopeMissing,
    ShuttingDown,
)
from giftcard_gateway.rpc.admission import Admission
from giftcard_gateway.rpc.status import INTERNAL, code_of, status_of, trailer_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message

    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.access.machines import Machines
    from giftcard_gateway.access.shares import Shares
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.rpc.call import Context, Metadata

_NAMES = "x509_subject_alternative_name"


def scope_of(method: MethodDescriptor) -> Scope:
    """Return the scope a call needs; raise KeyError for one whose contract names none that we know."""
    name = method.GetOptions().Extensions[scope_pb2.scope]
    try:
        return Scope(name)
    except ValueError:
        raise KeyError(f"{method.full_name} has no scope we know: set (giftcard.v1.scope)") from None


async def identify(signing_in: SigningIn, context: Context, metadata: Metadata, machine: str) -> Identity:
    """Return who makes a call that comes from a machine; raise as `SigningIn.identify` does."""
    names: tuple[str, ...] = ()
    if signing_in.reads_certificates:
        shown = context.auth_context().get(_NAMES, ())
        names = tuple(name.decode("utf-8", "replace") for name in shown)
    return await signing_in.identify(Shown(metadata=metadata, names=names, machine=machine))


def is_audited(fault: GatewayError) -> bool:
    """Tell whether a refusal is about who asks, or what they asked too much of."""
    return isinstance(fault, CredentialsInvalid | ScopeMissing | OutOfReach | RateLimited)


def tell(observer: Observer, method: str, fault: GatewayError) -> None:
    """Tell the observer of a refusal that is about who asks."""
    if isinstance(fault, CredentialsInvalid | ScopeMissing | OutOfReach):
        cause = fault.metadata.get("cause") or fault.metadata.get("scope") or next(iter(fault.metadata), "")
        observer.refused(method, fault.reason, cause)


def tell_error(observer: Observer, fault: Exception) -> None:
    """Tell the observer of an error that a caller is told."""
    if isinstance(fault, GatewayError):
        cause = fault.metadata.get("cause", "") if isinstance(fault, Overloaded) else ""
        observer.erred(fault.reason, fault.budget or cause)
    else:
        observer.erred(INTERNAL, "")


HEALTH = "grpc.health.v1.Health"
STANDARD: Mapping[str, Scope | None] = {
    "grpc.reflection.v1.ServerReflection": None,
    "grpc.reflection.v1alpha.ServerReflection": None,
    "grpc.channelz.v1.Channelz": Scope.OPERATE,
}
"""The services gRPC brings, and the scope each needs besides signing in.

Health is not among them and needs neither: who asks is a load balancer.
"""

CALLS, STREAMS = 64, 128
"""How many calls and streams of each of one of gRPC's services run at once; none takes a place of ours."""


class Guard:
    """Stands in for a server where gRPC's own services register: room, sign-in and shares come first."""

    def __init__(
        self,
        signing_in: SigningIn,
        shares: Shares,
        admission: Admission,
        observer: Observer,
        *,
        machines: Machines,
        open_reflection: bool,
    ) -> None:
        self._signing_in = signing_in
        self._shares = shares
        self._admission = admission
        self._observer = observer
        self._machines = machines
        self._open = {HEALTH} | (
            {one for one in STANDARD if "reflection" in one} if open_reflection else set()
        )
        self.handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Take handlers; these have their service's name only in the other call, so they are not kept."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Take the handlers of one service."""
        room = Admission(CALLS, STREAMS)
        guarded = {name: self._guarded(service, name, handler, room) for name, handler in handlers.items()}
        self.handlers.append(grpc.method_handlers_generic_handler(service, guarded))

    def _guarded(
        self, service: str, name: str, handler: grpc.RpcMethodHandler[Any, Any], room: Admission
    ) -> grpc.RpcMethodHandler[Any, Any]:
        is_stream = handler.request_streaming or handler.response_streaming
        inner: Any = handler.stream_stream or handler.unary_stream or handler.unary_unary

        async def answer(request: Any, context: Any) -> Any:  # noqa: ANN401 - gRPC's own shapes
            async with (
                self._admitted(service, name, context, room, is_stream=is_stream),
                _newest(context, is_watch=service == HEALTH and is_stream) as seen,
            ):
                found = inner(request, seen)
                if inspect.isasyncgen(found):
                    async for one in found:
                        await context.write(one)
                    return None
                return await found if inspect.isawaitable(found) else found

        wrap = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return wrap(answer, handler.request_deserializer, handler.response_serializer)

    @asynccontextmanager
    async def _admitted(
        self, service: str, name: str, context: Context, room: Admission, *, is_stream: bool
    ) -> AsyncIterator[None]:
        """Surround a call that may go on; end one that may not."""
        async with AsyncExitStack() as held:
            try:
                # Health goes on while the process drains: it tells load balancers so.
                if service != HEALTH and self._admission.is_closed:
                    raise ShuttingDown
                held.enter_context(room.entered(is_stream=is_stream))
                caller = await self._caller(service, context)
                held.enter_context(self._shares.taken(caller, is_stream=is_stream))
            except GatewayError as fault:
                tell(self._observer, f"{service}/{name}", fault)
                tell_error(self._observer, fault)
                status = status_of(fault)
                await context.abort(code_of(fault), status.message, (trailer_of(status),))
            yield

    async def _caller(self, service: str, context: Context) -> str:
        """Return what limits count by; raise as `identify` does, or ScopeMissing."""
        metadata = context.invocation_metadata() or ()
        machine = self._machines.of(context.peer(), metadata)
        if service in self._open:
            # Who asks for health takes nothing of a caller on the same machine who does not sign in.
            return f"{service} {self._shares.machine(machine)}"
        identity = await identify(self._signing_in, context, metadata, machine)
        if (scope := STANDARD[service]) is not None:
            identity.demand(scope)
        return self._shares.caller(identity, machine)


class _Newest:
    """A watch's context that never waits for its reader: it sends the newest message, and drops those before.

    gRPC's health service writes while it holds what a change of health needs, so one watch that is not
    read would keep the server from stopping.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._newest: Message | None = None
        self._is_there = asyncio.Event()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the context has under that name
        return getattr(self._context, name)

    async def write(self, message: Message) -> None:
        """Take a message to send."""
        self._newest = message
        self._is_there.set()

    async def send(self) -> None:
        """Send what was taken, until cancelled."""
        while True:
            await self._is_there.wait()
            self._is_there.clear()
            if self._newest is not None:
                await self._context.write(self._newest)


@asynccontextmanager
async def _newest(context: Context, *, is_watch: bool) -> AsyncIterator[Any]:
    """Give the context to answer with."""
    if not is_watch:
        yield context
        return
    newest = _Newest(context)
    sending = asyncio.create_task(newest.send())
    try:
        yield newest
    finally:
        sending.cancel()
