"""What a whole gateway tells in numbers: the catalogue, nothing else, and zeros before anything happens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import grpc.aio
import pytest

from giftcard import v1
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_gateway.config.settings import Limits
from giftcard_gateway.journal.notes import KeyInUse
from giftcard_gateway.journal.sqlite.journal import Sqlite
from giftcard_gateway.providers.connections import Terms
from giftcard_gateway.telemetry import catalogue
from giftcard_gateway.telemetry.catalogue import COUNTED, INSTRUMENTS
from tests.gateway.services.served import Served, refusal_of, serve, unresolved
from tests.world.seen import Seen

BACKLOG, AGE = "giftcard.backlog.transactions", "giftcard.backlog.age"


@pytest.fixture
async def watched(seen: Seen, tmp_path: Path) -> AsyncIterator[Served]:
    """Give a gateway with a journal of its own, where nothing is tried again soon, and look at it."""
    terms = Terms(retry_base_s=3600.0, retry_cap_s=3600.0)
    journal = Sqlite(str(tmp_path / "journal.db"))
    async with serve(terms=terms, telemetry=seen.telemetry, journal=journal) as served:
        yield served


def values(seen: Seen, name: str) -> dict[tuple[object, ...], float]:
    """Return a metric's values by those of its attributes, in the order of the catalogue."""
    (labels,) = [one.labels for one in INSTRUMENTS if one.name == name]
    return {
        tuple(attributes.get(label) for label in labels): value for attributes, value in seen.points(name)
    }


@pytest.mark.usefixtures("watched")
async def test_zero_from_the_start(seen: Seen) -> None:
    """Before anything happened each counter is there, for each provider and operation, as zero."""
    for one in COUNTED:
        told = values(seen, one.name)
        assert told, one.name
        assert set(told.values()) == {0}, one.name
    provider = "first"
    assert values(seen, "giftcard.transaction.states")["REDEEM", provider, "UNRESOLVED"] == 0
    assert values(seen, "giftcard.webhook.requests")[provider, "refused"] == 0
    assert values(seen, "giftcard.call.errors")["JOURNAL_UNAVAILABLE", None] == 0


def test_what_is_named_goes_out() -> None:
    """Each metric that the catalogue names is among those that are told."""
    named = {one.name for one in vars(catalogue).values() if isinstance(one, catalogue.Instrument)}
    assert named == {one.name for one in INSTRUMENTS}


async def test_what_is_told_is_in_the_catalogue(watched: Served, seen: Seen) -> None:
    """Every metric that goes out is in the catalogue with these labels, and all of it can go out."""
    transaction = await watched.redeem()
    watched.script.reactions.append(Acknowledgement(receipt=Receipt.AGAIN))
    await watched.call("ConfirmRedeem", v1.ConfirmRedeemRequest(transaction_id=transaction.transaction_id))
    await watched.app.measuring.count()
    told = seen.labels()
    known = {one.name: set(one.labels) for one in INSTRUMENTS}
    assert told.keys() <= known.keys()
    assert {name: labels - known[name] for name, labels in told.items() if labels - known[name]} == {}
    # Without a pool, a reversal, a missing key or an exchange over HTTP these have nothing to say.
    assert known.keys() - told.keys() <= {
        "db.client.connection.count",
        "db.client.connection.max",
        "giftcard.loop.lag",
        "giftcard.reversal.window.left",
        "giftcard.seal.elsewhere",
        "http.client.request.duration",
    }


async def test_what_is_open(watched: Served, seen: Seen) -> None:
    """What is open is told by provider and state with the oldest age, and zero where nothing is."""
    provider, count = "first", watched.app.measuring.count
    await count()
    assert set(values(seen, BACKLOG).values()) == set(values(seen, AGE).values()) == {0}
    assert values(seen, "giftcard.backlog.lag") == {("first",): 0, ("second",): 0}
    transaction = await watched.redeem()
    watched.script.reactions.append(Acknowledgement(receipt=Receipt.AGAIN))
    await watched.call("ConfirmRedeem", v1.ConfirmRedeemRequest(transaction_id=transaction.transaction_id))
    await unresolved(watched)
    await count()
    assert values(seen, BACKLOG)[provider, "CONFIRMING"] == 1
    assert values(seen, BACKLOG)[provider, "UNRESOLVED"] == 1
    assert values(seen, BACKLOG)[provider, "REVERSING"] == 0
    assert values(seen, AGE)[provider, "CONFIRMING"] > 0


async def test_what_is_paused_and_forgotten_is_told(watched: Served, seen: Seen) -> None:
    """A paused provider is 1 and any other 0; each time the journal forgot is counted."""
    pauses, (first, *_) = watched.app.pauses, watched.app.connections
    assert set(values(seen, "giftcard.provider.paused").values()) == {0}
    await pauses.pause(first, by="ana", note="slow")
    assert values(seen, "giftcard.provider.paused")[first.provider_id,] == 1
    await pauses.resume(first)
    assert values(seen, "giftcard.provider.paused")[first.provider_id,] == 0
    now = watched.clock.now()
    seen.telemetry.observer.journal_forgot(now - timedelta(seconds=4), now)
    assert values(seen, "giftcard.journal.forgot") == {(): 1}


async def test_commits_and_room(watched: Served, seen: Seen) -> None:
    """Each batch of the journal is measured, and how much room there is for calls is told."""
    await watched.redeem()
    assert values(seen, "db.client.operation.duration")["sqlite", "COMMIT"] >= 1
    assert values(seen, "giftcard.journal.queue.duration")[()] >= 1
    assert values(seen, "giftcard.call.limit")["calls",] == watched.app.admission.most_calls
    assert values(seen, "giftcard.call.in_flight") == {("calls",): 0, ("streams",): 0}
    assert values(seen, "giftcard.journal.away") == {(): 0}
    assert values(seen, "process.thread.count")[()] > 1
    assert values(seen, "cpython.gc.collections").keys() == {(0,), (1,), (2,)}


async def test_errors_by_reason_and_limit(seen: Seen) -> None:
    """An error that callers are told is counted by its reason, and by the limit that was used up."""
    async with serve(telemetry=seen.telemetry, limits=Limits(calls_per_s=1)) as served:
        request = v1.ListProvidersRequest()
        calls = [served.call("ListProviders", request) for _ in range(50)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refused = [refusal_of(one).reason for one in answers if isinstance(one, grpc.aio.AioRpcError)]
        assert "RATE_LIMITED" in refused
        assert values(seen, "giftcard.call.errors")["RATE_LIMITED", "calls_per_s"] == len(refused)


async def test_every_document_is_looked_at_seldom(watched: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs as much as there is open is done now and then, and whenever a key is in use elsewhere."""
    records, looks = watched.app.pipeline.records, Counter[str]()
    missing, count = records.missing, watched.app.measuring.count

    async def looked() -> Mapping[str, int]:
        looks["all"] += 1
        return await missing()

    await count()
    monkeypatch.setattr(records, "missing", looked)
    for _ in range(3):
        await count()
    assert not looks
    await watched.app.journal.use_keys([KeyInUse("seal", "elsewhere")])
    await count()
    assert looks["all"] == 1
    await watched.app.journal.drop_keys([KeyInUse("seal", "elsewhere")])
    await count()
    await count()
    assert looks["all"] == 2, "once more, to see that nothing is missing any longer"
    monkeypatch.setattr("giftcard_gateway.process.measuring._LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(watched.app.measuring, "_look_at_s", 0.0)
    await count()
    await count()
    assert looks["all"] == 4
