"""Finds out who makes a call, and whether they have its scope. What there is to find out is `access`'s.

The scope of a call of ours stands in the contract; `STANDARD` has those of the services gRPC brings.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import grpc

from giftcard.v1 import scope_pb2
from giftcard_gateway.access.signing_in import Shown, SigningIn
from giftcard_gateway.config.access import Scope
from giftcard_gateway.errors import CredentialsInvalid, GatewayError, OutOfReach, RateLimited, ScopeMissing
from giftcard_gateway.rpc.status import code_of, status_of, trailer_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.rpc.call import Context

_NAMES = "x509_subject_alternative_name"


def scope_of(method: MethodDescriptor) -> Scope:
    """Return the scope a call needs; raise KeyError for one whose contract names none that we know."""
    name = method.GetOptions().Extensions[scope_pb2.scope]
    try:
        return Scope(name)
    except ValueError:
        raise KeyError(f"{method.full_name} has no scope we know: set (giftcard.v1.scope)") from None


async def identify(signing_in: SigningIn, context: Context) -> Identity:
    """Return who makes a call; raise as `SigningIn.identify` does."""
    names: tuple[str, ...] = ()
    if signing_in.reads_certificates:
        shown = context.auth_context().get(_NAMES, ())
        names = tuple(name.decode("utf-8", "replace") for name in shown)
    return await signing_in.identify(Shown(metadata=context.invocation_metadata() or (), names=names))


def is_audited(fault: GatewayError) -> bool:
    """Tell whether a refusal is about who asks, or what they asked too much of."""
    return isinstance(fault, CredentialsInvalid | ScopeMissing | OutOfReach | RateLimited)


def tell(observer: Observer, method: str, fault: GatewayError) -> None:
    """Tell the observer of a refusal that is about who asks."""
    if isinstance(fault, CredentialsInvalid | ScopeMissing | OutOfReach):
        cause = fault.metadata.get("cause") or fault.metadata.get("scope") or next(iter(fault.metadata), "")
        observer.refused(method, fault.reason, cause)


STANDARD: Mapping[str, Scope | None] = {
    "grpc.reflection.v1.ServerReflection": None,
    "grpc.reflection.v1alpha.ServerReflection": None,
    "grpc.channelz.v1.Channelz": Scope.OPERATE,
}
"""Services that need signing in, and the scope besides. Health needs neither: who asks is a load balancer."""


class Guard:
    """Stands in for a server where gRPC's own services register, and puts the sign-in before them."""

    def __init__(self, signing_in: SigningIn, observer: Observer, *, open_reflection: bool) -> None:
        self._signing_in = signing_in
        self._observer = observer
        self._open_reflection = open_reflection
        self.handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Take handlers; these have their service's name only in the other call, so they are not kept."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Take the handlers of one service."""
        guarded = {name: self._guarded(service, name, handler) for name, handler in handlers.items()}
        self.handlers.append(grpc.method_handlers_generic_handler(service, guarded))

    def _guarded(
        self, service: str, name: str, handler: grpc.RpcMethodHandler[Any, Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        scope = STANDARD[service]
        is_open = scope is None and self._open_reflection
        if handler.request_streaming:
            inner: Any = handler.stream_stream

            async def stream(requests: Any, context: Any) -> Any:  # noqa: ANN401 - gRPC's own shapes
                await self._admit(f"{service}/{name}", scope, context, is_open=is_open)
                async for answer in inner(requests, context):
                    yield answer

            return grpc.stream_stream_rpc_method_handler(
                stream, handler.request_deserializer, handler.response_serializer
            )
        answer: Any = handler.unary_unary

        async def unary(request: Any, context: Any) -> Any:  # noqa: ANN401 - gRPC's own shapes
            await self._admit(f"{service}/{name}", scope, context, is_open=is_open)
            found = answer(request, context)
            return await found if inspect.isawaitable(found) else found

        return grpc.unary_unary_rpc_method_handler(
            unary, handler.request_deserializer, handler.response_serializer
        )

    async def _admit(self, method: str, scope: Scope | None, context: Context, *, is_open: bool) -> None:
        """Return if the caller may go on; end the call if not."""
        if is_open:
            return
        try:
            identity = await identify(self._signing_in, context)
            if scope is not None:
                identity.demand(scope)
        except GatewayError as fault:
            tell(self._observer, method, fault)
            status = status_of(fault)
            await context.abort(code_of(fault), status.message, (trailer_of(status),))
