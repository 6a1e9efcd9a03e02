"""Refusals as tests see them: which call must be refused, with what code and reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from giftcard import CallError, read_error

OPERATION_UNSUPPORTED = grpc.StatusCode.UNIMPLEMENTED, "OPERATION_UNSUPPORTED"
REVERSAL_UNSUPPORTED = grpc.StatusCode.FAILED_PRECONDITION, "REVERSAL_UNSUPPORTED"
PARTIAL_UNSUPPORTED = grpc.StatusCode.FAILED_PRECONDITION, "PARTIAL_UNSUPPORTED"
STATE_CONFLICT = grpc.StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT"
TRANSACTION_REVERSED = grpc.StatusCode.FAILED_PRECONDITION, "TRANSACTION_REVERSED"
TRANSACTION_ID_REUSED = grpc.StatusCode.ALREADY_EXISTS, "TRANSACTION_ID_REUSED"
FIELD_INVALID = grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"
NO_ROUTE = grpc.StatusCode.INVALID_ARGUMENT, "NO_ROUTE"
CROSS_PROVIDER = grpc.StatusCode.INVALID_ARGUMENT, "CROSS_PROVIDER"
CARD_NOT_FOUND = grpc.StatusCode.NOT_FOUND, "CARD_NOT_FOUND"
EXPORT_NOT_FOUND = grpc.StatusCode.NOT_FOUND, "EXPORT_NOT_FOUND"
PROVIDER_NOT_FOUND = grpc.StatusCode.NOT_FOUND, "PROVIDER_NOT_FOUND"
RATE_LIMITED = grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED"
PROVIDER_REFUSED = grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_REFUSED"
PROVIDER_UNREACHABLE = grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNREACHABLE"
PROVIDER_FAILED = grpc.StatusCode.UNAVAILABLE, "PROVIDER_FAILED"
PROVIDER_TIMEOUT = grpc.StatusCode.DEADLINE_EXCEEDED, "PROVIDER_TIMEOUT"

Refusal = tuple[grpc.StatusCode, str]


class Caught:
    """What a refused call told, once it was refused."""

    error: CallError


@contextmanager
def refused(code: grpc.StatusCode, reason: str) -> Iterator[Caught]:
    """Expect a call to be refused with exactly this code and reason; streams are read like other calls."""
    caught = Caught()
    with pytest.raises((CallError, grpc.RpcError)) as told:
        yield caught
    fault = told.value
    caught.error = read_error(fault) if isinstance(fault, grpc.RpcError) else _call_error(fault)
    assert (caught.error.code, caught.error.reason) == (code, reason)


def _call_error(fault: BaseException) -> CallError:
    assert isinstance(fault, CallError)
    return fault
