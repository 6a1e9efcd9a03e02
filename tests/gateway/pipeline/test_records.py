"""Entries in and out of a journal: sealed, found by keyed hash, and never mistaken for one another."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Redeem, Transfer
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.point_of_sale import Merchant, PointOfSale
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.errors import RecordAltered
from giftcard_gateway.journal.contract import JournalClosed, Row, RowQuery
from giftcard_gateway.journal.microseconds import from_us, to_us
from giftcard_gateway.journal.records import InDoubt, Records
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import Entry, State
from tests.world.clock import VirtualClock
from tests.world.gateway import seal
from tests.world.journal import Unsteady
from tests.world.provider import NUMBER

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = T0 + timedelta(seconds=45)
PIN, KEY = "4929", "CODE-OF-A-NEW-CARD"
ID = "0e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e11"
OTHER_ID = "1e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e12"
ISSUED = IssuedCard(
    redemption_key=Secret(KEY), redemption_url=Secret(f"https://x/{KEY}"), provider_card_id="p-1"
)


@pytest.fixture
def records(clock: VirtualClock, journal: Unsteady) -> Records:
    """Give the records of an empty journal."""
    return Records(journal, seal(clock))


def redeemed(transaction_id: str = ID, provider: str = "first") -> Entry:
    """Return the entry of a redemption with a PIN."""
    card = CardRef(number=Secret(NUMBER), pin=ClearPin(pin=Secret(PIN)))
    ask = Redeem(transaction_id=transaction_id, requested_at=T0, card=card, amount=Money("ZAR", 1))
    return lifecycle.intend(
        ask, provider, driver="one", lease_until=LEASE, traceparent="", tenant="default", asked_by=""
    )


def issued(transaction_id: str = ID, provider: str = "first") -> Entry:
    """Return the entry of an issue that is approved, with its card and the provider's ids."""
    ask = Issue(transaction_id=transaction_id, requested_at=T0, amount=Money("ZAR", 1))
    entry = lifecycle.intend(
        ask, provider, driver="one", lease_until=LEASE, traceparent="", tenant="default", asked_by=""
    )
    outcome = Outcome(
        verdict=Verdict.APPROVED, approved=ask.amount, issued_cards=(ISSUED,), references={"order": "o-1"}
    )
    return lifecycle.answered(entry, outcome, confirm_by=LEASE, at=T0)


async def test_what_is_kept_comes_back(records: Records) -> None:
    """An entry comes back as it was written, secrets and all; a second one under its id does not get in."""
    entry = redeemed()
    assert await records.open(entry) is None
    assert await records.get(ID) == entry
    assert await records.open(issued()) == entry
    assert await records.get(OTHER_ID) is None


async def test_what_was_asked_finds_the_transaction(journal: Unsteady, records: Records) -> None:
    """Card, external reference, merchant, terminal and every label find it; later writes add none of them."""
    till = PointOfSale(merchant=Merchant(merchant_id="M1"), terminal_id="T1")
    labels = {f"key-{number}": "value" for number in range(32)}
    entry = redeemed()
    assert entry.ask is not None
    ask = msgspec.structs.replace(entry.ask, point_of_sale=till, external_reference="order-1", labels=labels)
    entry = msgspec.structs.replace(entry, ask=ask)
    indexes = records.indexes
    found = {
        indexes.external_reference("default", "order-1"),
        indexes.merchant("default", "M1"),
        indexes.terminal("default", "T1"),
        *(indexes.label("default", label) for label in labels.items()),
        *indexes.cards_of(entry),
    }
    assert set(indexes.all_of(entry)) == found
    assert len(found) == 36
    assert not list(indexes.told_of(entry))
    await records.open(entry)
    for index in found:
        assert [row.transaction_id for row in await journal.list(RowQuery(blind_indexes=(index,)))] == [ID]
    assert not await journal.list(RowQuery(blind_indexes=(indexes.label("default", ("key-1", "other")),)))


async def test_nothing_of_a_card_is_readable_in_the_journal(journal: Unsteady, records: Records) -> None:
    """Neither number, PIN, key nor URL stands in any column, nor any plain hash of them (rule 16)."""
    await records.open(redeemed())
    await records.open(issued(OTHER_ID))
    for row in await journal.list(RowQuery()):
        told = repr(row).encode() + row.document
        for secret in (NUMBER, NUMBER[:12], PIN, KEY):
            assert secret.encode() not in told


async def test_one_lost_key_hides_no_other_row(
    clock: VirtualClock, journal: Unsteady, records: Records
) -> None:
    """A row that cannot be opened is listed by what its columns say, with the reason, among the others."""
    await records.open(redeemed())
    strange = Records(journal, seal(clock, key=b"x"))
    await strange.open(redeemed(OTHER_ID))
    told: list[str] = []
    records.on_unreadable = lambda transaction_id, _: told.append(transaction_id)
    listed = {entry.transaction_id: entry for entry in await records.list(RowQuery())}
    assert listed.keys() == {ID, OTHER_ID}
    assert (listed[OTHER_ID].state, listed[OTHER_ID].ask) == (State.PENDING, None)
    assert "left alone" in listed[OTHER_ID].evidence
    assert await records.show(ID) == listed[ID]
    assert told == [OTHER_ID]


async def test_rows_cannot_be_swapped(clock: VirtualClock, journal: Unsteady, records: Records) -> None:
    """A document moved to another row, or sealed under a key that is not ours, does not open."""
    await records.open(redeemed())
    await records.open(redeemed(OTHER_ID))
    row, other = await journal.get(ID), await journal.get(OTHER_ID)
    assert isinstance(row, Row)
    assert isinstance(other, Row)
    swapped = msgspec.structs.replace(row, version=2, document=other.document)
    assert await journal.write(swapped)
    with pytest.raises(RecordAltered):
        await records.get(ID)
    with pytest.raises(RecordAltered):
        await Records(journal, seal(clock, key=b"x")).get(OTHER_ID)


async def test_only_one_of_two_writers_wins(records: Records) -> None:
    """Of two writes over the same version one is taken and the other hears that it was not (rule 14)."""
    entry = redeemed()
    await records.open(entry)
    mine = lifecycle.hold(entry, lease_until=LEASE + timedelta(seconds=1))
    theirs = lifecycle.give_up(entry, "nobody knows", T0)
    written = await records.write(theirs)
    assert written == msgspec.structs.replace(theirs, version=2)
    assert await records.write(mine) is None
    assert await records.get(ID) == written


async def test_sweep_hears_of_what_nobody_drives(records: Records) -> None:
    """Whoever listens hears when an entry becomes due that nobody drives, and of nothing else."""
    heard: list[datetime] = []
    records.on_due = heard.append
    entry = redeemed()
    await records.open(entry)
    held = await records.write(lifecycle.hold(entry, lease_until=LEASE))
    assert held is not None
    assert not heard
    late = lifecycle.postpone(held, due_at=LEASE, evidence="", at=T0)
    let_go = await records.write(late)
    assert let_go is not None
    assert heard == [LEASE]
    assert await records.write(late) is None
    ended = await records.write(lifecycle.give_up(let_go, "nobody knows", T0))
    assert ended is not None
    assert heard == [LEASE]


async def test_claim_overrides_what_the_document_says(records: Records) -> None:
    """A claimed entry is in the claimer's hand, one fence higher, whatever the sealed document says."""
    await records.open(redeemed())
    later = LEASE + timedelta(seconds=45)
    assert not await records.claim(
        now=T0, lease_until=later, driver="two", limit=9, provider="first", states=["PENDING"]
    )
    (claimed,) = await records.claim(
        now=LEASE, lease_until=later, driver="two", limit=9, provider="first", states=["PENDING"]
    )
    assert (claimed.driver, claimed.fence, claimed.version, claimed.due_at) == ("two", 2, 2, later)
    assert await records.get(ID) == claimed


async def test_found_by_card_whatever_role_it_played(records: Records) -> None:
    """A card finds every transaction it was asked about in, both cards of two, and the issue that made it."""
    other = CardRef(stored_card_id="s-1")
    ask = Transfer(
        transaction_id=OTHER_ID,
        requested_at=T0,
        source_card=CardRef(number=Secret(NUMBER)),
        target_card=other,
    )
    await records.open(redeemed())
    await records.open(
        lifecycle.intend(
            ask, "first", driver="", lease_until=LEASE, traceparent="", tenant="default", asked_by=""
        )
    )

    async def found(card: CardRef) -> set[str]:
        query = RowQuery(blind_indexes=(records.indexes.card(card),))
        return {entry.transaction_id for entry in await records.list(query)}

    assert await found(CardRef(number=Secret(NUMBER), expiry="3012")) == {ID, OTHER_ID}
    assert await found(other) == {OTHER_ID}
    assert not await found(CardRef(provider_card_id="s-1"))
    assert records.indexes.cards_of(redeemed()) == {records.indexes.card(CardRef(number=Secret(NUMBER)))}


async def test_found_by_what_was_learnt_later(records: Records) -> None:
    """Ids and cards that an answer told find the transaction from then on, at its own provider only."""
    entry = issued()
    first = msgspec.structs.replace(entry, outcome=None, state=State.PENDING)
    await records.open(first)
    assert not await records.by_reference("first", [("order", "o-1")])
    assert not await records.by_issued("first", [ISSUED])
    written = await records.write(entry)
    for card in (
        IssuedCard(redemption_key=Secret(KEY)),
        IssuedCard(provider_card_id="p-1", number=Secret(NUMBER)),
    ):
        assert await records.by_issued("first", [card]) == [written]
        assert not await records.by_issued("second", [card])
    assert await records.by_reference("first", [("order", "o-1")]) == [written]
    assert not await records.by_reference("second", [("order", "o-1")])
    assert not await records.by_reference("first", [("batch", "o-1"), ("orde", "r\0o-1")])


async def test_card_asked_about_is_no_card_issued(records: Records) -> None:
    """A redemption of a number is not the issue of it, however alike they are found."""
    await records.open(redeemed())
    assert not await records.by_issued("first", [IssuedCard(number=Secret(NUMBER))])


async def test_blind_indexes_are_keyed(clock: VirtualClock, journal: Unsteady, records: Records) -> None:
    """Without the hash key nobody can tell which rows a card is in."""
    card = CardRef(number=Secret(NUMBER))
    stranger = Records(journal, seal(clock, hash_key=b"x"))
    assert records.indexes.card(card) == Records(journal, seal(clock)).indexes.card(card)
    assert records.indexes.card(card) != stranger.indexes.card(card)
    await asyncio.sleep(0)


async def test_open_in_doubt_knows_its_own_row(journal: Unsteady, records: Records) -> None:
    """An open that was not answered hands back its row, which is told from any other and from later ones."""
    entry, opened = redeemed(), journal.open

    async def lose(row: Row) -> Row | None:
        await opened(row)
        raise JournalClosed("gone")

    journal.open = lose  # type: ignore[method-assign]  # the lost answer is the subject
    with pytest.raises(InDoubt) as doubt:
        await records.open(entry)
    with pytest.raises(InDoubt) as other:
        await records.open(entry)
    assert await records.holds(doubt.value.row)
    assert not await records.holds(other.value.row)
    await records.write(lifecycle.hold(entry, lease_until=LEASE))
    assert not await records.holds(doubt.value.row)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_times_are_exact(at: datetime) -> None:
    """A time survives the journal to the microsecond."""
    assert from_us(to_us(at)) == at
