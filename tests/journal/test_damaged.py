"""Rows that were damaged behind the gateway's back: each is told, and hides, holds up and stops nothing else.

Every column of every table that is read is damaged in every way its database allows (`damage`), all at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from giftcard import v1
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_gateway.access.api_keys import ApiKeys, make, row_of
from giftcard_gateway.audit.trail import Trail
from giftcard_gateway.audit.verify import verify
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.access import Grant, Scope
from giftcard_gateway.errors import CredentialsInvalid, ProviderNotFound
from giftcard_gateway.journal.rotation import Rotation
from giftcard_gateway.providers.connections import Terms
from giftcard_gateway.seal import SealBroken
from tests.gateway.services.served import Served, refusal_of, serve
from tests.journal.conftest import server_place
from tests.journal.damage import Damage, damages
from tests.journal.places import Place, file
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer
from tests.world.gateway import seal
from tests.world.observer import Heard
from tests.world.provider import AGAIN

SLOW = Terms(retry_base_s=60)
WELL = 3
LONG_AGO = Timestamp(seconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHOP = "shop-1"
CANCELLED = v1.ReversalReason.REVERSAL_REASON_CANCELLED
CONFIRMED = v1.TransactionState.TRANSACTION_STATE_CONFIRMED
SEALED = {"operation", "state", "created_us", "updated_us", "document", "version", "fence", "tenant"}
"""The columns that a document is bound to, and itself."""
_A_HANDLE = "SELECT handle FROM handles WHERE transaction_id = '{}' ORDER BY handle LIMIT 1"
FINE = {"OK", "STATE_CONFLICT", "TRANSACTION_REVERSED"}
"""What is said of a transaction of which nothing that counts was damaged."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Give a database of each kind, with the schema in place."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return await server_place(server)
    place = file("sqlite", tmp_path)
    await place.journal().upgrade()
    return place


@pytest.fixture
def heard() -> Heard:
    """Give an observer that keeps what went wrong."""
    return Heard(SystemClock())


async def owing(place: Place, count: int) -> list[str]:
    """Return the ids of so many transactions whose confirmation is owed and due, oldest first."""
    async with serve(journal=place.journal(), terms=SLOW) as served:
        ids = [(await served.redeem(external_reference=SHOP)).transaction_id for _ in range(count)]
        served.script.reactions.extend([AGAIN] * count * 3)
        for one in ids:
            await served.call("ConfirmRedeem", v1.ConfirmRedeemRequest(transaction_id=one))
    await place.execute("UPDATE transactions SET due_us = created_us, driver = ''")
    return ids


async def answer(served: Served, name: str, request: Any) -> tuple[str, str]:  # noqa: ANN401 - any request
    """Return the reason of a refusal, or OK, and all that was said."""
    try:
        return "OK", str(await served.call(name, request))
    except grpc.aio.AioRpcError as error:
        refusal = refusal_of(error)
        return refusal.reason, str(refusal)


async def listed(served: Served, **wanted: Any) -> list[v1.Transaction]:  # noqa: ANN401 - conditions of a filter
    """Return what is on all pages of a list."""
    found: list[v1.Transaction] = []
    request = v1.ListTransactionsRequest(page_size=7, filter=v1.TransactionFilter(**wanted))
    while True:
        page = await served.call("ListTransactions", request)
        found += page.transactions
        request.page_token = page.next_page_token
        if not request.page_token:
            return found
        assert len(found) < 5000, "the pages have no end"


async def confirmed(served: Served, ids: Sequence[str]) -> None:
    """Return when all of these are confirmed."""
    async with asyncio.timeout(PATIENCE_S):
        for one in ids:
            request = v1.GetTransactionRequest(transaction_id=one)
            while (await served.call("GetTransaction", request)).transaction.state != CONFIRMED:  # noqa: ASYNC110 - polled as a caller does
                await asyncio.sleep(0.02)


async def read(stream: Any, count: int) -> list[Any]:  # noqa: ANN401 - a stream of any answers
    """Return so many answers of a stream."""
    async with asyncio.timeout(PATIENCE_S):
        return [await stream.read() for _ in range(count)]


def strange(heard: Heard) -> list[BaseException]:
    """Return what went wrong that damage does not explain."""
    return [fault for _, fault in heard.faults if not isinstance(fault, SealBroken | ProviderNotFound)]


async def test_a_damaged_transaction_is_told_and_hides_no_other(place: Place, heard: Heard) -> None:
    """Calls that name it say DATA_LOSS; lists and watches have the others, and theirs is delivered."""
    found = await damages(place, "transactions")
    ids = await owing(place, len(found) + WELL)
    well = ids[20 : 20 + WELL]
    hurt = dict(zip((one for one in ids if one not in well), found, strict=True))
    for one, damage in hurt.items():
        await damage.do(place, f"transaction_id = '{one}'")
    async with serve(journal=place.journal(), terms=SLOW, heard=heard) as served:
        await confirmed(served, well)
        wrong = [what for one, damage in hurt.items() for what in await asked(served, one, damage)]
        for page in (await listed(served), await listed(served, external_reference=SHOP)):
            there = {one.transaction_id: one.evidence.summary for one in page}
            assert {one for one, evidence in there.items() if not evidence} >= set(well)
            assert len(there) == len(page)
        all_there = {one.transaction_id: one.evidence.summary for one in await listed(served)}
        broken = [one for one, damage in hurt.items() if damage.column in {"document", "version", "fence"}]
        assert all("not as it was last written" in all_there[one] for one in broken)
        watch = served.stream(
            "WatchTransactions",
            v1.WatchTransactionsRequest(filter=v1.TransactionFilter(states=[CONFIRMED]), start_time=LONG_AGO),
        )
        told = {one.transaction.transaction_id for one in await read(watch, WELL)}
        assert (await served.redeem()).state == v1.TransactionState.TRANSACTION_STATE_APPROVED
        assert heard.damaged_rows > 0
    assert wrong == []
    assert set(ids) >= told
    assert strange(heard) == [], heard.faults


async def asked(served: Served, one: str, damage: Damage) -> list[str]:
    """Ask everything about a damaged transaction; return what was answered that should not be."""
    allowed = {"RECORD_ALTERED"} if damage.column in SEALED else FINE
    if damage.column in {"transaction_id", "tenant", "provider", "driver", "due_us", "asked_id", "hash_key"}:
        allowed = {*FINE, "RECORD_ALTERED", "TRANSACTION_NOT_FOUND"}
    wrong: list[str] = []
    for name, request in (
        ("GetTransaction", v1.GetTransactionRequest(transaction_id=one)),
        ("RedeliverAdvice", v1.RedeliverAdviceRequest(transaction_id=one)),
        ("ConfirmRedeem", v1.ConfirmRedeemRequest(transaction_id=one)),
        ("ReverseRedeem", v1.ReverseRedeemRequest(transaction_id=one, reason=CANCELLED)),
        ("Redeem", served.redemption(one, external_reference=SHOP)),
    ):
        reason, told = await answer(served, name, request)
        if reason not in allowed or (
            reason == "RECORD_ALTERED" and ("DATA_LOSS" not in told or one not in told)
        ):
            wrong.append(f"{damage}: {name} {reason}")
    return wrong


async def test_a_rotation_counts_damaged_rows(place: Place) -> None:
    """`keys rotate` passes over damaged rows, counts them, and seals the others anew."""
    found = [
        one
        for one in await damages(place, "transactions")
        if one.column in {"document", "created_us", "state"}
    ]
    ids = await owing(place, len(found) + WELL)
    for one, damage in zip(ids, found, strict=False):
        await damage.do(place, f"transaction_id = '{one}'")
    await place.execute("UPDATE transactions SET due_us = NULL")
    clock = SystemClock()
    rotation = Rotation(
        place.journal(),
        seal(clock, b"\1", b"\2", more={"k2": b"n"}, active="k2"),
        lambda: clock.now() + timedelta(hours=1),
    )
    done = await rotation.round(lambda _: None)
    assert len(done.altered) + done.missing == len(found)
    assert done.resealed == WELL


async def test_a_damaged_change_hides_no_other(place: Place, heard: Heard) -> None:
    """A watch goes on behind changes of state that cannot be read, on the same stream."""
    found = await damages(place, "changes")
    async with serve(journal=place.journal()) as served:
        ids = [(await served.redeem()).transaction_id for _ in range(len(found) + WELL)]
    hurt = dict(zip(ids, found, strict=False))
    for one, damage in hurt.items():
        await damage.do(place, f"transaction_id = '{one}'")
    async with serve(journal=place.journal(), heard=heard) as served:
        request = v1.WatchTransactionsRequest(start_time=LONG_AGO)
        stream = served.stream("WatchTransactions", request)
        told: list[str] = []
        while ids[-1] not in told:
            told += [one.transaction.transaction_id for one in await read(stream, 1)]
        assert set(told) >= set(ids[len(found) :])
        stream.cancel()
    assert heard.faults
    assert strange(heard) == [], heard.faults


async def test_a_damaged_event_hides_no_other(place: Place, heard: Heard) -> None:
    """Events behind one that cannot be read, or whose transaction cannot, are streamed and carried over."""
    found = await damages(place, "events")
    async with serve(journal=place.journal()) as served:
        ids = [(await served.redeem()).transaction_id for _ in range(len(found) + WELL)]
        served.telling.answers["read_webhook"] = [
            ProviderEvent(event_id=f"event {number}", name="order.settled", transaction_id=one)
            for number, one in enumerate(ids)
        ]
        webhook = Webhook(headers={}, body=b"", received_at=served.clock.now())
        assert await served.app.pipeline.events.receive(served.app.connections.get("first"), webhook) == len(
            ids
        )
    await place.execute("UPDATE events SET applied = FALSE")
    await place.execute(f"UPDATE transactions SET version = 0 WHERE transaction_id = '{ids[-2]}'")  # noqa: S608 - all of it is ours
    for number, damage in enumerate(found):
        await damage.do(place, f"event_id = 'event {number}'")
    async with serve(journal=place.journal(), heard=heard) as served:
        stream = served.stream("StreamEvents", v1.StreamEventsRequest(start_time=LONG_AGO))
        told: list[str] = []
        while f"event {len(ids) - 1}" not in told:
            told += [one.event.event_id for one in await read(stream, 1)]
        assert f"event {len(found)}" in told
        stream.cancel()
        well = {f"event {number}" for number in (len(found), len(ids) - 1)}
        async with asyncio.timeout(PATIENCE_S):
            while well & {row.event_id for row in await served.app.journal.unapplied_events(999)}:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
    assert strange(heard) == [], heard.faults


async def test_a_damaged_blind_index_finds_the_others(place: Place) -> None:
    """A list by a reference has an end, and what is not damaged on its pages."""
    found = await damages(place, "handles")
    ids = await owing(place, len(found) + WELL)
    for one, damage in zip(ids, found, strict=False):
        # One of a row's indexes: several do not fit into one place.
        await damage.do(place, f"transaction_id = '{one}' AND handle = ({_A_HANDLE.format(one)})")
    async with serve(journal=place.journal()) as served:
        there = [one.transaction_id for one in await listed(served, external_reference=SHOP)]
    assert set(there) >= set(ids[len(found) :])
    assert len(there) == len(set(there))


async def test_a_damaged_heartbeat_mends_itself(place: Place) -> None:
    """Whatever stands in it, a gateway beats, and no outage is told that cannot have been."""
    journal = place.journal()
    await journal.start()
    now = SystemClock().now()
    for damage in await damages(place, "heartbeat"):
        await journal.beat(now, silence=timedelta(seconds=5))
        await damage.do(place, "only_row = 1")
        outage = await journal.beat(now, silence=timedelta(seconds=5))
        again = await journal.beat(now + timedelta(seconds=1), silence=timedelta(seconds=5))
        for one in filter(None, (outage, again)):
            assert one.lost_in_all <= 2 * (now - EPOCH), damage
            assert one.until <= now + timedelta(seconds=1), damage
    await journal.close()


async def test_a_damaged_api_key_lets_nobody_in_and_keeps_nobody_out(place: Place) -> None:
    """The other keys work, and one that is revoked is known to be."""
    found = await damages(place, "api_keys")
    journal, clock = place.journal(), SystemClock()
    await journal.start()
    made = [
        make(Grant(name=f"till-{number}", scopes=(Scope.READ,)), clock) for number in range(len(found) + 1)
    ]
    for key, _ in made:
        await journal.put_api_key(row_of(key))
    for (key, _), damage in zip(made, found, strict=False):
        await damage.do(place, f"key_id = '{key.key_id}'")
    keys = ApiKeys(journal, clock)
    await keys.read()
    assert (await keys.identify(made[-1][1])).name == f"till-{len(found)}"
    for _, text in made[:-1]:
        with pytest.raises(CredentialsInvalid):
            await keys.identify(text)
    await journal.close()


async def test_a_damaged_audit_keeps_nobody_from_starting(place: Place) -> None:
    """A trail begins beside damaged chains, and a check finds each of them."""
    await _without_guard(place)
    found = await damages(place, "audit")
    journal, clock = place.journal(), SystemClock()
    await journal.start()
    for number in range(len(found)):
        trail = Trail(journal, seal(clock), clock, name=f"p{number}")
        await trail.start()
        await trail.close()
        await found[number].do(place, f"chain = '{trail.chain}'")
    trail = Trail(journal, seal(clock), clock, name="last")
    await trail.start()
    await trail.close()
    rows = await journal.audit(after=("", 0), limit=999)

    async def each() -> Any:  # noqa: ANN401 - rows of the audit
        for row in rows:
            yield row

    checked = await verify(each, seal(clock))
    assert trail.chain not in {fault.chain for fault in checked.faults}
    assert checked.faults
    await journal.close()


async def _without_guard(place: Place) -> None:
    if place.url.startswith("sqlite"):
        await place.execute("DROP TRIGGER audit_is_never_changed")
    else:
        await place.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
