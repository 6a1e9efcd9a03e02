"""What providers tell of cards, vaults, catalogues and reports arrives at the caller whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from giftcard import v1
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.money import CURRENCIES, Money, MoneyError
from giftcard_adapters.values.outcomes import Balances
from giftcard_adapters.values.reads import (
    AccountRow,
    CardView,
    ExportFile,
    Offer,
    ProviderEvent,
    StoredCard,
    Template,
    TicketStatistics,
)
from giftcard_gateway.wire import cards, reports, values
from giftcard_gateway.wire.mapping import reading, writing
from tests.gateway.wire.full import emptied, full

NOW = datetime(2026, 11, 21, tzinfo=UTC)

WRITERS: dict[type[msgspec.Struct], Callable[[Any], Message]] = {
    CardView: lambda view: cards.view_to(view, provider="first"),
    StoredCard: lambda card: cards.stored_to(card, provider="first"),
    Balances: cards.balances_to,
    Decline: cards.decline_to,
    Template: reports.template_to,
    Offer: reports.offer_to,
    AccountRow: reports.account_to,
    ExportFile: reports.export_file_to,
    ProviderEvent: lambda event: reports.event_to(
        event, provider="first", received_at=datetime(2026, 1, 1, tzinfo=UTC), entry=None
    ),
}
KEPT_BACK: dict[type[msgspec.Struct], set[str]] = {
    ProviderEvent: {"transaction_id", "outcome", "secrets"},
}
"""An event's outcome is told by the transaction it was carried over to, and its secrets by nobody."""


@pytest.mark.parametrize("kind", WRITERS, ids=lambda kind: kind.__name__)
def test_every_field_is_told(kind: type[msgspec.Struct]) -> None:
    """A value without one of its fields makes another answer: nothing a provider tells is dropped."""
    whole = full(kind)
    told = WRITERS[kind](whole)
    silent = {name for name, less in emptied(whole) if WRITERS[kind](less) == told}
    assert silent == KEPT_BACK.get(kind, set())


@given(currency=st.sampled_from(sorted(CURRENCIES)), minor=st.integers(min_value=-(2**62), max_value=2**62))
def test_money_comes_back(currency: str, minor: int) -> None:
    """Any amount in any currency survives the wire exactly, signs of units and nanos alike."""
    wire = values.money_to(Money(currency, minor))
    assert values.money_from(wire) == Money(currency, minor)
    assert wire.units * wire.nanos >= 0


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001 - made aware below
def test_times_come_back(at: datetime) -> None:
    """Any time survives the wire to the microsecond."""
    aware = at.replace(tzinfo=UTC)
    assert values.time_from(values.time_to(aware)) == aware


@given(st.decimals(min_value=Decimal("0.000001"), max_value=10**9, places=6))
def test_quantities_come_back(quantity: Decimal) -> None:
    """Any exact quantity survives the wire."""
    assert values.decimal_from(values.decimal_to(quantity)) == quantity


def test_ticket_values_are_exact() -> None:
    """Values of tickets are money, and one finer than its currency is refused, not rounded."""
    told = reports.tickets_to(
        TicketStatistics(issued=3, consumed=1, issued_value=Decimal("10.50"), currency="EUR")
    )
    assert (told.issued_count, told.consumed_count) == (3, 1)
    assert values.money_from(told.issued_value) == Money("EUR", 1050)
    assert not told.HasField("consumed_value")
    with pytest.raises(MoneyError):
        reports.tickets_to(
            TicketStatistics(issued=1, consumed=1, issued_value=Decimal("0.001"), currency="EUR")
        )


def test_nothing_can_be_left_out_by_mistake() -> None:
    """A field on one side without a place on the other keeps the gateway from starting."""

    class Short(msgspec.Struct):
        template_id: str = ""

    class Long(Template, frozen=True):
        more: str = ""

    with pytest.raises(TypeError, match="no place for"):
        reading(v1.Template.DESCRIPTOR, Short)
    with pytest.raises(TypeError, match="nothing fills"):
        writing(Short, v1.Template)
    with pytest.raises(TypeError, match="no place for"):
        writing(Long, v1.Template)


def test_time_without_a_zone_is_taken_for_utc() -> None:
    """A provider that leaves out the zone must not end a stream of events, nor hide a transaction."""
    assert values.time_to(NOW.replace(tzinfo=None)) == values.time_to(NOW)
