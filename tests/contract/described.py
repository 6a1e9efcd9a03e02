"""What the contract describes, as its stubs know it."""

from __future__ import annotations

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

from giftcard.v1 import (
    catalog_service_pb2,
    error_reason_pb2,
    event_service_pb2,
    gift_card_service_pb2,
    provider_service_pb2,
    report_service_pb2,
    stored_card_service_pb2,
    transaction_service_pb2,
)

SERVICE_FILES = (
    catalog_service_pb2.DESCRIPTOR,
    event_service_pb2.DESCRIPTOR,
    gift_card_service_pb2.DESCRIPTOR,
    provider_service_pb2.DESCRIPTOR,
    report_service_pb2.DESCRIPTOR,
    stored_card_service_pb2.DESCRIPTOR,
    transaction_service_pb2.DESCRIPTOR,
)


def all_files() -> list[FileDescriptor]:
    """Return every file of the contract: the services' and all that they import of ours."""
    found = {file.name: file for file in (*SERVICE_FILES, error_reason_pb2.DESCRIPTOR)}
    for file in SERVICE_FILES:
        found |= {other.name: other for other in file.dependencies if other.package == "giftcard.v1"}
    return list(found.values())


def all_methods() -> dict[str, MethodDescriptor]:
    """Return every call of the contract, by full name."""
    methods = (
        method
        for file in SERVICE_FILES
        for service in file.services_by_name.values()
        for method in service.methods
    )
    return {method.full_name: method for method in methods}
