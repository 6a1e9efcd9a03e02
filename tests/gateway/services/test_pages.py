"""What one page of ListTransactions may cost: rows read, turns of the event loop, bytes."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from giftcard import v1
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.point_of_sale import Merchant, PointOfSale
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.journal.contract import Row, RowQuery
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.services import filters, transactions
from giftcard_gateway.services.pages import fingerprint
from tests.gateway.services.served import Served
from tests.journal.samples import NOW

STATE = v1.TransactionState
BATCH, BUDGET = 16, 64
CLIENTS_LIMIT = 4 * 1024 * 1024
"""What a gRPC client takes unless it is told otherwise."""


def entry(number: int, **more: Any) -> Entry:  # noqa: ANN401 - any field of a redemption
    """Return a redemption written down `number` seconds after NOW, at merchant M1 and terminal T1."""
    at = NOW + timedelta(seconds=number)
    fields: dict[str, Any] = {
        "point_of_sale": PointOfSale(merchant=Merchant(merchant_id="M1"), terminal_id="T1"),
        "external_reference": f"order-{number}",
        "labels": {"shop": "1"},
    }
    ask = Redeem(
        transaction_id=str(uuid.uuid4()),
        requested_at=at,
        card=CardRef(number=Secret(f"6045120000{number:06}")),
        amount=Money("ZAR", 100),
        **(fields | more),
    )
    return lifecycle.intend(
        ask, "first", driver="", lease_until=at, traceparent="", tenant="default", asked_by=""
    )


async def fill(served: Served, count: int, **more: Any) -> list[str]:  # noqa: ANN401 - any field of a redemption
    """Write redemptions down and return their ids, newest first."""
    entries = [entry(number, **more) for number in range(count)]
    for one in entries:
        await served.app.dependencies.records.open(one)
    return [one.transaction_id for one in reversed(entries)]


@pytest.fixture
def queries(served: Served, monkeypatch: pytest.MonkeyPatch) -> list[RowQuery]:
    """Give every query that the journal is asked, with small batches and a small budget."""
    monkeypatch.setattr(transactions, "_BATCH", BATCH)
    monkeypatch.setattr(transactions, "_BUDGET", BUDGET)
    journal = served.app.dependencies.records.journal
    asked: list[RowQuery] = []
    really = journal.list

    async def list_rows(query: RowQuery) -> Sequence[Row]:
        asked.append(query)
        return await really(query)

    monkeypatch.setattr(journal, "list", list_rows)
    return asked


async def page(served: Served, size: int, token: str = "", **wanted: Any) -> v1.ListTransactionsResponse:  # noqa: ANN401 - any filter
    """Return one page."""
    request = v1.ListTransactionsRequest(
        filter=v1.TransactionFilter(**wanted), page_size=size, page_token=token
    )
    answer: v1.ListTransactionsResponse = await served.call("ListTransactions", request)
    return answer


async def pages(served: Served, size: int, **wanted: Any) -> list[v1.ListTransactionsResponse]:  # noqa: ANN401 - any filter
    """Return all pages."""
    found = [await page(served, size, **wanted)]
    while found[-1].next_page_token:
        found.append(await page(served, size, found[-1].next_page_token, **wanted))
    return found


def ids(found: Sequence[v1.ListTransactionsResponse]) -> list[str]:
    """Return the transactions of pages, in order."""
    return [one.transaction_id for each in found for one in each.transactions]


NEVER_BOTH: dict[str, Any] = {"labels": {"shop": "1"}, "states": [STATE.TRANSACTION_STATE_DECLINED]}


async def test_a_page_that_finds_nothing_reads_its_budget(served: Served, queries: list[RowQuery]) -> None:
    """However small the page, rows are read in batches, no more than the budget; then a token goes on."""
    await fill(served, BUDGET + 1)
    empty = await page(served, 1, **NEVER_BOTH)
    assert (len(empty.transactions), bool(empty.next_page_token)) == (0, True)
    assert [query.limit for query in queries] == [BATCH] * (BUDGET // BATCH)


async def test_empty_pages_lead_to_what_is_there(served: Served, queries: list[RowQuery]) -> None:
    """Pages that used up their budget lead on to the one match at the end of a long history."""
    found = await fill(served, 3 * BUDGET)
    oldest = found[-1]
    record = await served.app.dependencies.records.get(oldest)
    assert record is not None
    failed = lifecycle.move(record, State.FAILED, NOW, "never sent")
    assert await served.app.dependencies.records.write(failed) is not None
    wanted = NEVER_BOTH | {"states": [STATE.TRANSACTION_STATE_FAILED]}
    assert ids(await pages(served, 1, **wanted)) == [oldest]
    assert sum(query.limit for query in queries) <= 4 * BUDGET


async def test_a_full_page_looks_no_further(served: Served, queries: list[RowQuery]) -> None:
    """A page that has what was asked ends with a token, instead of looking for one more to tell of."""
    newest = (await fill(served, BUDGET + 1))[0]
    record = await served.app.dependencies.records.get(newest)
    assert record is not None
    failed = lifecycle.move(record, State.FAILED, NOW, "never sent")
    assert await served.app.dependencies.records.write(failed) is not None
    wanted = NEVER_BOTH | {"states": [STATE.TRANSACTION_STATE_FAILED]}
    answer = await page(served, 1, **wanted)
    assert (ids([answer]), bool(answer.next_page_token), len(queries)) == ([newest], True, 1)


@pytest.mark.parametrize(
    "wanted",
    [
        {"merchant_id": "M2"},
        {"terminal_id": "T2"},
        {"external_reference": "order-none"},
        {"labels": {"shop": "2"}},
        {"card": v1.Card(number=v1.CardNumber(pan="6045999999999999"))},
        {"states": [STATE.TRANSACTION_STATE_DECLINED]},
        {"providers": ["second", "third"]},
        {"operations": [v1.Operation.OPERATION_LOAD]},
    ],
)
async def test_what_nothing_has_costs_one_query(
    served: Served, queries: list[RowQuery], wanted: dict[str, Any]
) -> None:
    """A condition that holds of nothing is answered by its index: one query, no row."""
    await fill(served, BUDGET + 1)
    assert (await page(served, 1, **wanted)) == v1.ListTransactionsResponse()
    assert len(queries) == 1


async def test_a_filter_that_an_index_serves_reads_what_it_shows(
    served: Served, queries: list[RowQuery]
) -> None:
    """Where the index gives only what is wanted, a small page reads no more than one row beyond itself."""
    found = await fill(served, BUDGET)
    assert ids([await page(served, 3, merchant_id="M1")]) == found[:3]
    assert [query.limit for query in queries] == [4]


async def test_a_page_lets_others_run(served: Served, queries: list[RowQuery]) -> None:
    """Between two batches the event loop has a turn, though this journal never waits."""
    await fill(served, BUDGET + 1)
    turns: list[int] = []

    async def count() -> None:
        while True:
            turns.append(len(queries))
            await asyncio.sleep(0)

    counter = asyncio.create_task(count())
    await page(served, 1, **NEVER_BOTH)
    counter.cancel()
    assert set(turns) >= set(range(1, BUDGET // BATCH))


async def test_a_page_ends_by_bytes(served: Served) -> None:
    """520 transactions with every label full come in pages that a client takes, each once."""
    labels = {f"{number:063}": "v" * 256 for number in range(32)}
    found = await fill(served, 520, labels=labels)
    listed = await pages(served, 500)
    assert ids(listed) == found
    assert max(each.ByteSize() for each in listed) < CLIENTS_LIMIT * 3 / 4 + 1024
    assert len(listed) > 1


async def test_pages_go_on_while_others_write(served: Served, queries: list[RowQuery]) -> None:
    """New transactions and changes of state between pages neither hide nor repeat what was there."""
    del queries
    before = await fill(served, 40)
    records = served.app.dependencies.records
    token, listed = "", []
    for number in range(100, 140):
        answer = await page(served, 3, token, merchant_id="M1")
        listed += ids([answer])
        if not (token := answer.next_page_token):
            break
        await records.open(entry(number))
        moved = await records.get(before[number % 40])
        assert moved is not None
        assert await records.write(msgspec.structs.replace(moved, note="seen")) is not None
    assert listed == before


FORGED = [
    ["2026-01-01T00:00:00", str(uuid.uuid4())],
    [NOW, "a\0b"],
    [NOW, "no uuid"],
    [NOW],
    -3,
    2**63,
    "text",
]


@pytest.mark.parametrize("at", [*FORGED, 5])
async def test_a_forged_place_in_transactions_is_refused(served: Served, at: object) -> None:
    """A token whose place no list of transactions gave is a malformed argument, on any journal."""
    asked = filters.Filter(v1.TransactionFilter(), served.app.dependencies.records, LOCAL).fingerprints[0]
    request = v1.ListTransactionsRequest(page_token=forged(at, asked))
    refusal = await served.refused("ListTransactions", request)
    assert (refusal.reason, refusal.violations) == ("FIELD_INVALID", ("page_token",))


@pytest.mark.parametrize("at", [*FORGED, 100, [NOW, str(uuid.uuid4())]])
async def test_a_forged_place_in_a_list_at_hand_is_refused(served: Served, at: object) -> None:
    """A token before the start, after the end or of another kind of list is a malformed argument."""
    request = v1.ListProvidersRequest(page_token=forged(at, fingerprint(b"providers")))
    refusal = await served.refused("ListProviders", request)
    assert (refusal.reason, refusal.violations) == ("FIELD_INVALID", ("page_token",))


def forged(at: object, asked: bytes) -> str:
    """Return a token as a caller can make it who takes ours apart."""
    packed = msgspec.msgpack.encode((at, asked))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def test_every_condition_of_the_contract_is_served() -> None:
    """No field of the filter is without an index."""
    assert {field.name for field in v1.TransactionFilter.DESCRIPTOR.fields} == filters.SERVED


@pytest.mark.parametrize("method", ["ListTransactions", "WatchTransactions"])
async def test_a_condition_without_an_index_is_refused_by_name(
    served: Served, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A condition that no index serves is an invalid argument that names it."""
    monkeypatch.setattr(filters, "SERVED", filters.SERVED - {"terminal_id"})
    wanted = v1.TransactionFilter(terminal_id="T1", merchant_id="M1")
    if method == "ListTransactions":
        refusal = await served.refused(method, v1.ListTransactionsRequest(filter=wanted))
        assert (refusal.reason, refusal.violations) == ("FIELD_INVALID", ("filter.terminal_id",))
        return
    with pytest.raises(Exception, match="terminal_id"):
        await served.stream(method, v1.WatchTransactionsRequest(filter=wanted)).read()
