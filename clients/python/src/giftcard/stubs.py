"""The stubs of all services over one channel: the whole contract, for what the friendly calls do not offer.

Streams live only here. Calls made here are not repeated by the client, and carry no metadata but yours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import grpc
from grpc import aio

from giftcard.v1.catalog_service_pb2_grpc import CatalogServiceStub
from giftcard.v1.event_service_pb2_grpc import EventServiceStub
from giftcard.v1.gift_card_service_pb2_grpc import GiftCardServiceStub
from giftcard.v1.provider_service_pb2_grpc import ProviderServiceStub
from giftcard.v1.report_service_pb2_grpc import ReportServiceStub
from giftcard.v1.stored_card_service_pb2_grpc import StoredCardServiceStub
from giftcard.v1.transaction_service_pb2_grpc import TransactionServiceStub

if TYPE_CHECKING:
    from giftcard.v1.catalog_service_pb2_grpc import CatalogServiceAsyncStub
    from giftcard.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from giftcard.v1.gift_card_service_pb2_grpc import GiftCardServiceAsyncStub
    from giftcard.v1.provider_service_pb2_grpc import ProviderServiceAsyncStub
    from giftcard.v1.report_service_pb2_grpc import ReportServiceAsyncStub
    from giftcard.v1.stored_card_service_pb2_grpc import StoredCardServiceAsyncStub
    from giftcard.v1.transaction_service_pb2_grpc import TransactionServiceAsyncStub


class Stubs:
    """The generated stubs, one per service."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.gift_cards = GiftCardServiceStub(channel)
        self.transactions = TransactionServiceStub(channel)
        self.stored_cards = StoredCardServiceStub(channel)
        self.catalog = CatalogServiceStub(channel)
        self.reports = ReportServiceStub(channel)
        self.events = EventServiceStub(channel)
        self.providers = ProviderServiceStub(channel)


class AsyncStubs(Stubs):
    """The generated stubs over an asyncio channel: the same at run time, and awaitable to the types."""

    gift_cards: GiftCardServiceAsyncStub
    transactions: TransactionServiceAsyncStub
    stored_cards: StoredCardServiceAsyncStub
    catalog: CatalogServiceAsyncStub
    reports: ReportServiceAsyncStub
    events: EventServiceAsyncStub
    providers: ProviderServiceAsyncStub

    def __init__(self, channel: aio.Channel) -> None:
        # The generated classes take either channel; only their types differ.
        super().__init__(cast("grpc.Channel", channel))
