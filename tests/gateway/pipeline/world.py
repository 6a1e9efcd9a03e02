"""A small virtual world for the pipeline: one scripted provider, a real journal, time that jumps.

The script says what the provider does with each request and each advice; everything else is the
gateway as it is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import msgspec

from giftcard_adapters.calls import Call
from giftcard_adapters.contract import Provider, Settings, traits
from giftcard_adapters.errors import NoAnswer, NotSent
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Load, MoneyOperation, Redeem, Void
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Outcome, Verdict
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.sqlite.journal import InlineSqlite
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.pipeline.assembly import assemble
from giftcard_gateway.pipeline.driver import Driver
from giftcard_gateway.pipeline.recovery import Recovery
from giftcard_gateway.pipeline.transactions import Transactions
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from giftcard_gateway.providers.routing import Router, Rule
from giftcard_gateway.seal import KEY_BYTES, Seal
from tests.crash.virtual import VirtualClock, run

NUMBER = "6045120000000007"
RAND = Money("ZAR", 10_000)
APPROVED = Outcome(verdict=Verdict.APPROVED, approved=RAND, balances=(Balances(book=RAND, available=RAND),))

Reaction = Outcome | Acknowledgement | Exception | float
"""What the scripted provider does: answer, fail, or first take so many seconds."""


@dataclass
class Script:
    """What the provider will do, and what it saw."""

    reactions: deque[Reaction] = field(default_factory=deque)
    requests: list[MoneyOperation] = field(default_factory=list)
    advices: list[tuple[Call, Advice]] = field(default_factory=list)
    finds: list[MoneyOperation] = field(default_factory=list)
    found: deque[Outcome] = field(default_factory=deque)
    """What looking for any request will find next; nothing when it is through."""
    found_of: dict[str, Outcome] = field(default_factory=dict)
    """What looking for the request of one id will find, before all else."""

    async def next(self, otherwise: Reaction) -> Outcome | Acknowledgement:
        """Play the next reaction, or the usual one when the script is through."""
        while True:
            reaction = self.reactions.popleft() if self.reactions else otherwise
            if isinstance(reaction, float):
                await asyncio.sleep(reaction)
                continue
            if isinstance(reaction, Exception):
                raise reaction
            return reaction

    async def outcome(self, otherwise: Reaction = APPROVED) -> Outcome:
        """Play the next reaction to a request."""
        answer = await self.next(otherwise)
        assert isinstance(answer, Outcome)
        return answer


class Scripted(Provider):
    """A provider that does what its script says: two-phase redeems and loads, one-shot issues and voids."""

    settings_type = Settings

    def __init__(self, settings: Settings, exchange: Exchange) -> None:
        """Begin with an empty script."""
        super().__init__(settings, exchange)
        self.script = Script()

    @traits(Guarantee.NATIVE, Ending.REVERSE, is_confirmation_partial=True, is_reversal_partial=True)
    async def redeem(self, ask: Redeem) -> Outcome:
        """Redeem as scripted."""
        return await self._play(ask)

    @traits(Guarantee.COMPENSATED, Ending.RESEND, resend_window_s=3600.0)
    async def load(self, ask: Load) -> Outcome:
        """Load as scripted; the provider remembers the id for an hour."""
        return await self._play(ask)

    @traits(Guarantee.NONE, Ending.FIND, find_window_s=600.0)
    async def issue(self, ask: Issue) -> Outcome:
        """Issue as scripted; there is no way back."""
        return await self._play(ask)

    @traits(Guarantee.NONE, Ending.PERSON)
    async def void(self, ask: Void) -> Outcome:
        """Void as scripted; nobody can find out what became of one."""
        return await self._play(ask)

    async def _play(self, ask: MoneyOperation) -> Outcome:
        self.script.requests.append(ask)
        return await self.script.outcome()

    def confirmation(self, ask: MoneyOperation, outcome: Outcome, advice: Advice) -> tuple[Call, ...]:
        """Write one call that names everything in the advice."""
        return (_call("confirmations", ask, outcome, advice),)

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write one call that names everything in the advice."""
        return (_call("reversals", ask, outcome, advice),)

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Acknowledge as scripted."""
        assert age_s >= 0
        self.script.advices.append((call, advice))
        receipt = await self.script.next(Acknowledgement(receipt=Receipt.DONE))
        assert isinstance(receipt, Acknowledgement)
        return receipt

    async def find(self, ask: MoneyOperation, outcome: Outcome | None) -> Outcome:
        """Find as scripted."""
        del outcome
        self.script.finds.append(ask)
        if ask.transaction_id in self.script.found_of:
            return self.script.found_of[ask.transaction_id]
        return self.script.found.popleft() if self.script.found else NOT_LISTED


def _call(kind: str, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> Call:
    return Call(
        method="POST",
        path=f"/{ask.transaction_id}/{kind}/{advice.advice_id}",
        body=msgspec.json.encode([advice.amount, advice.reason, outcome is not None]),
    )


class Refusing(httpx.AsyncBaseTransport):
    """Stands where a connection would be; the scripted provider never uses it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail: nothing here may reach for the network."""
        raise AssertionError(request.method)


@dataclass
class World:
    """The gateway, its provider's script, and the clock."""

    clock: VirtualClock
    transactions: Transactions
    driver: Driver
    recovery: Recovery
    records: Records
    scripts: dict[str, Script]
    observer: Observer
    connections: Connections

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


ISSUED = Outcome(
    verdict=Verdict.APPROVED, approved=RAND, issued_cards=(IssuedCard(number=Secret(NUMBER), amount=RAND),)
)
NOT_LISTED = Outcome(verdict=Verdict.UNKNOWN, evidence="not listed")
LOST = NoAnswer("no answer in time")
REFUSED_CONNECTION = NotSent("no connection")


def build(
    clock: VirtualClock,
    journal: InlineSqlite,
    *,
    name: str = "gateway-1",
    terms: Terms | None = None,
    rules: Sequence[Rule] = (),
    scripts: dict[str, Script] | None = None,
    observer: Observer | None = None,
) -> World:
    """Assemble a gateway over `journal`; hand in `scripts` to keep the providers of an earlier one."""
    scripts = {} if scripts is None else scripts
    connections = Connections(
        [_connection(provider_id, terms or Terms(), clock, scripts) for provider_id in ("first", "second")]
    )
    seal = Seal(
        keys={"k1": b"k" * KEY_BYTES}, active="k1", hash_key=b"h" * KEY_BYTES, random_bytes=clock.random_bytes
    )
    observer = observer or Observer()
    parts = assemble(
        name=name,
        journal=journal,
        seal=seal,
        connections=connections,
        router=Router(rules, default="first"),
        clock=clock,
        observer=observer,
    )
    return World(
        clock,
        parts.transactions,
        parts.driver,
        parts.recovery,
        parts.records,
        scripts,
        observer,
        connections,
    )


def _connection(
    provider_id: str, terms: Terms, clock: VirtualClock, scripts: dict[str, Script]
) -> Connection:
    settings = Settings(base_url="http://provider.test", timeout_s=30.0)
    exchange = Exchange(
        base_url=settings.base_url, transport=Refusing(), moment=clock.moment, timeout_s=settings.timeout_s
    )
    provider = Scripted(settings, exchange)
    provider.script = scripts.setdefault(provider_id, provider.script)
    return Connection(provider_id, provider, terms, clock)


def play(
    story: Callable[[World], Coroutine[object, object, None]], *, seed: int = 1, **options: object
) -> None:
    """Run `story` in a fresh world whose sweep is running."""

    async def run_story(clock: VirtualClock) -> None:
        journal = InlineSqlite(":memory:")
        await journal.start()
        world = build(clock, journal, **options)  # type: ignore[arg-type]  # passed on as they came
        sweep = asyncio.create_task(world.recovery.run())
        try:
            await story(world)
        finally:
            sweep.cancel()
            with suppress(asyncio.CancelledError):
                await sweep
            await world.driver.drain(0)
            await journal.close()

    run(seed, run_story)
