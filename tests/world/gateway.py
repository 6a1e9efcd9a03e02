"""A gateway in virtual time: the real pipeline over a real journal and two scripted providers.

The scripts say what the providers do with each request and each advice; everything else is the gateway as
it is, put together by the same function as in production.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from giftcard_adapters.codec import pack
from giftcard_adapters.values.advices import ReversalReason
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import AnyOperation, Issue, Load, Redeem, Void
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.pipeline.assembly import Pipeline, assemble
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from giftcard_gateway.providers.routing import Router, Rule
from giftcard_gateway.seal import KEY_BYTES, Seal
from tests.world.journal import Door
from tests.world.observer import Heard
from tests.world.provider import NUMBER, RAND, Herald, Script

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.pipeline.driver import Driver
    from giftcard_gateway.pipeline.events import Events
    from giftcard_gateway.pipeline.recovery import Recovery
    from giftcard_gateway.pipeline.transactions import Transactions

LONG = Terms(confirm_by_s=1e6)
"""Terms under which nobody is too late to decide."""


def seal(
    clock: Clock,
    key: bytes = b"k",
    hash_key: bytes = b"h",
    *,
    more: Mapping[str, bytes] | None = None,
    active: str = "k1",
    hashes: Mapping[str, bytes] | None = None,
    hash_active: str = "first",
) -> Seal:
    """Return a seal with one key of each kind, or with more."""
    return Seal(
        keys={key_id: fill * KEY_BYTES for key_id, fill in {"k1": key, **(more or {})}.items()},
        active=active,
        hash_keys={
            key_id: fill * KEY_BYTES for key_id, fill in {"first": hash_key, **(hashes or {})}.items()
        },
        hash_active=hash_active,
        random_bytes=clock.random_bytes,
    )


@dataclass
class World:
    """One process of a gateway, its providers' scripts, and the clock."""

    clock: Clock
    pipeline: Pipeline
    connections: Connections
    scripts: dict[str, Script]
    heard: Heard

    @property
    def transactions(self) -> Transactions:
        """Return what callers ask."""
        return self.pipeline.transactions

    @property
    def recovery(self) -> Recovery:
        """Return the sweep, which runs only while something runs it."""
        return self.pipeline.recovery

    @property
    def driver(self) -> Driver:
        """Return what does the work."""
        return self.pipeline.driver

    @property
    def records(self) -> Records:
        """Return the journal as the pipeline sees it."""
        return self.pipeline.records

    @property
    def events(self) -> Events:
        """Return where events come in and are carried over."""
        return self.pipeline.events

    @property
    def door(self) -> Door:
        """Return the door this process sees the journal through."""
        door = self.records.journal
        assert isinstance(door, Door)
        return door

    @property
    def script(self) -> Script:
        """Return what the first provider will do."""
        return self.scripts["first"]

    def redeem(self, transaction_id: str = "", amount: Money = RAND, provider: str = "") -> Redeem:
        """Return a redemption asked for now."""
        return Redeem(
            transaction_id=transaction_id or self.clock.uuid4(),
            requested_at=self.clock.now(),
            provider=provider,
            amount=amount,
            card=CardRef(number=Secret(NUMBER)),
        )

    def load(self) -> Load:
        """Return a load asked for now."""
        return Load(
            transaction_id=self.clock.uuid4(),
            requested_at=self.clock.now(),
            amount=RAND,
            card=CardRef(number=Secret(NUMBER)),
        )

    def issue(self) -> Issue:
        """Return an issue asked for now."""
        return Issue(transaction_id=self.clock.uuid4(), requested_at=self.clock.now(), amount=RAND)

    def void(self) -> Void:
        """Return a void asked for now."""
        return Void(
            transaction_id=self.clock.uuid4(),
            requested_at=self.clock.now(),
            card=CardRef(number=Secret(NUMBER)),
        )

    async def entry(self, transaction_id: str) -> Entry:
        """Return what the journal says."""
        entry = await self.records.get(transaction_id)
        assert entry is not None
        return entry

    async def begin(self, ask: AnyOperation, *, wait_s: float = 30) -> Entry:
        """Begin a transaction and return what its caller is told."""
        return (await self.transactions.begin(ask, wait_s=wait_s, by=LOCAL)).entry

    async def confirm(
        self, of: Entry | AnyOperation, *, amount: Money | None = None, wait_s: float = 30
    ) -> Entry:
        """Confirm a transaction, or a part of it."""
        return await self.transactions.confirm(
            of.operation, of.transaction_id, amount=amount, wait_s=wait_s, by=LOCAL
        )

    async def reverse(
        self, of: Entry | AnyOperation, *, amount: Money | None = None, wait_s: float = 30
    ) -> Entry:
        """Reverse a transaction, or a part of it, because the customer changed their mind."""
        return await self.transactions.reverse(
            of.operation,
            of.transaction_id,
            reason=ReversalReason.CANCELLED,
            amount=amount,
            wait_s=wait_s,
            by=LOCAL,
        )

    async def tell(
        self,
        transaction_id: str = "",
        outcome: Outcome | None = None,
        references: dict[str, str] | None = None,
    ) -> str:
        """Bring one event of the first provider about a transaction and return its id."""
        event = ProviderEvent(
            event_id=self.clock.uuid4(),
            name="something.happened",
            transaction_id=transaction_id,
            outcome=outcome,
            references=references or {},
        )
        assert await self.receive(event) == 1
        return event.event_id

    async def receive(self, *events: ProviderEvent) -> int:
        """Bring a webhook of the first provider and return how many of its events are new."""
        webhook = Webhook(headers={}, body=pack(events), received_at=self.clock.now())
        return await self.events.receive(self.connections.get("first"), webhook)

    async def waiting(self) -> list[str]:
        """Return the events that still wait to be carried over."""
        return [row.event_id for row in await self.records.journal.unapplied_events(500)]


def build(
    clock: Clock,
    journal: Journal,
    *,
    name: str = "gateway-1",
    terms: Terms | None = None,
    rules: Sequence[Rule] = (),
    scripts: dict[str, Script] | None = None,
    keeps_numbers: timedelta | None = None,
    **keys: Any,  # noqa: ANN401 - as `seal` takes them
) -> World:
    """Assemble a gateway over `journal`; hand in `scripts` to keep the providers of an earlier one."""
    scripts = {} if scripts is None else scripts
    heard = Heard(clock)
    connections = Connections(
        [_connection(provider_id, terms or Terms(), clock, scripts) for provider_id in ("first", "second")]
    )
    pipeline = assemble(
        name=name,
        journal=journal,
        seal=seal(clock, **keys),
        connections=connections,
        router=Router(rules, default="first"),
        clock=clock,
        observer=heard,
        keeps_numbers=keeps_numbers,
    )
    return World(clock, pipeline, connections, scripts, heard)


def _connection(provider_id: str, terms: Terms, clock: Clock, scripts: dict[str, Script]) -> Connection:
    provider = Herald.open(clock)
    provider.script = scripts.setdefault(provider_id, provider.script)
    return Connection(provider_id, provider, terms, clock)


@asynccontextmanager
async def running(*work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Let endless work run for as long as the block lasts."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def sweeping(*worlds: World) -> AsyncIterator[None]:
    """Let the sweeps of these processes run for as long as the block lasts."""
    async with running(*(world.recovery.run() for world in worlds)):
        yield
