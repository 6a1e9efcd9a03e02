"""Rotating the hash key on each database while others write: nothing is lost, and nothing old is left."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal, RowQuery
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.rotation import Rotation
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry
from tests.world.gateway import seal

T0 = datetime(2026, 1, 1, tzinfo=UTC)
RING = {"second": b"n"}
COUNT, WRITES, ROUNDS = 12, 8, 6


def redeemed(number: int) -> Entry:
    """Return a redemption of a card of its own, which its provider approved under an id of its own."""
    ask = Redeem(
        transaction_id=SystemClock().uuid4(),
        requested_at=T0,
        card=CardRef(number=Secret(f"604512{number:010}")),
        amount=Money("ZAR", 1),
        external_reference=f"order-{number}",
    )
    entry = lifecycle.intend(
        ask, "first", driver="", lease_until=T0, traceparent="", tenant="default", asked_by=""
    )
    outcome = Outcome(
        verdict=Verdict.APPROVED, approved=ask.amount, references={"order": f"o-{number}", "batch": "b-1"}
    )
    return lifecycle.answered(entry, outcome, confirm_by=T0, at=T0)


async def write_often(records: Records, transaction_id: str, chance: random.Random) -> None:
    """Read a transaction and write it again and again, with other work between."""
    for _ in range(WRITES):
        entry = await records.get(transaction_id)
        assert entry is not None
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        await records.write(entry)


@pytest.mark.parametrize("seed", range(3))
async def test_rotating_while_others_write(journal: Journal, seed: int) -> None:
    """However writes under both keys and rounds of a rotation mix, all is found all the time.

    After one more round all is found under the second key alone, and the first is in no use any more.
    """
    chance, clock = random.Random(seed), SystemClock()
    old, new = (
        Records(journal, seal(clock, hashes=RING, hash_active=active)) for active in ("first", "second")
    )
    entries = [redeemed(number) for number in range(COUNT)]
    for entry in entries:
        assert await chance.choice((old, new)).open(entry) is None
    rotation = Rotation(
        journal,
        seal(clock, hashes=RING, hash_active="second"),
        lambda: clock.now() + timedelta(hours=1),
    )
    done = asyncio.Event()

    async def look() -> None:
        while not done.is_set():
            number = chance.randrange(COUNT)
            await must_be_found(chance.choice((old, new)), entries[number], number)
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await asyncio.gather(
        *(write_often(records, entry.transaction_id, chance) for entry in entries for records in (old, new)),
        *(rotation.round(_ignore) for _ in range(ROUNDS)),
    )
    done.set()
    await looking
    assert (await rotation.round(_ignore)).in_work == 0
    assert await journal.indexed() == {"second": COUNT}
    only_new = Records(journal, seal(clock, hash_key=b"z", hashes=RING, hash_active="second"))
    only_old = Records(journal, seal(clock))
    for number, entry in enumerate(entries):
        await must_be_found(only_new, entry, number)
        for index in only_old.indexes.all_of(entry):
            assert not await journal.list(RowQuery(blind_indexes=(index,)))


async def must_be_found(records: Records, entry: Entry, number: int) -> None:
    """Find a transaction by its card, its caller's reference and its provider's."""
    assert entry.ask is not None
    assert isinstance(entry.ask, Redeem)
    card, reference = entry.ask.card, entry.ask.external_reference
    for wanted in (
        tuple(one.card(card) for one in records.lookups),
        tuple(one.external_reference("default", reference) for one in records.lookups),
    ):
        (found,) = await records.list(RowQuery(blind_indexes=wanted))
        assert found.transaction_id == entry.transaction_id
    (told,) = await records.by_reference("first", [("order", f"o-{number}")])
    assert told.transaction_id == entry.transaction_id


def _ignore(_: int) -> None:
    """Do nothing: nobody looks at the progress."""
