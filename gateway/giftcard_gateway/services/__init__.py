"""The services of the contract, a module each: decode, call, encode. They decide nothing about money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard.v1 import (
    catalog_service_pb2,
    event_service_pb2,
    gift_card_service_pb2,
    provider_service_pb2,
    report_service_pb2,
    stored_card_service_pb2,
    transaction_service_pb2,
)
from giftcard_gateway.rpc.auditing import CallAudit
from giftcard_gateway.rpc.handlers import Surroundings, build
from giftcard_gateway.services.catalog import Catalog
from giftcard_gateway.services.dependencies import Dependencies
from giftcard_gateway.services.events import EventStreams
from giftcard_gateway.services.gift_cards import GiftCards
from giftcard_gateway.services.providers import Providers
from giftcard_gateway.services.reports import Reports
from giftcard_gateway.services.stored_cards import StoredCards
from giftcard_gateway.services.transactions import TransactionReads

if TYPE_CHECKING:
    import grpc
    from google.protobuf.descriptor import ServiceDescriptor

__all__ = ["Dependencies", "described", "handlers", "service_names"]

_SERVICES = (
    (gift_card_service_pb2.DESCRIPTOR.services_by_name["GiftCardService"], GiftCards),
    (transaction_service_pb2.DESCRIPTOR.services_by_name["TransactionService"], TransactionReads),
    (provider_service_pb2.DESCRIPTOR.services_by_name["ProviderService"], Providers),
    (stored_card_service_pb2.DESCRIPTOR.services_by_name["StoredCardService"], StoredCards),
    (catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"], Catalog),
    (report_service_pb2.DESCRIPTOR.services_by_name["ReportService"], Reports),
    (event_service_pb2.DESCRIPTOR.services_by_name["EventService"], EventStreams),
)


def handlers(parts: Dependencies) -> list[grpc.GenericRpcHandler]:
    """Return what a gRPC server needs to answer every service of the contract."""
    around = Surroundings(
        admission=parts.admission,
        machines=parts.machines,
        signing_in=parts.signing_in,
        shares=parts.shares,
        telemetry=parts.telemetry,
        audit=CallAudit(parts.trail, parts.clock),
        cell=parts.cell,
    )
    return [build(service, kind(parts).calls(), around) for service, kind in _SERVICES]


def described() -> list[ServiceDescriptor]:
    """Return the descriptors of the services."""
    return [service for service, _ in _SERVICES]


def service_names() -> list[str]:
    """Return the full names of the services, for health checks and reflection."""
    return [_name(service) for service, _ in _SERVICES]


def _name(service: ServiceDescriptor) -> str:
    return service.full_name
