"""The one table from our errors to gRPC statuses, and the details every error carries.

Each status holds exactly one `google.rpc.ErrorInfo` (AIP-193). What is not a GatewayError is our
fault: it becomes INTERNAL and none of its text leaves the house.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from giftcard_gateway import errors
from giftcard_gateway.errors import GatewayError, InvalidRequest
from giftcard_gateway.wire.values import seconds_to

DOMAIN = "giftcard.v1"
INTERNAL = "INTERNAL"
"""The reason of a fault of ours."""
_DETAILS_KEY = "grpc-status-details-bin"
_VIOLATIONS_BYTES = 4096
"""What of BadRequest is told: gRPC clients drop answers whose metadata is larger than 8 KiB."""
_SHOWN = 3
"""Violations in the message itself; BadRequest has them all."""

CODES: Mapping[type[GatewayError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NoRoute: grpc.StatusCode.INVALID_ARGUMENT,
    errors.CrossProvider: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ProviderNotFound: grpc.StatusCode.NOT_FOUND,
    errors.OperationUnsupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.ReversalUnsupported: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PartialUnsupported: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TransactionIdReused: grpc.StatusCode.ALREADY_EXISTS,
    errors.StateConflict: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TransactionReversed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TransactionNotFound: grpc.StatusCode.NOT_FOUND,
    errors.CardNotFound: grpc.StatusCode.NOT_FOUND,
    errors.ExportNotFound: grpc.StatusCode.NOT_FOUND,
    errors.ReadRefused: grpc.StatusCode.FAILED_PRECONDITION,
    errors.CredentialsInvalid: grpc.StatusCode.UNAUTHENTICATED,
    errors.ScopeMissing: grpc.StatusCode.PERMISSION_DENIED,
    errors.OutOfReach: grpc.StatusCode.PERMISSION_DENIED,
    errors.IssuerUnreachable: grpc.StatusCode.UNAVAILABLE,
    errors.RateLimited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ProviderUnreachable: grpc.StatusCode.UNAVAILABLE,
    errors.ProviderPaused: grpc.StatusCode.UNAVAILABLE,
    errors.ProviderTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.ProviderFailed: grpc.StatusCode.UNAVAILABLE,
    errors.SealKeyMissing: grpc.StatusCode.UNAVAILABLE,
    errors.RecordAltered: grpc.StatusCode.DATA_LOSS,
    errors.JournalUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.CellNotServed: grpc.StatusCode.UNAVAILABLE,
    errors.ShuttingDown: grpc.StatusCode.UNAVAILABLE,
}

_RESOURCES: Mapping[str, str] = {
    "TRANSACTION_NOT_FOUND": "transaction_id",
    "PROVIDER_NOT_FOUND": "provider",
    "EXPORT_NOT_FOUND": "export_id",
}
"""Reasons of which ResourceInfo says what was missing: the metadata that names it."""


def code_of(fault: Exception) -> grpc.StatusCode:
    """Return the status code for an exception."""
    if not isinstance(fault, GatewayError):
        return grpc.StatusCode.INTERNAL
    return next(CODES[kind] for kind in type(fault).__mro__ if kind in CODES)


def status_of(fault: Exception, trace_id: str = "") -> Status:
    """Return the status for an exception; an unexpected one becomes INTERNAL without its text.

    With INTERNAL goes a RequestInfo with the id of the call's trace, where there is one: a caller quotes it.
    """
    code: int = code_of(fault).value[0]
    if not isinstance(fault, GatewayError):
        details: list[Message] = [error_details_pb2.ErrorInfo(reason=INTERNAL, domain=DOMAIN)]
        if trace_id:
            details.append(error_details_pb2.RequestInfo(request_id=trace_id))
        return _status(code, "A fault of the gateway; its operator can find it by the trace.", details)
    return _status(code, _message(fault), _details(fault))


@lru_cache(maxsize=1024)
def overloaded(message: str, cause: str, retry_tenths: int) -> tuple[str, tuple[str, bytes]]:
    """Return the message and the trailing metadata of an Overloaded, made once for each tenth of a second."""
    fault = errors.Overloaded(message, cause=cause)
    fault.retry_after_s = retry_tenths / 10
    status = status_of(fault)
    return status.message, trailer_of(status)


def trailer_of(status: Status) -> tuple[str, bytes]:
    """Return the trailing metadata that carries a status whole."""
    return _DETAILS_KEY, status.SerializeToString()


def _status(code: int, message: str, details: Iterable[Message]) -> Status:
    packed = []
    for detail in details:
        wrapped = Any()
        wrapped.Pack(detail)
        packed.append(wrapped)
    return Status(code=code, message=message, details=packed)


def _message(fault: GatewayError) -> str:
    if not isinstance(fault, InvalidRequest):
        return str(fault)
    shown = [f"{field}: {wrong}" for field, wrong in fault.violations[:_SHOWN]]
    more = len(fault.violations) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def _details(fault: GatewayError) -> Iterator[Message]:
    metadata = {key: value for key, value in fault.metadata.items() if value}
    yield error_details_pb2.ErrorInfo(reason=fault.reason, domain=DOMAIN, metadata=metadata)
    if isinstance(fault, InvalidRequest):
        yield _bad_request(fault.violations)
    if fault.retry_after_s is not None:
        yield error_details_pb2.RetryInfo(retry_delay=seconds_to(fault.retry_after_s))
    key = _RESOURCES.get(fault.reason, "")
    if name := fault.metadata.get(key):
        yield error_details_pb2.ResourceInfo(resource_type=f"{DOMAIN}/{key}", resource_name=name)


def _bad_request(violations: Iterable[tuple[str, str]]) -> error_details_pb2.BadRequest:
    told, room, left_out = error_details_pb2.BadRequest(), _VIOLATIONS_BYTES, 0
    for field, wrong in violations:
        room -= len(field.encode()) + len(wrong.encode()) + 8
        if room > 0:
            told.field_violations.add(field=field, description=wrong)
        else:
            left_out += 1
    if left_out:
        told.field_violations.add(field="", description=f"{left_out} more, left out for want of room")
    return told
