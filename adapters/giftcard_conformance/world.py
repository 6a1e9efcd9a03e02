"""One adapter and one simulator in one process, made anew for each check, with a clock of its own."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from giftcard_adapters.calls import Moment
from giftcard_adapters.contract import traits_of
from giftcard_adapters.errors import Unfindable
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind, ReversalReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import AnyOperation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.traits import Ending
from giftcard_conformance.subject import Arguments, Asking, NotConforming, Subject
from giftcard_conformance.wires import Recorder, Transport
from giftcard_simulators.faults import Fault, Match, Script
from giftcard_simulators.sandbox import seeded_ids
from giftcard_simulators.transport import SimulatorTransport

_START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
_FIND_STEP = timedelta(seconds=30)
_FIND_TRIES = 20
"""Ten minutes by the world's clock: longer than any simulator takes to make a card."""


class World:
    """An adapter opened on a simulator that plays faults; ids and time are the same in every world."""

    def __init__(self, subject: Subject) -> None:
        """Open both, and connect them inside the process."""
        self.subject = subject
        self.now = _START
        self._ids = seeded_ids(2)
        self._nonces = itertools.count(1)
        self.simulator = subject.simulator(now=lambda: self.now, ids=seeded_ids(1))
        self.script = Script()
        self.settings = read_settings(subject.adapter, subject.stanza)
        self.connect(SimulatorTransport(self.simulator, self.script))

    def connect(self, transport: Transport, **changes: object) -> None:
        """Open the adapter anew over another transport, with settings changed."""
        self.wire = Recorder(transport)
        self.settings = msgspec.structs.replace(self.settings, **changes)
        self.provider = open_provider(
            self.subject.adapter, self.settings, transport=self.wire, moment=self._moment
        )

    def _moment(self) -> Moment:
        return Moment(now_s=self.now.timestamp(), nonce=f"{next(self._nonces):032x}")

    async def ask(self, asking: Asking) -> AnyOperation:
        """Return the operation with an id and a time of this world."""
        prepared = asking if isinstance(asking, msgspec.Struct) else await asking(self.provider)
        return msgspec.structs.replace(prepared, transaction_id=self._ids(), requested_at=self.now)

    async def arguments(self, arguments: Arguments) -> Mapping[str, object]:
        """Return a read's arguments."""
        return await arguments(self.provider) if callable(arguments) else arguments

    async def request(self, ask: AnyOperation) -> Outcome:
        """Send a money operation, once."""
        outcome: Outcome = await getattr(self.provider, names_of(ask.operation).method)(ask)
        return outcome

    async def read(self, method: str, arguments: Mapping[str, object]) -> object:
        """Call a read; a download is read to its end."""
        result = getattr(self.provider, method)(**arguments)
        if inspect.isawaitable(result):
            return await result
        async with result as (file, pieces):
            return file, [piece async for piece in pieces]

    async def settle(self, ask: AnyOperation) -> Outcome:
        """Send a money operation, and call `find` while it is accepted but not done."""
        outcome = await self.request(ask)
        return await self.found(ask, outcome) if outcome.verdict is Verdict.UNKNOWN else outcome

    async def found(self, ask: AnyOperation, outcome: Outcome | None) -> Outcome:
        """Call `find` while time passes; UNKNOWN when it never tells, or says that it never will."""
        traits = traits_of(self.provider, ask.operation)
        last = outcome or Outcome(verdict=Verdict.UNKNOWN)
        if traits is None or traits.unknown not in {Ending.FIND, Ending.RESEND}:
            return last
        for _ in range(_FIND_TRIES):
            self.now += _FIND_STEP
            try:
                last = await self.provider.find(ask, last if outcome else None)
            except Unfindable:
                # A person decides; no later look would tell.
                break
            if last.verdict is not Verdict.UNKNOWN:
                break
        return last

    async def approved(self, asking: Asking) -> tuple[AnyOperation, Outcome]:
        """Send the approved sample; raise NotConforming when it is not approved."""
        ask = await self.ask(asking)
        outcome = await self.settle(ask)
        if outcome.verdict is not Verdict.APPROVED:
            why = outcome.decline or outcome.evidence
            raise NotConforming(f"the approved sample of {ask.operation} ended as {outcome.verdict}: {why}")
        return ask, outcome

    def advice(
        self, kind: AdviceKind, *, amount: Money | None = None, reason: ReversalReason | None = None
    ) -> Advice:
        """Return an advice written now."""
        return Advice(advice_id=self._ids(), kind=kind, written_at=self.now, amount=amount, reason=reason)

    def play(self, fault: Fault, *, path: str = "") -> None:
        """Put one fault in the script, for calls whose path fits, in place of what is left of it."""
        self.script.replace([msgspec.structs.replace(fault, match=Match(path=path))])

    def effects(self) -> int:
        """Return how many money effects there are."""
        return len(self.simulator.effects())

    def balances(self) -> dict[object, tuple[object, object]]:
        """Return book and available balance by card number."""
        return {
            card["number"]: (card["book_minor"], card["available_minor"]) for card in self.simulator.cards()
        }
