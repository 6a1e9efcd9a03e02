"""Where events come in and are carried over, in a world of scripted providers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from giftcard_adapters.codec import pack, unpacker
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.events import Events
from giftcard_gateway.providers.connections import Connection, Terms
from giftcard_gateway.seal import KEY_BYTES, Seal
from tests.gateway.pipeline.world import Scripted, World

_READ = unpacker(tuple[ProviderEvent, ...])
CARD_A, CARD_B, CARD_C = (IssuedCard(redemption_key=Secret(f"CODE-{name}-0001")) for name in "ABC")


class Herald(Scripted):
    """A provider whose events are ours, as they are packed."""

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Return the events of a body."""
        events: tuple[ProviderEvent, ...] = _READ.decode(webhook.body)
        return events


class Faults(Observer):
    """Keeps what went wrong."""

    def __init__(self) -> None:
        """Have heard of nothing."""
        self.heard: list[BaseException] = []

    def faulted(self, place: str, fault: BaseException) -> None:
        """Keep the fault."""
        assert place == "events"
        self.heard.append(fault)


class Desk:
    """Where events come in and are carried over, in one process of a world."""

    def __init__(self, world: World, key: bytes = b"k") -> None:
        """Serve the world's first provider."""
        self.world = world
        self.faults = Faults()
        seal = Seal(
            keys={"k1": key * KEY_BYTES},
            active="k1",
            hash_key=b"h" * KEY_BYTES,
            random_bytes=world.clock.random_bytes,
        )
        self.events = Events(
            records=world.records, seal=seal, driver=world.driver, clock=world.clock, observer=self.faults
        )
        first = world.connections.get("first").provider
        self.connection = Connection("first", Herald(first.settings, first.exchange), Terms(), world.clock)

    async def tell(
        self,
        transaction_id: str = "",
        outcome: Outcome | None = None,
        references: dict[str, str] | None = None,
    ) -> str:
        """Bring one event about a transaction and return its id."""
        event = ProviderEvent(
            event_id=self.world.clock.uuid4(),
            name="something.happened",
            transaction_id=transaction_id,
            outcome=outcome,
            references=references or {},
        )
        webhook = Webhook(headers={}, body=pack((event,)), received_at=self.world.clock.now())
        assert await self.events.receive(self.connection, webhook) == 1
        return event.event_id

    async def waiting(self) -> list[str]:
        """Return the events that still wait to be carried over."""
        return [row.event_id for row in await self.world.records.journal.unapplied_events(500)]


async def lost_issue(world: World, *cards: IssuedCard, quantity: int = 1) -> Entry:
    """Begin an issue whose outcome nobody knows yet, with the cards its answer named; nobody drives it."""
    ask = msgspec.structs.replace(world.issue(), quantity=quantity)
    unsure = Outcome(verdict=Verdict.UNKNOWN, issued_cards=cards, evidence="accepted")
    world.script.reactions.append(unsure)
    world.script.found.extend([unsure] * 1000)
    await world.transactions.begin(ask, wait_s=0.1)
    entry = await world.entry(ask.transaction_id)
    assert (entry.state, entry.driver) == (State.PENDING, "")
    return entry


def cards_of(entry: Entry) -> list[IssuedCard]:
    """Return the cards an entry knows."""
    return list(entry.outcome.issued_cards) if entry.outcome else []


def quiet(world: World) -> None:
    """Let nothing be found: the sweep's own tries change nothing."""
    world.script.found.clear()
