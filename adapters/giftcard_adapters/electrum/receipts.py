"""Electrum's answers to advices: what each is worth, and when it says to come back.

What is not Electrum's own final word about this very advice is AGAIN, and the same bytes are sent again.
"""

from __future__ import annotations

import msgspec

from giftcard_adapters.calls import Reply, retry_after_s
from giftcard_adapters.electrum import wire
from giftcard_adapters.electrum.answers import (
    DUPLICATE,
    GENERAL,
    NO_RECORD,
    NOT_LET_IN,
    SUCCEEDED,
    decline_of,
    error_of,
    is_about,
    is_of_the_way,
    is_open,
    words_of,
)
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.advices import Acknowledgement, Advice, AdviceKind, Receipt

_UNAVAILABLE = 503
_PASSING = frozenset({"TEMPORARY_FAILURE", "UPSTREAM_UNAVAILABLE"})
_IN_PROGRESS = "Request in progress"
_NOTHING_LEFT_TO_REVERSE = frozenset({"Request failed", "Request reversed"})
"""GENERAL_ERROR texts of Electrum's test server that say a reversal's aim is reached already."""


def receipt_of(advice: Advice, request_id: str, request_type: str, reply: Reply) -> Acknowledgement:
    """Return what an answer to an advice is worth; `request_type` is Electrum's word for the advice."""
    try:
        told = _read(advice, request_id, request_type, reply)
    except Unreadable as fault:
        told = _again(f"the provider answered {reply.status}: {fault}")
    if told.receipt is not Receipt.AGAIN:
        return told
    return msgspec.structs.replace(told, retry_after_s=retry_after_s(reply))


def _read(advice: Advice, request_id: str, request_type: str, reply: Reply) -> Acknowledgement:
    if reply.status in SUCCEEDED:
        return _echoed(advice, request_id, reply)
    if is_open(reply.status) or reply.status in {*NOT_LET_IN, _UNAVAILABLE}:
        return _again(f"the provider answered {reply.status}")
    error = error_of(reply)
    if error is None:
        return _again(f"the provider answered {reply.status} and no reason")
    # Its `id` is documented as the failing message's; the request's own would be about it all the same.
    ids = {advice.advice_id, request_id}
    if not is_about(error, ids, request_type) or error.original_id.lower() not in {"", request_id}:
        return _again(f"the provider answered {reply.status} about another message")
    return _advice_error(advice, error, reply.status)


def _again(evidence: str) -> Acknowledgement:
    return Acknowledgement(receipt=Receipt.AGAIN, evidence=evidence)


def _echoed(advice: Advice, request_id: str, reply: Reply) -> Acknowledgement:
    """Read an acknowledgement; Electrum documents a body with our ids, so without them nobody spoke."""
    if not reply.body.strip():
        return _again(f"the provider answered {reply.status} and nothing else")
    echo, _ = wire.ADVICE_ECHO.read(reply.body)
    if echo.error_type:
        return _again(f"the provider answered success with the error {scrub(echo.error_type)}")
    if echo.id.lower() != advice.advice_id or echo.request_id.lower() not in {"", request_id}:
        return _again("the provider acknowledged another advice")
    return Acknowledgement(receipt=Receipt.DONE)


def _advice_error(advice: Advice, error: wire.ErrorDetail, status: int) -> Acknowledgement:
    final = _advice_receipt(advice, error, status)
    return Acknowledgement(
        receipt=final,
        evidence=scrub(f"{error.error_type} {words_of(error)}".strip()),
        decline=decline_of(error) if final is Receipt.REFUSED else None,
    )


def _advice_receipt(advice: Advice, error: wire.ErrorDetail, status: int) -> Receipt:
    if error.error_type == DUPLICATE:
        return Receipt.DUPLICATE
    if error.error_type == NO_RECORD:
        return Receipt.NO_SUCH_TRANSACTION
    if error.error_type in _PASSING:
        return Receipt.AGAIN
    if is_of_the_way(error, status):
        return Receipt.AGAIN
    return _general_receipt(advice, error) if error.error_type == GENERAL else Receipt.REFUSED


def _general_receipt(advice: Advice, error: wire.ErrorDetail) -> Receipt:
    if advice.kind is AdviceKind.REVERSAL and error.error_message in _NOTHING_LEFT_TO_REVERSE:
        return Receipt.DONE
    if error.error_message == _IN_PROGRESS:
        # Electrum's test server keeps the id of an advice it turned away so, and calls the same bytes a
        # duplicate ever after.
        return Receipt.NOT_YET
    return Receipt.REFUSED
