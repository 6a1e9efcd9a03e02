"""Streams that go on by themselves, and lists read page by page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any, cast

import grpc
import pytest

from clients.vectors import encode
from giftcard import AsyncClient, CallError, Client, Closed, NoAnswer, PermissionDenied, v1
from tests.clients.scripted import CUT, Driver, Refusal, ScriptedGateway, Time

FAULT = Refusal(grpc.StatusCode.INTERNAL, "INTERNAL")


@pytest.fixture(params=["sync", "async"])
async def driver(request: pytest.FixtureRequest, address: str, time: Time) -> AsyncIterator[Driver]:
    """Give either client, without gRPC's own retries: it begins a stream again that broke early."""
    alone = [("grpc.enable_retries", 0)]
    if request.param == "sync":
        with Client(address, plaintext=True, policy=time.policy(), sleep=time.sleep, options=alone) as client:
            yield Driver(client)
    else:
        async with AsyncClient(
            address, plaintext=True, policy=time.policy(), sleep=time.asleep, options=alone
        ) as async_client:
            yield Driver(async_client)


def change(cursor: str) -> v1.WatchTransactionsResponse:
    """Make a change with a cursor."""
    return v1.WatchTransactionsResponse(cursor=cursor)


async def take(
    driver: Driver, name: str, count: int, heard: list[str] | None = None, **fields: object
) -> list[str]:
    """Follow a stream for so many messages; give their cursors, also in `heard`."""
    stream = getattr(driver.client, name)(**fields)
    cursors = [] if heard is None else heard
    if isinstance(driver.client, AsyncClient):
        async for told in cast("AsyncIterator[v1.WatchTransactionsResponse]", stream):
            cursors.append(told.cursor)
            if len(cursors) == count:
                break
        await stream.aclose()
        return cursors

    def read() -> list[str]:
        for told in islice(cast("Iterator[v1.WatchTransactionsResponse]", stream), count):
            cursors.append(told.cursor)
        stream.close()
        return cursors

    return await asyncio.to_thread(read)


def starts(gateway: ScriptedGateway) -> list[str]:
    """Give the cursors the streams were begun with."""
    return [seen.text("cursor") for seen in gateway.seen]


@pytest.mark.parametrize(("method", "name"), [("watch", "WatchTransactions"), ("events", "StreamEvents")])
async def test_a_stream_goes_on_where_it_broke(
    driver: Driver, gateway: ScriptedGateway, method: str, name: str
) -> None:
    """After a cut, an end and a fault the stream goes on from its last cursor."""
    kind = v1.WatchTransactionsResponse if method == "watch" else v1.StreamEventsResponse
    told = [kind(cursor=cursor) for cursor in "abcd"]
    gateway.streams[name] = [[told[0], told[1], CUT], [], [told[2], FAULT], [told[3], None]]
    assert await take(driver, method, 4, cursor="0") == ["a", "b", "c", "d"]
    assert starts(gateway) == ["0", "b", "b", "c"]


async def test_a_stream_that_broke_early_starts_from_its_time(
    driver: Driver, gateway: ScriptedGateway
) -> None:
    """Broken before its first message, a stream begun without a start goes on from when it was begun."""
    gateway.streams["WatchTransactions"] = [[CUT], [change("a"), None]]
    assert await take(driver, "watch", 1) == ["a"]
    first, second = (cast("v1.WatchTransactionsRequest", seen.request) for seen in gateway.seen)
    assert first.WhichOneof("start") is None
    assert second.WhichOneof("start") == "start_time"


async def test_an_outage_is_waited_out(driver: Driver, gateway: ScriptedGateway, time: Time) -> None:
    """However often the gateway is away, the stream comes back; pauses grow to their limit."""
    gateway.streams["WatchTransactions"] = [[CUT] for _ in range(20)]
    gateway.streams["WatchTransactions"].append([change("a"), None])
    assert await take(driver, "watch", 1) == ["a"]
    assert len(gateway.seen) == 21
    assert max(time.pauses_s) == 5.0


async def test_a_stream_that_is_refused_ends(driver: Driver, gateway: ScriptedGateway) -> None:
    """A refusal is raised at once; a fault of the gateway after as many tries as the policy has."""
    gateway.streams["WatchTransactions"] = [[Refusal(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")]]
    with pytest.raises(PermissionDenied) as caught:
        await take(driver, "watch", 1)
    assert caught.value.call == "WatchTransactions"
    assert len(gateway.seen) == 1
    gateway.streams["WatchTransactions"] = [[FAULT] for _ in range(9)]
    with pytest.raises(NoAnswer):
        await take(driver, "watch", 1)
    assert len(gateway.seen) == 1 + 8


@pytest.mark.parametrize("case", encode.read("streams"), ids=lambda case: str(case["name"]))
async def test_the_vectors(
    driver: Driver, gateway: ScriptedGateway, time: Time, case: dict[str, Any]
) -> None:
    """Every language's streams go on as the vectors say."""
    kind = v1.StreamEventsResponse if case["call"] == "StreamEvents" else v1.WatchTransactionsResponse
    ends: dict[str, list[Any]] = {"OK": [], "OPEN": [None]}
    gateway.streams[case["call"]] = [
        [
            *(kind(cursor=cursor) for cursor in stream["tells"]),
            *ends.get(stream["ends"], [Refusal(getattr(grpc.StatusCode, stream["ends"], CUT.code))]),
        ]
        for stream in case["streams"]
    ]
    driver.client._policy = time.policy(attempts=case["attempts"])  # noqa: SLF001 - as if made with it
    name = "events" if case["call"] == "StreamEvents" else "watch"
    fields = {"cursor": case["start"]} if case["start"] else {}
    given: list[str] = []
    raised = None
    try:
        await take(driver, name, len(case["given"]) + bool(case["raises"]), given, **fields)
    except CallError as error:
        raised = error.code.name
    assert (given, raised) == (case["given"], case["raises"])
    begun = [cast("v1.WatchTransactionsRequest", seen.request) for seen in gateway.seen]
    asked = ["TIME" if one.WhichOneof("start") == "start_time" else one.cursor for one in begun]
    assert asked == case["asked"]


async def test_a_stream_of_a_closed_client_is_ours(driver: Driver) -> None:
    """A stream begun after `close` raises Closed."""
    client = driver.client
    await client.close() if isinstance(client, AsyncClient) else client.close()
    with pytest.raises(Closed):
        await take(driver, "watch", 1)


async def test_pages_are_read_to_the_last(driver: Driver, gateway: ScriptedGateway) -> None:
    """`pages` gives every page, an empty one too, with the same fields and the token of the one before."""
    kind = v1.ListTransactionsResponse
    gateway.expect("ListTransactions", kind(next_page_token="2"), kind(next_page_token="3"), kind())
    client = driver.client
    if isinstance(client, AsyncClient):
        count = 0
        async for _page in client.pages(client.list_transactions, page_size=7):
            count += 1
    else:
        count = len(
            await asyncio.to_thread(lambda: list(client.pages(client.list_transactions, page_size=7)))
        )
    assert count == 3
    asked = [cast("v1.ListTransactionsRequest", seen.request) for seen in gateway.seen]
    assert [(each.page_token, each.page_size) for each in asked] == [("", 7), ("2", 7), ("3", 7)]
