"""Catalogues, reports and events on the wire."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from google.type.money_pb2 import Money as WireMoney

from giftcard import v1
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import from_decimal
from giftcard_adapters.values.reads import (
    AccountQuery,
    AccountRow,
    ExportFile,
    Offer,
    ProviderEvent,
    Template,
    TicketQuery,
    TicketStatistics,
)
from giftcard_gateway.ledger.card_secrets import issued_in
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.wire.mapping import reading, writing
from giftcard_gateway.wire.own_secrets import mask_echoes
from giftcard_gateway.wire.transactions import cards_of, state_to
from giftcard_gateway.wire.values import money_to, time_to

_NO_STATE = v1.TransactionState.TRANSACTION_STATE_UNSPECIFIED

template_to = writing(Template, v1.Template)
"""A design."""

offer_to = writing(Offer, v1.Offer)
"""Something cards can be bought of."""

account_to = writing(AccountRow, v1.Account)
"""One account of an extract."""

export_file_to = writing(ExportFile, v1.ExportFile, renamed={"size": "size_bytes"})
"""What is known of an export file."""

account_query_from = reading(
    v1.ExtractAccountsRequest.DESCRIPTOR,
    AccountQuery,
    renamed={"currency_code": "currency"},
    apart={"provider"},
)
"""Which accounts to extract."""

ticket_query_from = reading(v1.GetTicketStatisticsRequest.DESCRIPTOR, TicketQuery, apart={"provider"})
"""Which tickets to count."""


def tickets_to(told: TicketStatistics) -> v1.GetTicketStatisticsResponse:
    """Return ticket statistics; raise MoneyError for values finer than their currency."""
    return v1.GetTicketStatisticsResponse(
        issued_count=told.issued,
        consumed_count=told.consumed,
        issued_value=_value(told.issued_value, told.currency),
        consumed_value=_value(told.consumed_value, told.currency),
    )


def _value(value: Decimal | None, currency: str) -> WireMoney | None:
    return None if value is None else money_to(from_decimal(value, currency))


def event_to(event: ProviderEvent, *, provider: str, received_at: datetime, entry: Entry | None) -> v1.Event:
    """Return what a provider told us, its secrets kept back; `entry` is the transaction it speaks of."""
    told = v1.Event(
        event_id=event.event_id,
        provider=provider,
        name=event.name,
        occur_time=time_to(event.occurred_at) if event.occurred_at else None,
        receive_time=time_to(received_at),
        transaction_id=entry.callers_id if entry else "",
        transaction_state=state_to(entry.state) if entry else _NO_STATE,
        provider_references=event.references,
        attributes=event.attributes,
    )
    kept_back = (CardRef(redemption_key=secret) for secret in event.secrets.values())
    mask_echoes(told, (*kept_back, *issued_in(event.outcome), *(cards_of(entry) if entry else ())))
    return told
