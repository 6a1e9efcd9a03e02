"""Money requests into operations and decisions. They are validated before they come here."""

# ruff: noqa: ANN401 - the seven confirm requests, and the seven reverse requests, share fields but no type
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, get_args

from google.protobuf.message import Message

from giftcard.v1 import Card, gift_card_service_pb2
from giftcard.v1 import ReversalReason as WireReversalReason
from giftcard.v1 import Tender as WireTender
from giftcard.v1 import ThirdPartyIdentifier as WireIdentifier
from giftcard_adapters.values.advices import AdviceWords, ReversalReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.point_of_sale import Tender, ThirdPartyIdentifier
from giftcard_gateway.wire.cards import card_from
from giftcard_gateway.wire.mapping import enum_reader, reading
from giftcard_gateway.wire.values import money_from


def _reader(struct: type[AnyOperation]) -> Callable[..., AnyOperation]:
    name = f"{names_of(struct.operation).rpc}Request"
    message = gift_card_service_pb2.DESCRIPTOR.message_types_by_name[name]
    cards = {field.name: card_from for field in message.fields if field.message_type is Card.DESCRIPTOR}
    return reading(message, struct, by_hand={"transaction_id": str.lower, **cards})


_READERS = {struct.operation: _reader(struct) for struct in get_args(AnyOperation)}
_tender = reading(WireTender.DESCRIPTOR, Tender)
_identifier = reading(WireIdentifier.DESCRIPTOR, ThirdPartyIdentifier)
_reason = enum_reader(ReversalReason, WireReversalReason.DESCRIPTOR)


def ask_from(operation: Operation, request: Message, *, requested_at: datetime) -> AnyOperation:
    """Return what a money request asks for, under its id in lower case."""
    return _READERS[operation](request, requested_at=requested_at)


def confirmation_from(request: Any) -> tuple[Money | None, tuple[Tender, ...], AdviceWords]:
    """Return the final amount (None for all), the tenders and the caller's words of any confirm request."""
    amount = money_from(request.final_amount) if request.HasField("final_amount") else None
    return amount, tuple(map(_tender, request.tenders)), _words(request)


def reversal_from(request: Any) -> tuple[ReversalReason, Money | None, AdviceWords]:
    """Return reason, part to put back (None for all) and the caller's words of any reverse request."""
    amount = money_from(request.amount) if request.HasField("amount") else None
    return _reason(request.reason), amount, _words(request)


def _words(request: Any) -> AdviceWords:
    return AdviceWords(
        note=request.note,
        system_trace_number=request.system_trace_number,
        retrieval_reference=request.retrieval_reference,
        third_party_identifiers=tuple(map(_identifier, request.third_party_identifiers)),
    )


_PATHS = (
    (".amount_minor", ""),
    (".currency", ".currency_code"),
    ("card.erased.digest", "card"),
    ("card.erased.masked", "card"),
    ("card.erased", "card"),
    ("card.number", "card.number.pan"),
    ("card.expiry", "card.number.expiry"),
    ("card.pin", "card.number.pin"),
    ("points.expires_on", "points.expire_date"),
)
"""Where our fields are not called as the contract calls them."""


def field_path(path: str) -> str:
    """Return the contract's path of one of our fields, for a caller who knows only the contract."""
    for ours, theirs in _PATHS:
        head, found, tail = path.partition(ours)
        if found and (not tail or tail.startswith(".")):
            return head + theirs + tail
    return path
