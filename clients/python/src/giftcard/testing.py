"""For the tests of those who use the client: a gateway in memory; `giftcard.pytest_plugin` is its fixtures.

The gateway knows the life of a transaction and no cards: it approves what it is asked, unless it is told
otherwise. It is no model of the real gateway, only of what a caller meets: replays, declines, failures and
lost answers. To try the real one, run the sandbox.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from giftcard import v1
from giftcard.abouts import About, CallPhase
from giftcard.errors import DOMAIN

_State = v1.TransactionState
_AFTER = {
    CallPhase.CONFIRMING: _State.TRANSACTION_STATE_CONFIRMED,
    CallPhase.REVERSING: _State.TRANSACTION_STATE_REVERSED,
}
_UNDONE = {
    CallPhase.CONFIRMING: {_State.TRANSACTION_STATE_REVERSED, _State.TRANSACTION_STATE_DECLINED},
    CallPhase.REVERSING: {_State.TRANSACTION_STATE_CONFIRMED},
}
_Fault = tuple[grpc.StatusCode, str]
_Telling = tuple[Sequence[Message], grpc.StatusCode | None]


class FakeGateway(grpc.GenericRpcHandler):
    """A gateway in memory: `seen` are the requests that came, `transactions` what became of them.

    What it is told with `decline`, `fail`, `lose`, `answer` and `stream` holds for the next call of that
    name, once.
    """

    def __init__(self) -> None:
        self.seen: list[Message] = []
        self.transactions: dict[str, v1.Transaction] = {}
        self._lock = threading.Lock()
        self._declines: list[v1.DeclineReason.ValueType] = []
        self._faults: dict[str, list[_Fault]] = {}
        self._lost: list[str] = []
        self._answers: dict[str, list[Message]] = {}
        self._streams: dict[str, list[_Telling]] = {}

    @property
    def calls(self) -> list[str]:
        """The names of the calls that came, oldest first."""
        return [About.of(request).call for request in self.seen]

    def decline(self, reason: v1.DeclineReason.ValueType) -> None:
        """Decline the next money operation."""
        self._declines.append(reason)

    def fail(self, call: str, code: grpc.StatusCode, reason: str = "") -> None:
        """Refuse the next call of a name, such as `Redeem`; `reason` is one of ErrorReason."""
        self._faults.setdefault(call, []).append((code, reason))

    def lose(self, call: str) -> None:
        """Do what the next call of a name asks, and lose the answer: its caller sees DEADLINE_EXCEEDED."""
        self._lost.append(call)

    def answer(self, call: str, response: Message) -> None:
        """Answer the next call of a name with a response of its own kind."""
        self._answers.setdefault(call, []).append(response)

    def stream(self, call: str, *messages: Message, end: grpc.StatusCode | None = None) -> None:
        """Let the next stream of a name tell messages, and then end as said or stay open."""
        self._streams.setdefault(call, []).append((messages, end))

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Message, Message] | None:
        """Find the handler of a call by the contract; who streams requests is UNIMPLEMENTED."""
        name = handler_call_details.method.strip("/").replace("/", ".")
        try:
            method = Default().FindMethodByName(name)
        except KeyError:
            return None
        if method.client_streaming:
            return None
        read = GetMessageClass(method.input_type).FromString
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                lambda request, context: self._pour(method, request, context), read, _written
            )
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._handle(method, request, context), read, _written
        )

    def _handle(self, method: MethodDescriptor, request: Message, context: grpc.ServicerContext) -> Message:
        """Do what a call asks, then answer or lose the answer."""
        with self._lock:
            self._note(method, request, context)
            response = self._respond(method, request, context)
            if method.name in self._lost:
                self._lost.remove(method.name)
                context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "lost")
            return response

    def _pour(
        self, method: MethodDescriptor, request: Message, context: grpc.ServicerContext
    ) -> Iterator[Message]:
        """Tell what the next stream of a name is to tell."""
        is_over = threading.Event()
        with self._lock:
            self._note(method, request, context)
            if not (tellings := self._streams.get(method.name)):
                words = f"nobody said what {method.name} tells: use stream"
                context.abort(grpc.StatusCode.UNIMPLEMENTED, words)
            messages, end = tellings.pop(0)
        yield from messages
        if end is None:
            if context.add_callback(is_over.set):
                is_over.wait()
        elif end is not grpc.StatusCode.OK:
            context.abort(end, "the stream ends as told")

    def _note(self, method: MethodDescriptor, request: Message, context: grpc.ServicerContext) -> None:
        """Remember a request, and refuse it if told so."""
        self.seen.append(request)
        if faults := self._faults.get(method.name):
            _abort(context, *faults.pop(0))

    def _respond(self, method: MethodDescriptor, request: Message, context: grpc.ServicerContext) -> Message:
        """Make the response to a call."""
        if answers := self._answers.get(method.name):
            return answers.pop(0)
        about = About.of(request)
        response = GetMessageClass(method.output_type)()
        if about.phase not in {CallPhase.ASKED, *_AFTER} and about.call != "GetTransaction":
            return response
        transaction = self.transactions.get(about.transaction_id)
        if about.phase is CallPhase.ASKED:
            transaction = self._ask(about, transaction, context)
        elif about.phase in _AFTER:
            transaction = self._decide(about, transaction, context)
        elif transaction is None:
            _abort(context, grpc.StatusCode.NOT_FOUND, "TRANSACTION_NOT_FOUND")
        cast("v1.RedeemResponse", response).transaction.CopyFrom(cast("v1.Transaction", transaction))
        return response

    def _ask(
        self, about: About, known: v1.Transaction | None, context: grpc.ServicerContext
    ) -> v1.Transaction:
        """Begin a transaction, or give what was recorded of it."""
        if known is not None:
            if known.state == _State.TRANSACTION_STATE_REVERSED:
                _abort(context, grpc.StatusCode.FAILED_PRECONDITION, "TRANSACTION_REVERSED")
            context.set_trailing_metadata((("giftcard-replayed", "true"),))
            return known
        made = v1.Transaction(
            transaction_id=about.transaction_id,
            operation=v1.Operation.Value(f"OPERATION_{about.call.upper()}"),
            state=_State.TRANSACTION_STATE_APPROVED,
        )
        if self._declines:
            made.state = _State.TRANSACTION_STATE_DECLINED
            made.decline.reason = self._declines.pop(0)
        self.transactions[about.transaction_id] = made
        return made

    def _decide(
        self, about: About, known: v1.Transaction | None, context: grpc.ServicerContext
    ) -> v1.Transaction:
        """Confirm or reverse a transaction; a reversal may come first."""
        if known is None and about.phase is CallPhase.CONFIRMING:
            _abort(context, grpc.StatusCode.NOT_FOUND, "TRANSACTION_NOT_FOUND")
        decided = known or v1.Transaction(transaction_id=about.transaction_id)
        if decided.state in _UNDONE[about.phase]:
            _abort(context, grpc.StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT")
        decided.state = _AFTER[about.phase]
        self.transactions[about.transaction_id] = decided
        return decided


def _written(message: Message) -> bytes:
    return message.SerializeToString()


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, reason: str) -> None:
    """End a call with an error as the gateway tells it."""
    status = Status(code=code.value[0], message=reason)
    if reason:
        packed = Packed()
        packed.Pack(ErrorInfo(reason=reason, domain=DOMAIN))
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, reason)


def serve(gateway: FakeGateway) -> tuple[str, Callable[[], None]]:
    """Serve a gateway on a port of the system's choice; give its address, and what stops it."""
    server = grpc.server(ThreadPoolExecutor(max_workers=8), handlers=[gateway])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def stop() -> None:
        server.stop(None).wait()

    return f"127.0.0.1:{port}", stop
