"""One RPC as a service sees it: the caller, the deadline, and trailing metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.access.guesses import Question
from giftcard_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    import grpc.aio
    from google.protobuf.message import Message

    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.rpc.admission import Admission

    Context = grpc.aio.ServicerContext[Message, Message]
    Metadata = Iterable[tuple[str, str | bytes]]

REPLAYED = ("giftcard-replayed", "true")
"""Trailing metadata of an answer that was recorded before this call (rule 1)."""

TRACE_ID = "giftcard-trace-id"
"""Trailing metadata of every answer where traces are kept: what the operator finds the call by."""

END_USER = "giftcard-end-user"
"""Metadata by which a caller names whom it asks for: an id that says nothing of the person."""
_LONGEST_END_USER = 128

_LONGEST_WAIT_S = 30.0
"""How long a money call waits for its outcome when the caller named no deadline."""
_MARGIN_S = 0.25
_MARGIN_SHARE = 0.2
"""What is left of a deadline for our answer to travel: a quarter of a second, of short ones a fifth."""


class RpcCall:
    """What a service may know of an RPC besides its request."""

    __slots__ = (
        "_admission",
        "_context",
        "_metadata",
        "_trailing",
        "audited",
        "caller",
        "has_shown_secrets",
        "identity",
        "machine",
    )

    def __init__(
        self,
        context: Context,
        identity: Identity,
        admission: Admission,
        *,
        caller: str,
        metadata: Metadata = (),
        machine: str = "",
        trace_id: str = "",
    ) -> None:
        self._context = context
        self._metadata = metadata
        self._admission = admission
        self._trailing = ((TRACE_ID, trace_id),) if trace_id else ()
        if self._trailing:
            context.set_trailing_metadata(self._trailing)
        self.identity = identity
        self.caller = caller
        """What limits count this caller by."""
        self.machine = machine
        """Where the call comes from, without the port."""
        self.audited: asyncio.Future[None] | None = None
        """Done when the audit's record of this call is durable."""
        self.has_shown_secrets = False
        """Whether the answer shows the secrets of new cards, which the audit must know."""

    def wait_s(self, longest_s: float = _LONGEST_WAIT_S) -> float:
        """Return how many seconds to wait at most, so that the answer arrives before the deadline."""
        left_s: float | None = self._context.time_remaining()
        if left_s is None:
            return longest_s
        return max(0.0, min(longest_s, left_s - min(_MARGIN_S, left_s * _MARGIN_SHARE)))

    def mark_replayed(self) -> None:
        """Mark the answer, in trailing metadata, as recorded before this call."""
        self._context.set_trailing_metadata((*self._trailing, REPLAYED))

    @property
    def end_user(self) -> str:
        """Return the end user whom the caller names for this call, or nothing; raises InvalidRequest."""
        text = ""
        for key, value in self._metadata:
            if key == END_USER:
                text = value if isinstance(value, str) else ""
        if text and len(text) > _LONGEST_END_USER:
            raise InvalidRequest([(END_USER, f"must have at most {_LONGEST_END_USER} characters")])
        return text

    def question(self, provider_id: str, purpose: str) -> Question:
        """Return whose budget of guesses this call draws on."""
        return Question(caller=self.caller, end_user=self.end_user, provider=provider_id, purpose=purpose)

    @property
    def is_ending(self) -> bool:
        """Tell whether the process drains, so that streams must end."""
        return self._admission.is_closed
