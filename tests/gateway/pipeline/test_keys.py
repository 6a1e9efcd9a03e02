"""Keys on several hosts: what one cannot open it leaves to the others, and what was put back is found."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import RecordAltered, SealKeyMissing
from giftcard_gateway.journal.contract import Resealed, Row
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.rotation import Rotation
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.seal import KeyMissing, SealBroken
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import LONG, World, seal, sweeping
from tests.world.journal import Unsteady
from tests.world.provider import AGAIN, APPROVED

BOTH = {"k2": b"n"}


@pytest.fixture
async def old(start: Start) -> World:
    """Give a host that does not know the new key."""
    return await start(terms=LONG)


@pytest.fixture
async def new(start: Start) -> World:
    """Give a host on the same journal that seals under the new key."""
    return await start(terms=LONG, more=BOTH, active="k2")


async def owing(world: World) -> str:
    """Leave a reversal owed, sealed under this host's key."""
    entry = await world.begin(world.redeem())
    world.script.reactions.append(AGAIN)
    assert (await world.reverse(entry)).state is State.REVERSING
    return entry.transaction_id


async def row_of(journal: Unsteady, transaction_id: str) -> Row:
    """Return a row as it stands."""
    row = await journal.get(transaction_id)
    assert row is not None
    return row


async def test_a_host_claims_nothing_it_cannot_open(journal: Unsteady, old: World, new: World) -> None:
    """A due reversal under a key that a host lacks is left to the host that has it, and is not late."""
    theirs, mine = await owing(new), await owing(old)
    before = await row_of(journal, theirs)
    async with sweeping(old):
        await asyncio.sleep(30)
    assert (await old.entry(mine)).state is State.REVERSED
    assert await row_of(journal, theirs) == before
    assert not old.heard.faults
    async with sweeping(old, new):
        await asyncio.sleep(0.01)
    assert (await new.entry(theirs)).state is State.REVERSED


async def test_a_rotation_makes_no_reversal_late(journal: Unsteady, old: World, new: World) -> None:
    """While one of two hosts lacks the new key, what is sealed under it is delivered the moment it is due."""
    theirs = [await owing(new) for _ in range(8)]
    due = {one: (await row_of(journal, one)).due_at for one in theirs}
    async with sweeping(old, new):
        await asyncio.sleep(60)
    late_s = []
    for one in theirs:
        entry, due_at = await new.entry(one), due[one]
        assert (entry.state, due_at is not None) == (State.REVERSED, True)
        assert due_at is not None
        late_s.append((entry.tried[-1].at - due_at).total_seconds())
    assert max(late_s) < 0.1, late_s


async def test_a_call_about_it_says_so(old: World, new: World) -> None:
    """Such a transaction answers with the reason and the key's id, whatever is asked, and nothing is sent."""
    theirs = await new.begin(new.redeem())
    sent = len(old.script.advices)
    with pytest.raises(SealKeyMissing) as told:
        await old.transactions.get(theirs.transaction_id, by=LOCAL)
    assert told.value.metadata == {"transaction_id": theirs.transaction_id, "key_id": "k2"}
    for call in (old.confirm, old.reverse):
        with pytest.raises(SealKeyMissing):
            await call(theirs)
    assert theirs.ask is not None
    with pytest.raises(SealKeyMissing):
        await old.transactions.begin(old.redeem(theirs.transaction_id), wait_s=1, by=LOCAL)
    assert len(old.script.advices) == sent
    assert {(place, type(fault)) for place, fault in old.heard.faults} == {("seal", KeyMissing)}
    assert (await old.begin(old.redeem())).state is State.APPROVED


async def test_missing_keys_are_counted(old: World, new: World) -> None:
    """Each host knows how many open transactions it cannot open, by the key that it lacks."""
    assert not await old.records.missing()
    await new.begin(new.redeem())
    await owing(new)
    await old.begin(old.redeem())
    assert await old.records.missing() == {"k2": 2}
    assert not await new.records.missing()


async def test_an_event_waits_for_the_host_that_has_its_key(old: World, new: World) -> None:
    """An event that a host cannot open, or whose transaction it cannot, is not given up, however old."""
    theirs = await new.begin(new.redeem())
    sealed_new = await new.tell(theirs.transaction_id)
    sealed_old = await old.tell(theirs.transaction_id)
    await asyncio.sleep(3600)
    await old.events.carry_over()
    assert set(await old.waiting()) == {sealed_new, sealed_old}
    await new.events.carry_over()
    assert not await new.waiting()


async def test_an_event_never_writes_over_what_cannot_be_opened(
    journal: Unsteady, old: World, new: World
) -> None:
    """An event that names a transaction by the provider's id leaves it as it is where it cannot be opened."""
    new.script.reactions.append(msgspec.structs.replace(APPROVED, references={"order": "o-1"}))
    theirs = await new.begin(new.redeem())
    new.script.reactions.append(AGAIN)
    assert (await new.reverse(theirs)).state is State.REVERSING
    before = await row_of(journal, theirs.transaction_id)
    event_id = await old.tell(references={"order": "o-1"})
    await old.events.carry_over()
    assert await row_of(journal, theirs.transaction_id) == before
    assert await old.waiting() == [event_id]


@pytest.mark.parametrize("claims", [0, 2])
async def test_an_older_document_put_back_is_found(journal: Unsteady, old: World, claims: int) -> None:
    """Of a row whose older document was put back nothing is shown, sent or written, claimed or not."""
    transaction_id = await owing(old)
    first = await row_of(journal, transaction_id)
    assert await old.records.write(await old.entry(transaction_id)) is not None
    put_back = msgspec.structs.replace(await row_of(journal, transaction_id), document=first.document)
    assert _replace(journal, put_back) == 1
    for _ in range(claims):
        _sql(journal, "UPDATE transactions SET version = version + 1, fence = fence + 1")
    with pytest.raises(RecordAltered):
        await old.transactions.get(transaction_id, by=LOCAL)
    async with sweeping(old):
        await asyncio.sleep(3)
    after = await row_of(journal, transaction_id)
    assert (after.state, after.document) == ("REVERSING", first.document)
    assert {type(fault) for _, fault in old.heard.faults} == {SealBroken}


async def test_a_claimed_row_opens(journal: Unsteady, old: World) -> None:
    """Claims write no document, and what was sealed before them opens all the same."""
    transaction_id = await owing(old)
    for _ in range(3):
        _sql(journal, "UPDATE transactions SET version = version + 1, fence = fence + 1")
        assert (await old.entry(transaction_id)).state is State.REVERSING


def _replace(journal: Unsteady, row: Row) -> int:
    return _sql(
        journal,
        "UPDATE transactions SET document = ? WHERE transaction_id = ?",
        row.document,
        row.transaction_id,
    )


def _sql(journal: Unsteady, statement: str, *arguments: object) -> int:
    """Do to the database what the journal would not; return how many rows it touched."""
    return journal._connections[0].execute(statement, arguments).rowcount  # noqa: SLF001 - as a stranger would


async def test_rotation_lets_a_key_go(journal: Unsteady, old: World) -> None:
    """A rotation seals all anew but what is in work, and then a host without the old key opens it."""
    ids = [await owing(old) for _ in range(3)]
    await old.tell(ids[0])
    rotation = Rotation(journal, seal(old.clock, more=BOTH, active="k2"), old.clock.now)
    first = await rotation.round(_ignore)
    assert (first.resealed, first.in_work) == (1, 3)
    await asyncio.sleep(11)
    before = [await row_of(journal, one) for one in ids]
    done = await rotation.round(_ignore)
    assert (done.resealed, done.in_work, done.missing, done.altered) == (3, 0, 0, [])
    after = [await row_of(journal, one) for one in ids]
    assert [msgspec.structs.replace(one, document=b"") for one in after] == [
        msgspec.structs.replace(one, document=b"") for one in before
    ]
    only_new = Records(journal, seal(old.clock, key=b"z", more=BOTH, active="k2"))
    assert not await only_new.missing()
    for one in ids:
        assert await only_new.get(one) is not None
    assert {sealed.head[2:] for sealed in await journal.seals()} == {b"k2"}
    assert (await rotation.round(_ignore)).resealed == 0


async def test_damage_under_the_active_key_is_told(journal: Unsteady, old: World) -> None:
    """What is sealed under the active key already is opened too: damage there is named, and left."""
    altered, whole = await owing(old), await owing(old)
    row = await row_of(journal, altered)
    _replace(journal, msgspec.structs.replace(row, document=row.document[:-1] + b"x"))
    await old.tell(whole)
    _sql(journal, "UPDATE events SET document = substr(document, 1, 40), event_id = 'e 6045120000000017'")
    done = await Rotation(journal, seal(old.clock), old.clock.now).round(_ignore)
    assert (done.resealed, done.altered) == (0, [f"transaction {altered}", "event first/e ***"])


async def test_rotation_does_not_stop_who_drives(journal: Unsteady, old: World, new: World) -> None:
    """A process that read an entry before a rotation writes it after, and its write stands."""
    transaction_id = await owing(new)
    entry = await new.entry(transaction_id)
    await asyncio.sleep(11)
    back = Rotation(journal, seal(old.clock, more=BOTH, active="k1"), old.clock.now)
    assert (await back.round(_ignore)).resealed == 1
    assert (await old.entry(transaction_id)) == entry
    assert await new.records.write(entry) is not None


async def test_rotation_loses_to_a_write(journal: Unsteady, old: World) -> None:
    """A document that was written while it was sealed anew stays as it was written."""
    transaction_id = await owing(old)
    read = await row_of(journal, transaction_id)
    assert await old.records.write(await old.entry(transaction_id)) is not None
    written = await row_of(journal, transaction_id)
    assert await journal.reseal([_resealed(read)]) == 0
    assert await row_of(journal, transaction_id) == written


async def test_rotation_leaves_what_it_cannot_open(journal: Unsteady, old: World, new: World) -> None:
    """What is under a key that is not there, or was altered, is counted and left as it is."""
    theirs, altered = await owing(new), await owing(old)
    row = await row_of(journal, altered)
    _replace(journal, msgspec.structs.replace(row, document=row.document[:-1] + b"x"))
    await asyncio.sleep(11)
    before = [await row_of(journal, one) for one in (theirs, altered)]
    only_old = Rotation(journal, seal(old.clock, more={"k3": b"3"}, active="k3"), old.clock.now)
    done = await only_old.round(_ignore)
    assert (done.resealed, done.missing, done.altered) == (0, 1, [f"transaction {altered}"])
    assert [await row_of(journal, one) for one in (theirs, altered)] == before


def _resealed(row: Row) -> Resealed:
    return Resealed(row=row, document=b"\x02\x02k2 anything")


def _ignore(_: int) -> None:
    """Do nothing: nobody looks at the progress."""
