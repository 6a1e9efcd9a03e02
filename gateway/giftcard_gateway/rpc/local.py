"""Calls of our services from within the process, through all that surrounds a call from outside.

The handlers are the server's own: admission, sign-in, shares, scopes, validation, audit and telemetry hold as
they do over a connection. Only the connection is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from giftcard.v1 import gift_card_service_pb2, provider_service_pb2, transaction_service_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from giftcard_gateway.rpc.call import Metadata

Handlers = Iterable[grpc.GenericRpcHandler]
"""What a server of ours answers with."""

_PATHS = {
    method.name: f"/{service.full_name}/{method.name}"
    for module in (gift_card_service_pb2, transaction_service_pb2, provider_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not (method.client_streaming or method.server_streaming)
}
"""By the name of the RPC: those that are called from within."""


class CallRefused(Exception):
    """A call was refused. `code` is gRPC's name for why; the text is a sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        """Keep both."""
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls: what goes with the call as metadata, and the peer as gRPC writes it."""

    metadata: Sequence[tuple[str, str]]
    peer: str
    longest_s: float
    """How long the caller waits for an answer, in seconds."""


@dataclass(frozen=True)
class _Details:
    """What a handler is found by."""

    method: str
    invocation_metadata: Sequence[tuple[str, str]] = ()


class LocalCalls:
    """The unary calls of GiftCardService, TransactionService and ProviderService, by name."""

    def __init__(self, handlers: Handlers) -> None:
        """Find the handler of each call; raises KeyError for one that is missing."""
        known = list(handlers)
        self._handlers = {name: _found(known, path) for name, path in _PATHS.items()}

    async def call(self, name: str, request: Message, caller: Caller) -> Any:  # noqa: ANN401 - the answer's own type
        """Return what the service answers; raise CallRefused."""
        return await self._handlers[name].unary_unary(request.SerializeToString(), _Context(caller))


def _found(handlers: Handlers, path: str) -> Any:  # noqa: ANN401 - gRPC's own shape
    for handler in handlers:
        if (found := handler.service(_Details(path))) is not None:  # type: ignore[arg-type]  # it reads the method alone
            return found
    raise KeyError(f"no handler answers {path}")


class _Context:
    """As much of gRPC's context as our handlers use."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def invocation_metadata(self) -> Metadata:
        return self._caller.metadata

    def peer(self) -> str:
        return self._caller.peer

    def auth_context(self) -> dict[str, Iterable[bytes]]:
        """Return nothing: whoever calls from within shows no certificate."""
        return {}

    def time_remaining(self) -> float:
        return self._caller.longest_s

    def set_trailing_metadata(self, trailing: Metadata) -> None:
        """Drop what only gRPC's clients read."""

    async def abort(self, code: grpc.StatusCode, sentence: str, trailing: Metadata = ()) -> NoReturn:  # noqa: ARG002 - as gRPC has it
        raise CallRefused(code.name, sentence)
