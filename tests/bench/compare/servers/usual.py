"""What a careful team puts together: httpx, SQLAlchemy on PostgreSQL, OpenTelemetry's instrumentations.

It writes what it means to do before it asks and what came of it afterwards, and every call is a trace. Nobody
goes on with what a crash has left, and no repeat is looked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from grpc.aio import ServerInterceptor, ServicerContext
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_server_interceptor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from sqlalchemy import JSON, DateTime, String
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from giftcard import v1
from giftcard.v1.gift_card_service_pb2_grpc import GiftCardServiceServicer
from tests.bench.compare.servers.mapping import Json, redeemed, redemption
from tests.bench.compare.servers.naive import client

POOL_SIZE, OVERFLOW = 32, 96


class Tables(DeclarativeBase):
    """The tables."""


class Row(Tables):
    """One transaction."""

    __tablename__ = "transactions"
    transaction_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    answered: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Usual(GiftCardServiceServicer):
    """Writes, asks, writes, and tells what the provider said."""

    def __init__(self, provider: httpx.AsyncClient, session: async_sessionmaker[AsyncSession]) -> None:
        """Take what reaches the provider and what makes sessions with the database."""
        self._provider = provider
        self._session = session

    @classmethod
    @asynccontextmanager
    async def opened(cls, provider: str, database: str) -> AsyncIterator[Usual]:
        """Give one with its tables, traced; its connections are closed afterwards."""
        engine = create_async_engine(database, pool_size=POOL_SIZE, max_overflow=OVERFLOW)
        async with engine.begin() as connection:
            await connection.run_sync(Tables.metadata.create_all)
        SQLAlchemyInstrumentor().instrument(engine=engine.sync_engine)
        async with client(provider) as connected:
            HTTPXClientInstrumentor.instrument_client(connected)
            yield cls(connected, async_sessionmaker(engine, expire_on_commit=False))
        await engine.dispose()

    async def Redeem(
        self, request: v1.RedeemRequest, context: ServicerContext[v1.RedeemRequest, v1.RedeemResponse]
    ) -> v1.RedeemResponse:
        """Redeem at the provider, and keep what was asked and answered."""
        asked, now = redemption(request), datetime.now(UTC)
        row = Row(
            transaction_id=request.transaction_id, state="PENDING", asked=asked, created=now, updated=now
        )
        async with self._session() as session:
            session.add(row)
            await session.commit()
            answer = await self._provider.post(f"redemptions/{request.transaction_id}", json=asked)
            answer.raise_for_status()
            told: Json = answer.json()
            row.state, row.answered, row.updated = "APPROVED", told, datetime.now(UTC)
            await session.commit()
        return redeemed(request, told)


def traced() -> ServerInterceptor:
    """Send all spans to the collector that the environment names; return what makes those of gRPC."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    interceptor: ServerInterceptor = aio_server_interceptor()
    return interceptor
