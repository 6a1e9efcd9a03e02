"""The hash key rotates: whatever is found under one key is found, and known as a repeat, under the next."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from giftcard import v1
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import IssuedCard
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import InvalidRequest, TransactionIdReused
from giftcard_gateway.journal.contract import RowQuery
from giftcard_gateway.journal.rotation import Rotation, Round
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.services.filters import Filter
from giftcard_gateway.services.pages import key_of, token_of
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import LONG, World, seal, sweeping
from tests.world.journal import Unsteady
from tests.world.provider import AGAIN, APPROVED, ISSUED, NUMBER

RING = {"second": b"n"}


@pytest.fixture
async def old(start: Start) -> World:
    """Give a host that knows the second hash key, and writes under the first."""
    return await start(terms=LONG, hashes=RING)


@pytest.fixture
async def new(start: Start) -> World:
    """Give a host on the same journal that writes under the second hash key."""
    return await start(terms=LONG, hashes=RING, hash_active="second")


@pytest.fixture
async def last(start: Start) -> World:
    """Give a host that knows the second hash key and not the first, which has another key's bytes here."""
    return await start(terms=LONG, hash_key=b"z", hashes=RING, hash_active="second")


async def rotated(world: World) -> Round:
    """Index everything anew under the second key, once it is at rest."""
    await asyncio.sleep(11)
    keys = seal(world.clock, hashes=RING, hash_active="second")
    return await Rotation(world.records.journal, keys, world.clock.now).round(_ignore)


def _ignore(_: int) -> None:
    """Do nothing: nobody looks at the progress."""


async def by_card(world: World) -> set[str]:
    """Return the transactions that a host finds by the card of all of these tests."""
    indexes = tuple(one.card(_card(world)) for one in world.records.lookups)
    return {one.transaction_id for one in await world.records.list(RowQuery(blind_indexes=indexes))}


def _card(world: World) -> CardRef:
    return world.redeem().card


async def test_a_card_is_found_before_during_and_after(old: World, new: World, last: World) -> None:
    """Both hosts find the transactions of both all the time, and in the end the first key is not needed."""
    theirs, ours = await old.begin(old.redeem()), await new.begin(new.redeem())
    both = {theirs.transaction_id, ours.transaction_id}
    for world in (old, new):
        assert await by_card(world) == both
    assert await by_card(last) == {ours.transaction_id}
    assert await old.records.journal.indexed() == {"first": 1, "second": 1}
    assert (await rotated(new)).resealed == 1
    assert await old.records.journal.indexed() == {"second": 2}
    for world in (old, new, last):
        assert await by_card(world) == both
    assert (await rotated(new)).resealed == 0


async def test_a_repeat_is_a_repeat_under_every_key(old: World, new: World, last: World) -> None:
    """A request made under the first key is sent once, however often it is repeated under the second."""
    ask = old.redeem()
    first = await old.begin(ask)
    for world in (old, new):
        assert (await world.begin(ask)).transaction_id == first.transaction_id
    await rotated(new)
    for world in (old, new, last):
        again = await world.transactions.begin(ask, wait_s=1, by=LOCAL)
        assert (again.is_replayed, again.entry.outcome) == (True, first.outcome)
        with pytest.raises(TransactionIdReused):
            await world.begin(_other(ask))
    assert len(old.script.requests) == 1


def _other(ask: Redeem) -> Redeem:
    return msgspec.structs.replace(ask, external_reference="another")


async def test_the_first_write_under_the_new_key_indexes_all(old: World, new: World, last: World) -> None:
    """Who writes a transaction of the first key under the second leaves it under the second alone."""
    old.script.reactions.append(msgspec.structs.replace(APPROVED, references={"order": "o-1"}))
    entry = await old.begin(old.redeem())
    assert not await last.records.by_reference("first", [("order", "o-1")])
    assert (await new.confirm(entry)).state is State.CONFIRMED
    assert await new.records.journal.indexed() == {"second": 1}
    for world in (old, new, last):
        assert await by_card(world) == {entry.transaction_id}
        (found,) = await world.records.by_reference("first", [("order", "o-1")])
        assert found.transaction_id == entry.transaction_id
    assert (await old.begin(old.redeem())).state is State.APPROVED
    assert (await rotated(new)).resealed == 1


async def test_an_event_finds_its_transaction_under_either_key(old: World, new: World) -> None:
    """An event that names a transaction by the provider's id is carried over by a host with another key."""
    for writer, reader in ((old, new), (new, old)):
        order = f"o-{writer.clock.uuid4()}"
        writer.script.reactions.append(msgspec.structs.replace(APPROVED, references={"order": order}))
        entry = await writer.begin(writer.redeem())
        writer.script.reactions.append(AGAIN)
        assert (await writer.reverse(entry)).state is State.REVERSING
        await reader.tell(references={"order": order})
        await reader.events.carry_over()
        assert not await reader.waiting()
        async with sweeping(reader):
            await asyncio.sleep(0.01)
        assert (await reader.entry(entry.transaction_id)).state is State.REVERSED


async def test_an_issue_is_found_by_its_card_under_either_key(old: World, new: World, last: World) -> None:
    """The issue that made a card is found by it under every known key, and after a rotation."""
    old.script.reactions.append(ISSUED)
    entry = await old.begin(old.issue())
    made = [IssuedCard(number=Secret(NUMBER))]
    for world in (old, new):
        assert [one.transaction_id for one in await world.records.by_issued("first", made)] == [
            entry.transaction_id
        ]
    assert not await last.records.by_issued("first", made)
    await rotated(new)
    assert len(await last.records.by_issued("first", made)) == 1


async def test_a_write_that_crosses_a_rotation_loses_nothing(
    journal: Unsteady, old: World, last: World
) -> None:
    """Who read a row before it was indexed anew, and writes it after, leaves it to be indexed once more."""
    old.script.reactions.append(msgspec.structs.replace(APPROVED, references={"order": "o-1"}))
    read = await old.entry((await old.begin(old.redeem())).transaction_id)
    assert (await rotated(old)).resealed == 1
    assert await old.records.write(read) is not None
    assert await journal.indexed() == {"": 1}
    assert await by_card(old) == {read.transaction_id}
    assert len(await old.records.by_reference("first", [("order", "o-1")])) == 1
    assert (await rotated(old)).resealed == 1
    assert await journal.indexed() == {"second": 1}
    assert await by_card(last) == {read.transaction_id}
    assert len(await last.records.by_reference("first", [("order", "o-1")])) == 1


async def test_nothing_is_left_under_the_key_that_goes(journal: Unsteady, old: World, new: World) -> None:
    """After a rotation no keyed hash under the first key is left anywhere."""
    first, second = old.records.indexes, new.records.indexes
    for world in (old, new, old):
        world.script.reactions.append(msgspec.structs.replace(APPROVED, references={"order": "o-1"}))
        await world.confirm(await world.begin(world.redeem()))
    await rotated(new)
    left = {bytes(one) for (one,) in journal._connections[0].execute("SELECT handle FROM handles")}  # noqa: SLF001 - as a stranger would
    assert left == {second.card(_card(old)), second.provider_reference("first", "order", "o-1")}
    assert not left & {first.card(_card(old)), first.provider_reference("first", "order", "o-1")}


async def test_a_list_goes_on_where_another_key_is_active(old: World, new: World, last: World) -> None:
    """A token that a host gave for a card's transactions is taken by one that writes under another key."""
    wanted = v1.TransactionFilter(card=v1.Card(number=v1.CardNumber(pan=NUMBER)))
    entry = await old.begin(old.redeem())
    for giver, taker in ((old, new), (new, old)):
        asked = Filter(wanted, giver.records, LOCAL).fingerprints[0]
        token = token_of((entry.created_at, entry.transaction_id), asked)
        at = key_of(token, Filter(wanted, taker.records, LOCAL).fingerprints)
        assert at == (entry.created_at, entry.transaction_id)
    other = v1.TransactionFilter(card=v1.Card(number=v1.CardNumber(pan=NUMBER[:-1])))
    with pytest.raises(InvalidRequest):
        key_of(token, Filter(other, last.records, LOCAL).fingerprints)


async def test_an_event_is_not_given_up_where_a_hash_key_is_missing(start: Start, new: World) -> None:
    """A host that may not find what an event names leaves it to the hosts that do, however long it takes."""
    blind = await start(terms=LONG)
    new.script.reactions.append(msgspec.structs.replace(APPROVED, references={"order": "o-1"}))
    await new.begin(new.redeem())
    event_id = await blind.tell(references={"order": "o-1"})
    blind.records.is_half_blind = True
    await asyncio.sleep(3600)
    await blind.events.carry_over()
    assert await blind.waiting() == [event_id]
    assert await blind.records.missing() == {"hash:second": 1}
    await new.events.carry_over()
    assert not await new.waiting()
