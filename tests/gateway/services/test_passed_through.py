"""Vaults, catalogues, reports and events: what is asked reaches the provider, and its answer the caller."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import grpc
import grpc.aio
import pytest
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money as WireMoney

from giftcard import v1
from giftcard_adapters.errors import NoAnswer, Refused, TimedOut
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.reads import (
    AccountQuery,
    AccountRow,
    AccountsExtract,
    Offer,
    OfferSync,
    ProviderEvent,
    StoredCardQuery,
    Template,
    TicketQuery,
    TicketStatistics,
    Webhook,
)
from giftcard_adapters.values.secret import Secret
from tests.gateway.services.served import Served, refusal_of
from tests.gateway.wire.filled import PAN
from tests.patience import PATIENCE_S
from tests.world.app import until

GONE = Refused(Decline(reason=DeclineReason.CARD_UNKNOWN))
NO_RECORD = Refused(Decline(reason=DeclineReason.RECORD_NOT_FOUND))
CARD = v1.Card(number=v1.CardNumber(pan=PAN))


async def test_store_get_list_delete(served: Served) -> None:
    """The four calls on a vault reach it with everything asked and answer without number or PIN."""
    stored = (await served.call("StoreCard", v1.StoreCardRequest(card=CARD))).stored_card
    assert (stored.stored_card_id, stored.provider, stored.masked_card) == (
        "stored-1",
        "first",
        "604512******0007",
    )
    get = v1.GetStoredCardRequest(provider="first", stored_card_id="stored-1")
    assert (await served.call("GetStoredCard", get)).stored_card == stored
    listing = v1.ListStoredCardsRequest(
        provider="first",
        buyer=v1.Buyer(external_id="me"),
        with_balances=True,
        order_by="customer_usage_count desc",
        page_size=3,
        page_token="next",
    )
    answer = await served.call("ListStoredCards", listing)
    assert (list(answer.stored_cards), answer.next_page_token) == ([stored], "more")
    query = served.telling.asked[-1][1]
    assert isinstance(query, StoredCardQuery)
    assert query.buyer is not None
    assert (query.buyer.external_id, query.with_balances) == ("me", True)
    assert (query.order_by, query.descending) == ("customer_usage_count", True)
    assert (query.page_size, query.page_token) == (3, "next")
    delete = v1.DeleteStoredCardRequest(provider="first", stored_card_id="stored-1")
    await served.call("DeleteStoredCard", delete)
    assert served.telling.asked[-1] == ("delete_stored_card", "stored-1")


async def test_vault_refusals(served: Served) -> None:
    """A card that is not in the vault is NOT_FOUND; a change without an answer is never called retryable."""
    served.telling.answers |= {
        "get_stored_card": GONE,
        "delete_stored_card": GONE,
        "store_card": NoAnswer("cut"),
    }
    for name in ("GetStoredCard", "DeleteStoredCard"):
        request = getattr(v1, f"{name}Request")(provider="first", stored_card_id="x")
        refusal = await served.refused(name, request)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CARD_NOT_FOUND")
    store = await served.refused("StoreCard", v1.StoreCardRequest(card=CARD))
    assert (store.code, store.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "PROVIDER_TIMEOUT")
    assert "may have acted" in store.message


async def test_templates_and_offers_in_pages(served: Served) -> None:
    """Catalogues are asked of the provider each time and told in pages."""
    served.telling.answers["list_templates"] = [
        Template(template_id=f"t{n}", titles={"en": "Happy"}) for n in range(3)
    ]
    served.telling.answers["list_offers"] = [Offer(offer_id="o1", price=Money("EUR", 1050))]
    request = v1.ListTemplatesRequest(provider="first", page_size=2)
    first = await served.call("ListTemplates", request)
    assert [one.template_id for one in first.templates] == ["t0", "t1"]
    request.page_token = first.next_page_token
    second = await served.call("ListTemplates", request)
    assert ([one.template_id for one in second.templates], second.next_page_token) == (["t2"], "")
    offers = (await served.call("ListOffers", v1.ListOffersRequest(provider="first"))).offers
    assert offers[0].price == WireMoney(currency_code="EUR", units=10, nanos=500_000_000)
    foreign = v1.ListOffersRequest(provider="first", page_token=first.next_page_token)
    assert (await served.refused("ListOffers", foreign)).violations == ("page_token",)


async def test_sync_offers(served: Served) -> None:
    """A synchronization sends no offers of ours and tells what came of it; a lost answer is not retryable."""
    served.telling.answers["sync_offers"] = OfferSync(
        offers=(Offer(offer_id="o1"),), created=1, updated=2, removed=3
    )
    answer = await served.call("SyncOffers", v1.SyncOffersRequest(provider="first"))
    assert [one.offer_id for one in answer.offers] == ["o1"]
    assert (answer.created_count, answer.updated_count, answer.removed_count) == (1, 2, 3)
    assert served.telling.asked[-1] == ("sync_offers", ())
    served.telling.answers["sync_offers"] = NoAnswer("cut")
    refusal = await served.refused("SyncOffers", v1.SyncOffersRequest(provider="first"))
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_accounts_and_tickets(served: Served) -> None:
    """Reports reach the provider with every filter and come back as exact money."""
    served.telling.answers["extract_accounts"] = AccountsExtract(
        accounts=(AccountRow(account_id="a1", balance=Money("EUR", 5)),), export_id="e1", is_ready=False
    )
    request = v1.ExtractAccountsRequest(
        provider="first",
        from_day=Date(year=2026, month=1, day=1),
        currency_code="EUR",
        account_ids=["a1"],
        mandate_type="sepa",
        export_format="csv",
    )
    extract = await served.call("ExtractAccounts", request)
    assert (extract.export_id, extract.is_ready) == ("e1", False)
    assert extract.accounts[0].balance.nanos == 50_000_000
    assert served.telling.asked[-1][1] == AccountQuery(
        from_day=date(2026, 1, 1),
        currency="EUR",
        account_ids=("a1",),
        mandate_type="sepa",
        export_format="csv",
    )
    served.telling.answers["ticket_statistics"] = TicketStatistics(
        issued=3, consumed=1, issued_value=Decimal("30.00"), currency="EUR"
    )
    wanted = v1.GetTicketStatisticsRequest(provider="first", is_consumed=False, offer_id="o1")
    tickets = await served.call("GetTicketStatistics", wanted)
    assert (tickets.issued_count, tickets.issued_value.units) == (3, 30)
    assert served.telling.asked[-1][1] == TicketQuery(is_consumed=False, offer_id="o1")
    served.telling.answers["ticket_statistics"] = TicketStatistics(
        issued=1, consumed=1, issued_value=Decimal("0.001"), currency="EUR"
    )
    assert (await served.refused("GetTicketStatistics", wanted)).reason == "PROVIDER_FAILED"


async def test_download_in_pieces(served: Served) -> None:
    """An export comes as its description and then its bytes, in messages of bounded size."""
    pieces = [b"x" * 150_000, b"y"]
    served.telling.answers["download_export"] = pieces
    request = v1.DownloadExportRequest(provider="first", export_id="e1")
    parts = [part async for part in served.stream("DownloadExport", request)]
    assert (parts[0].file.file_name, parts[0].file.size_bytes) == ("export.csv", 150_001)
    assert b"".join(part.chunk for part in parts[1:]) == b"".join(pieces)
    assert max(len(part.chunk) for part in parts) == 64 * 1024


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        (NO_RECORD, grpc.StatusCode.NOT_FOUND, "EXPORT_NOT_FOUND"),
        (TimedOut("late"), grpc.StatusCode.DEADLINE_EXCEEDED, "PROVIDER_TIMEOUT"),
    ],
)
async def test_download_refused(served: Served, fault: Exception, code: grpc.StatusCode, reason: str) -> None:
    """An export that is not there, or does not come, ends the stream with its reason."""
    served.telling.answers["download_export"] = fault
    stream = served.stream("DownloadExport", v1.DownloadExportRequest(provider="first", export_id="e1"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stream.read()
    refusal = refusal_of(refused.value)
    assert (refusal.code, refusal.reason) == (code, reason)


async def test_download_left_half_way(served: Served) -> None:
    """A caller who stops reading an export lets go of the provider."""
    served.telling.answers["download_export"] = [b"x" * 65_536] * 200
    stream = served.stream("DownloadExport", v1.DownloadExportRequest(provider="first", export_id="e1"))
    await stream.read()
    stream.cancel()
    await served.idle()
    assert served.app.connections.get("first").in_flight == 0


def event(event_id: str, **more: Any) -> ProviderEvent:  # noqa: ANN401 - any field
    """Return an event a provider tells."""
    return ProviderEvent(event_id=event_id, name=more.pop("name", "card.issued"), **more)


async def receive(served: Served, *events: ProviderEvent) -> None:
    """Let the shop tell events as a webhook would."""
    served.telling.answers["read_webhook"] = events
    webhook = Webhook(headers={}, body=b"", received_at=datetime.now(UTC))
    await served.app.pipeline.events.receive(served.app.connections.get("first"), webhook)


async def take(stream: Any, count: int) -> list[v1.StreamEventsResponse]:  # noqa: ANN401 - a call
    """Return the first answers of a stream and end it."""
    found: list[v1.StreamEventsResponse] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found.append(await stream.read())
    stream.cancel()
    return found


async def test_events_are_streamed_once_and_resume(served: Served) -> None:
    """Events come once each, with what they speak of, without their secrets; a cursor goes on after one."""
    transaction = await served.redeem()
    told = event(
        "e1",
        transaction_id=transaction.transaction_id,
        occurred_at=datetime(2026, 11, 21, tzinfo=UTC),
        references={"rrn": "1"},
        attributes={"colour": "blue"},
        secrets={"pin": Secret("4321")},
    )
    await receive(served, told, event("e2", name="offer.changed"))
    await receive(served, told)
    request = v1.StreamEventsRequest()
    request.start_time.GetCurrentTime()
    request.start_time.seconds -= 60
    one, two = await take(served.stream("StreamEvents", request), 2)
    assert (one.event.event_id, two.event.event_id) == ("e1", "e2")
    assert one.event.provider == "first"
    assert one.event.transaction_id == transaction.transaction_id
    assert one.event.transaction_state == v1.TransactionState.TRANSACTION_STATE_APPROVED
    assert dict(one.event.attributes) == {"colour": "blue"}
    # As a word of its own: times have such digits, too.
    assert not re.search(r"\b4321\b", str(one))
    assert not two.event.transaction_id
    (again,) = await take(served.stream("StreamEvents", v1.StreamEventsRequest(cursor=one.cursor)), 1)
    assert again == two
    named = v1.StreamEventsRequest(
        names=["offer.changed"], providers=["first"], start_time=request.start_time
    )
    (only,) = await take(served.stream("StreamEvents", named), 1)
    assert only.event.event_id == "e2"


async def test_events_from_now_on(served: Served) -> None:
    """Without a start the stream begins with the next event."""
    await receive(served, event("old"))
    stream = served.stream("StreamEvents", v1.StreamEventsRequest())
    first = asyncio.create_task(take(stream, 1))
    await until(lambda: served.app.admission.inside == 1)
    await receive(served, event("new"))
    (heard,) = await first
    assert heard.event.event_id == "new"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (v1.StreamEventsRequest(cursor="x"), grpc.StatusCode.INVALID_ARGUMENT),
        (v1.StreamEventsRequest(providers=["nobody"]), grpc.StatusCode.NOT_FOUND),
    ],
)
async def test_streams_nobody_can_have(
    served: Served, wanted: v1.StreamEventsRequest, code: grpc.StatusCode
) -> None:
    """A cursor no stream gave and a provider that is not there are refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stream("StreamEvents", wanted).read()
    assert refused.value.code() is code


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("StoreCard", v1.StoreCardRequest(provider="second", card=CARD)),
        ("ListTemplates", v1.ListTemplatesRequest(provider="second")),
        ("ListOffers", v1.ListOffersRequest(provider="second")),
        ("SyncOffers", v1.SyncOffersRequest(provider="second")),
        ("ExtractAccounts", v1.ExtractAccountsRequest(provider="second")),
        ("GetTicketStatistics", v1.GetTicketStatisticsRequest(provider="second")),
    ],
)
async def test_what_a_provider_has_not(served: Served, name: str, request_: Any) -> None:  # noqa: ANN401 - any request
    """A call the provider has not is UNIMPLEMENTED with the reason, whichever it is."""
    refusal = await served.refused(name, request_)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNIMPLEMENTED, "OPERATION_UNSUPPORTED")
