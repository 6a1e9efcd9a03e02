"""Whatever text a provider sends, no card number in it stands readable in a database (rule 16)."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import asyncpg
import msgspec
import pytest

from giftcard_adapters.codec import pack
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import EventRow, Journal
from giftcard_gateway.journal.event_names import HIDDEN, UNNAMED, harmless
from giftcard_gateway.journal.places import place_of_event
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.rotation import Rotation
from giftcard_gateway.pipeline.driver import Driver
from giftcard_gateway.pipeline.events import Events
from giftcard_gateway.providers.connections import Connection, Terms
from giftcard_gateway.seal import HashKey
from tests.journal.places import File, Place
from tests.journal.test_hash_keys import redeemed
from tests.world.gateway import seal
from tests.world.observer import Heard
from tests.world.provider import Herald

NUMBER = "6045990011223344"
SPELLED = ("6045-9900-1122-3344", "6045.9900.1122.3344", "6045 9900 1122 3344")
TEXTS = (NUMBER, *SPELLED, f"card.{NUMBER}.redeemed", f"evt_{NUMBER}", f"x{NUMBER}", f"{NUMBER}\u00e9")


async def everything(place: Place) -> str:
    """Return all that a database keeps, as a thief of its files or of a dump reads it."""
    if isinstance(place, File):
        files = [Path(f"{place.path}{suffix}") for suffix in ("", "-wal", "-shm")]
        return "".join(one.read_bytes().decode("latin-1") for one in files if one.exists())
    session = await asyncpg.connect(place.url)
    try:
        await session.execute("SET bytea_output = 'escape'")
        tables = await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [
            str(row[0])
            for (table,) in tables
            for row in await session.fetch(f"SELECT kept::text FROM {table} AS kept")  # noqa: S608 - its own name
        ]
    finally:
        await session.close()
    return "\n".join(rows)


def events_of(journal: Journal, **keys: object) -> tuple[Events, Connection]:
    """Return what takes events in, and a provider whose events are taken as they are."""
    clock = SystemClock()
    sealed = seal(clock, **keys)  # type: ignore[arg-type]  # as `seal` takes them
    events = Events(
        records=Records(journal, sealed),
        seal=sealed,
        driver=cast("Driver", None),
        clock=clock,
        observer=Heard(clock),
    )
    return events, Connection("first", Herald.open(clock), Terms(), clock)


def webhook(*told: ProviderEvent) -> Webhook:
    """Return what brings events."""
    return Webhook(headers={}, body=pack(told), received_at=SystemClock().now())


async def test_no_text_of_a_providers_is_readable(place: Place) -> None:
    """A number in an event's name, id or facts, or in an answer's code, text or references, is nowhere."""
    journal = place.journal()
    await journal.start()
    events, connection = events_of(journal)
    for text in TEXTS:
        told = ProviderEvent(
            event_id=text,
            name=text,
            references={"order": text},
            attributes={"status": text},
            outcome=Outcome(verdict=Verdict.UNKNOWN, evidence=text, references={"order": text}),
            secrets={"body": Secret(text)},
        )
        assert await events.receive(connection, webhook(told)) == 1
    records = Records(journal, seal(SystemClock()))
    for place_, text in enumerate(TEXTS):
        decline = Decline(reason=DeclineReason.PROVIDER_REFUSED, provider_code=text, provider_text=text)
        outcome = Outcome(
            verdict=Verdict.DECLINED, decline=decline, evidence=text, references={"order": text, text: text}
        )
        entry = msgspec.structs.replace(
            redeemed(place_), outcome=outcome, refusal=decline, evidence=text, provider="first"
        )
        assert await records.open(entry) is None
    kept = await everything(place)
    assert UNNAMED in kept
    for spelled in (NUMBER, *SPELLED):
        assert spelled not in kept
        assert spelled.encode().hex() not in kept
    await journal.close()


async def test_a_hidden_id_is_known_again(journal: Journal) -> None:
    """An event with a number in its id is one, also under the next hash key and however it was kept."""
    told = ProviderEvent(event_id=f"evt-{NUMBER}", name="card.redeemed")
    old, connection = events_of(journal, hashes={"second": b"n"})
    new, _ = events_of(journal, hashes={"second": b"n"}, hash_active="second")
    assert await old.receive(connection, webhook(told)) == 1
    for events in (old, new):
        assert await events.receive(connection, webhook(told)) == 0
    (row,) = await journal.events(after="", limit=9)
    assert row.event_id.startswith(HIDDEN)
    event = old.open(row)
    assert (event.event_id, event.name) == (row.event_id, "card.redeemed")
    assert event.secrets["event_id"].reveal() == told.event_id
    raw = msgspec.structs.replace(row, event_id=f"evt-{NUMBER}9", cursor="")
    assert await journal.add_event(raw)
    again = msgspec.structs.replace(told, event_id=raw.event_id)
    assert await new.receive(connection, webhook(again)) == 0


async def test_events_of_older_releases_are_hidden_too(place: Place) -> None:
    """`seal rotate` hides what an older release left in columns of events; each is one still, and told."""
    journal = place.journal()
    await journal.start()
    events, connection = events_of(journal)
    sealed, now = seal(SystemClock()), SystemClock().now()
    told = [ProviderEvent(event_id=f"evt-{text}", name=text) for text in TEXTS]
    quiet = ProviderEvent(event_id="e-1", name="card.redeemed")
    for one in (*told, quiet):
        row = EventRow(
            provider="first",
            event_id=one.event_id,
            name=one.name,
            received_at=now,
            document=b"",
            applied=True,
        )
        document = sealed.close(pack(one), place_of_event(row))
        assert await journal.add_event(msgspec.structs.replace(row, document=document))
    rotation = Rotation(journal, sealed, SystemClock().now)
    assert (await rotation.round(lambda _: None)).resealed == len(told)
    assert (await rotation.round(lambda _: None)).resealed == 0
    rows = await journal.events(after="", limit=99)
    assert [row.name for row in rows] == [*([UNNAMED] * len(told)), "card.redeemed"]
    assert [events.open(row).secrets["event_id"].reveal() for row in rows[:-1]] == [
        one.event_id for one in told
    ]
    assert await events.receive(connection, webhook(*told, quiet)) == 0
    await journal.close()


async def test_an_event_keeps_its_id_where_another_has_the_hidden_one(journal: Journal) -> None:
    """Nothing is overwritten: it is counted as left, and the other events are hidden."""
    sealed, now = seal(SystemClock()), SystemClock().now()
    told = ProviderEvent(event_id=f"evt-{NUMBER}", name="card.redeemed")
    for one in (told, harmless(told, "first", sealed.hash_key)):
        row = EventRow(provider="first", event_id=one.event_id, name=one.name, received_at=now, document=b"")
        document = sealed.close(pack(one), place_of_event(row))
        assert await journal.add_event(msgspec.structs.replace(row, document=document))
    done = await Rotation(journal, sealed, SystemClock().now).round(lambda _: None)
    assert (done.resealed, done.in_work) == (0, 1)
    assert len(await journal.events(after="", limit=9)) == 2


@pytest.mark.parametrize(
    "name",
    ["card.redeemed", "payment-method.updated.v2", "PAY_GIFT_BATCH", "eCardCreated", "gift:card/issued"],
)
@pytest.mark.parametrize("event_id", ["0e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e11", "evt_9f", "PAY:b9:PAID", "42"])
def test_what_providers_document_stays(name: str, event_id: str) -> None:
    """A name of words, and an id without a long number, are kept as they are."""
    event = ProviderEvent(event_id=event_id, name=name)
    assert harmless(event, "first", HashKey("first", b"h" * 32)) is event


@pytest.mark.parametrize("name", ["", "two words", "card.60459900", "caf\u00e9", "a" * 33, "x\ny", *TEXTS])
def test_any_other_name_is_replaced(name: str) -> None:
    """What is no token is told by a neutral name; the provider's own is kept sealed, if it has one."""
    kept = harmless(ProviderEvent(event_id="e", name=name), "first", HashKey("first", b"h" * 32))
    assert (kept.event_id, kept.name) == ("e", UNNAMED)
    assert [one.reveal() for one in kept.secrets.values()] == ([name] if name else [])
