"""What a call is about: its name, its transaction, and which part of a transaction's life it belongs to.

All of it is read off the request and the contract, so that no caller has to say it twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from giftcard.v1 import (
    catalog_service_pb2,
    event_service_pb2,
    gift_card_service_pb2,
    provider_service_pb2,
    report_service_pb2,
    stored_card_service_pb2,
    transaction_service_pb2,
)

_FILES = (
    catalog_service_pb2,
    event_service_pb2,
    gift_card_service_pb2,
    provider_service_pb2,
    report_service_pb2,
    stored_card_service_pb2,
    transaction_service_pb2,
)


class CallPhase(StrEnum):
    """Which part of a transaction's life a call belongs to."""

    ASKED = "asked"
    """A money operation was asked for: without an answer it may have happened."""
    CONFIRMING = "confirming"
    """An approved transaction is made final: the goods may be gone."""
    REVERSING = "reversing"
    """A transaction is taken back."""
    READING = "reading"
    """A read: it changed nothing."""
    CHANGING = "changing"
    """A change that is no money operation, such as storing a card."""
    UNKNOWN = ""
    """Nobody said: `read_error` was given an error and no request."""


@dataclass(frozen=True)
class About:
    """What a call is about."""

    call: str = ""
    transaction_id: str = ""
    phase: CallPhase = CallPhase.UNKNOWN

    @classmethod
    def of(cls, request: Message) -> About:
        """Read what a call is about off its request."""
        call = request.DESCRIPTOR.name.removesuffix("Request")
        return cls(call, getattr(request, "transaction_id", ""), _phases()[call])

    def __str__(self) -> str:
        return " ".join(part for part in (self.call, self.transaction_id) if part)


NOBODY_SAID = About()
"""What a call is about when nobody said."""


@cache
def _phases() -> dict[str, CallPhase]:
    """Sort the calls of the contract by their phase."""
    methods = {
        method.name: method
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    operations = {name for name in methods if f"Confirm{name}" in methods}
    phases: dict[str, CallPhase] = {}
    for name, method in methods.items():
        is_read = method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
        phases[name] = CallPhase.READING if is_read else CallPhase.CHANGING
    for name in operations:
        phases |= {
            name: CallPhase.ASKED,
            f"Confirm{name}": CallPhase.CONFIRMING,
            f"Reverse{name}": CallPhase.REVERSING,
        }
    return phases
