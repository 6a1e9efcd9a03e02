"""Card numbers are erased when they were kept long enough, on each database, and all else goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from giftcard_adapters.codec import pack
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import AnyOperation, Issue, Redeem
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import TransactionIdReused
from giftcard_gateway.journal.contract import Journal, RowQuery
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.rotation import Rotation
from giftcard_gateway.ledger.entry import FINAL, Entry, State
from giftcard_gateway.ledger.erasing import without_pins
from giftcard_gateway.ledger.idempotency import first_difference
from giftcard_gateway.pipeline.retention import Retention
from giftcard_gateway.seal import KEY_BYTES, Seal
from giftcard_gateway.wire.transactions import transaction_to
from tests.world.clock import ShiftedClock
from tests.world.gateway import World, build, seal

NUMBER, OTHER, CODE, URL = (
    "6045120000000017",
    "6045120000000025",
    "KQ7F-93XM-2B4C",
    "https://gift.example/r/Zx81kQ",
)
ALIKE = "6045129990000017"
"""Another number that is shown as the first one is."""
PIN = "739104826573"
"""So long that no id or hash that is drawn has it by chance."""
KEEPS = timedelta(days=30)
ISSUED = Outcome(
    verdict=Verdict.APPROVED,
    approved=Money("ZAR", 100),
    issued_cards=(
        IssuedCard(
            number=Secret(OTHER),
            pin=Secret(PIN),
            redemption_key=Secret(CODE),
            redemption_url=Secret(URL),
            barcode=Secret(OTHER + "99"),
        ),
    ),
    references={"echo": f"card {OTHER[:4]} {OTHER[4:8]} {OTHER[8:12]} {OTHER[12:]}", "order": "o-1"},
)
SECRETS = (NUMBER, OTHER, CODE, URL)


@pytest.fixture
def clock() -> ShiftedClock:
    """Give a clock that can be put forward."""
    return ShiftedClock()


@pytest.fixture
async def world(journal: Journal, clock: ShiftedClock) -> World:
    """Give a process that keeps card numbers for thirty days."""
    return build(clock, journal, keeps_numbers=KEEPS)


def redemption(world: World, card: CardRef | None = None) -> Redeem:
    """Return a redemption of a card with a PIN."""
    card = card or CardRef(number=Secret(NUMBER), pin=ClearPin(pin=Secret(PIN)), expiry="3012")
    return msgspec.structs.replace(world.redeem(), card=card)


async def ended(world: World, ask: AnyOperation) -> Entry:
    """Return a transaction that was asked for and confirmed."""
    return await world.confirm(await world.begin(ask))


async def pass_over(world: World) -> int:
    """Erase what is due, and return how many documents that was."""
    return (await retention(world).round()).erased


def retention(world: World) -> Retention:
    """Return what erases."""
    assert world.pipeline.retention is not None
    return world.pipeline.retention


async def issued(world: World) -> Entry:
    """Return an issue that ended."""
    ask = Issue(transaction_id=world.clock.uuid4(), requested_at=world.clock.now(), amount=Money("ZAR", 100))
    world.script.reactions.append(ISSUED)
    return await ended(world, ask)


async def found(world: World, number: str) -> list[str]:
    """Return the transactions that a card number finds."""
    card = CardRef(number=Secret(number))
    wanted = tuple(indexes.card(card) for indexes in world.records.lookups)
    return [one.transaction_id for one in await world.records.list(RowQuery(blind_indexes=wanted))]


async def test_numbers_go_when_their_time_is_over(world: World, clock: ShiftedClock) -> None:
    """A day before nothing is erased; then numbers, codes, links and their echoes are, and nothing else."""
    asked, made = await ended(world, redemption(world)), await issued(world)
    before = {one.transaction_id: transaction_to(one) for one in (asked, made)}
    clock.skip(days=29)
    assert await pass_over(world) == 0
    clock.skip(days=2)
    assert await pass_over(world) == 2
    assert await pass_over(world) == 0
    for one in (asked, made):
        left = await world.entry(one.transaction_id)
        kept = pack(left).decode("latin-1")
        assert [secret for secret in SECRETS if secret in kept] == []
        assert PIN not in kept
        assert (left.state, left.version, left.updated_at) == (State.CONFIRMED, one.version, one.updated_at)
        told = transaction_to(left, reveal=True)
        assert told.card_number_erase_time.ToDatetime(tzinfo=clock.now().tzinfo) == left.numbers_erased_at
        told.ClearField("card_number_erase_time")
        was = before[one.transaction_id]
        was.provider_references.pop("echo", None)
        told.provider_references.pop("echo", None)
        assert told == was


async def test_what_is_not_final_keeps_its_number(world: World, clock: ShiftedClock) -> None:
    """However old, a transaction that may still need an advice keeps its card; its end starts the time."""
    open_ = await world.begin(redemption(world))
    clock.skip(days=90)
    assert await pass_over(world) == 0
    assert (await retention(world).everything(_ignore)).erased == 0
    kept = await world.entry(open_.transaction_id)
    assert kept.ask is not None
    assert kept.ask.cards[0].number == Secret(NUMBER)
    ended_ = await world.reverse(open_)
    assert ended_.state in FINAL
    assert await pass_over(world) == 0
    clock.skip(days=30, seconds=1)
    assert await pass_over(world) == 1


@pytest.mark.parametrize("card", [CardRef(number=Secret(NUMBER)), CardRef(redemption_key=Secret(CODE))])
async def test_a_repeat_is_known_without_the_number(world: World, clock: ShiftedClock, card: CardRef) -> None:
    """The same request is a repeat, also with its PIN; with another card that looks alike it is refused."""
    ask = redemption(world, msgspec.structs.replace(card, pin=ClearPin(pin=Secret(PIN))))
    await ended(world, ask)
    clock.skip(days=60)
    assert await pass_over(world) == 1
    again = await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    assert (again.is_replayed, again.entry.state) == (True, State.CONFIRMED)
    assert len(world.script.requests) == 1
    alike = CardRef(number=Secret(ALIKE))
    strange = CardRef(stored_card_id="vault-1")
    for other in (alike, strange):
        with pytest.raises(TransactionIdReused) as refused:
            await world.transactions.begin(msgspec.structs.replace(ask, card=other), wait_s=1, by=LOCAL)
        assert refused.value.metadata["field"].startswith("card.")
    with pytest.raises(TransactionIdReused):
        await world.transactions.begin(
            msgspec.structs.replace(ask, amount=Money("ZAR", 1)), wait_s=1, by=LOCAL
        )


async def test_a_card_still_finds_its_history(world: World, clock: ShiftedClock) -> None:
    """After its number is gone a card finds what it was asked about and the issue that made it."""
    asked, made = await ended(world, redemption(world)), await issued(world)
    clock.skip(days=60)
    assert await pass_over(world) == 2
    assert await found(world, NUMBER) == [asked.transaction_id]
    assert await found(world, OTHER) == [made.transaction_id]
    cards = ISSUED.issued_cards
    assert [one.transaction_id for one in await world.records.by_issued("first", cards)] == [
        made.transaction_id
    ]


async def test_a_new_hash_key_ends_that(journal: Journal, world: World, clock: ShiftedClock) -> None:
    """A card finds no more what was erased under the old key, which goes; repeats are known all the same."""
    ask = redemption(world)
    asked = await ended(world, ask)
    clock.skip(days=60)
    assert await pass_over(world) == 1
    ring: dict[str, Any] = {"hashes": {"second": b"n"}, "hash_active": "second"}
    rotation = Rotation(journal, seal(clock, **ring), clock.now, marks_numbers=True)
    assert (await rotation.round(_ignore)).resealed == 1
    assert await journal.indexed() == {"second": 1}
    later = build(clock, journal, name="later", keeps_numbers=KEEPS, **ring)
    assert await found(later, NUMBER) == []
    again = await later.transactions.begin(ask, wait_s=1, by=LOCAL)
    assert (again.is_replayed, again.entry.transaction_id) == (True, asked.transaction_id)
    other = msgspec.structs.replace(ask, card=msgspec.structs.replace(ask.card, number=Secret(ALIKE)))
    with pytest.raises(TransactionIdReused):
        await later.transactions.begin(other, wait_s=1, by=LOCAL)


async def test_without_the_hash_key_numbers_are_known_by_their_looks(
    journal: Journal, world: World, clock: ShiftedClock
) -> None:
    """When the hash key of the erasing is gone, numbers are the same that are shown the same."""
    entry = await ended(world, redemption(world))
    clock.skip(days=60)
    assert await pass_over(world) == 1
    kept = (await world.entry(entry.transaction_id)).ask
    assert kept is not None
    only_new = Seal(
        keys={"k1": b"k" * KEY_BYTES},
        active="k1",
        hash_keys={"second": b"n" * KEY_BYTES},
        hash_active="second",
        random_bytes=clock.random_bytes,
    )
    records = Records(journal, only_new)
    for number, is_same in ((NUMBER, True), (ALIKE, True), (OTHER, False)):
        ask = without_pins(redemption(world, CardRef(number=Secret(number), expiry="3012")))
        asked = msgspec.structs.replace(ask, transaction_id=kept.transaction_id)
        assert (first_difference(kept, records.as_kept(asked, kept)) is None) == is_same


async def test_a_rotation_leaves_the_mark(journal: Journal, world: World, clock: ShiftedClock) -> None:
    """What is indexed anew under the next hash key is erased in its time."""
    await ended(world, redemption(world))
    clock.skip(days=1)
    ring: dict[str, Any] = {"hashes": {"second": b"n"}, "hash_active": "second"}
    rotation = Rotation(journal, seal(clock, **ring), clock.now, marks_numbers=True)
    assert (await rotation.round(_ignore)).resealed == 1
    later = build(clock, journal, name="later", keeps_numbers=KEEPS, **ring)
    clock.skip(days=60)
    assert await pass_over(later) == 1


async def test_what_is_older_than_the_setting(journal: Journal, clock: ShiftedClock) -> None:
    """What was written while numbers were kept is found by no process, and erased by reading everything."""
    before = build(clock, journal)
    assert before.pipeline.retention is None
    entry = await ended(before, redemption(before))
    clock.skip(days=60)
    world = build(clock, journal, name="later", keeps_numbers=KEEPS)
    assert await pass_over(world) == 0
    looked_at: list[int] = []
    assert (await retention(world).everything(looked_at.append)).erased == 1
    assert sum(looked_at) == 1
    assert (await world.entry(entry.transaction_id)).numbers_erased_at is not None


async def test_events_lose_their_cards_too(journal: Journal, world: World, clock: ShiftedClock) -> None:
    """What an event tells of a card goes in the same time, and it goes on telling of its transaction."""
    made = await issued(world)
    event = ProviderEvent(
        event_id="e-1",
        name="card.issued",
        outcome=ISSUED,
        attributes={"text": f"made {OTHER}"},
        secrets={"body": Secret(f"all of {OTHER}")},
    )
    webhook = Webhook(headers={}, body=pack((event,)), received_at=clock.now())
    assert await world.events.receive(world.connections.get("first"), webhook) == 1
    await world.events.carry_over()
    clock.skip(days=60)
    assert await pass_over(world) == 2
    (row,) = await journal.events(after="", limit=9)
    left = world.events.open(row)
    kept = pack(left).decode("latin-1")
    assert [secret for secret in SECRETS if secret in kept] == []
    entry = await world.events.spoken_of("first", left)
    assert entry is not None
    assert entry.transaction_id == made.transaction_id
    assert await pass_over(world) == 0


async def test_an_event_that_waited_loses_its_card_in_the_end(world: World, clock: ShiftedClock) -> None:
    """One that could not be carried over in time is not passed by for good, though later ones are erased."""
    connection = world.connections.get("first")
    for number in (1, 2):
        event = ProviderEvent(
            event_id=f"e-{number}", name="card.used", secrets={"body": Secret(f"of {OTHER}")}
        )
        webhook = Webhook(headers={}, body=pack((event,)), received_at=clock.now())
        assert await world.events.receive(connection, webhook) == 1
    journal = world.records.journal
    await journal.mark_event_applied("first", "e-2")
    clock.skip(days=60)
    assert await pass_over(world) == 1
    assert await pass_over(world) == 0
    await journal.mark_event_applied("first", "e-1")
    assert await pass_over(world) == 1


async def test_what_cannot_be_opened_stays(journal: Journal, world: World, clock: ShiftedClock) -> None:
    """A row under a key that is not here is counted, told of, and left; the others are erased."""
    await ended(world, redemption(world))
    strange = build(clock, journal, name="strange", keeps_numbers=KEEPS, more={"k2": b"z"}, active="k2")
    await ended(strange, redemption(strange))
    clock.skip(days=60)
    done = await retention(world).round()
    assert (done.erased, done.unreadable) == (1, 1)


def _ignore(count: int) -> None:
    """Do nothing."""
