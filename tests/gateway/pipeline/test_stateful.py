"""The lifecycle against a reference model: any order of calls, answers, hours and restarts.

The model is a table of what each call must come to. The gateway is the real pipeline over a scripted
provider; Hypothesis looks for an order of things in which they differ, and shrinks it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from giftcard_adapters.values.advices import Acknowledgement, Receipt, ReversalReason
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import (
    GatewayError,
    PartialUnsupported,
    ReversalUnsupported,
    StateConflict,
    TransactionReversed,
)
from giftcard_gateway.ledger.entry import Entry, State
from tests.crash.store import Store
from tests.world.clock import VirtualClock, VirtualLoop
from tests.world.gateway import World, build
from tests.world.provider import AGAIN, APPROVED, ISSUED, LOST, RAND, REFUSED_CONNECTION, Reaction

T = TypeVar("T")

DECLINED = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.CARD_BLOCKED))
REFUSED = Acknowledgement(receipt=Receipt.REFUSED, evidence="no")
HALF = Money("ZAR", RAND.amount_minor // 2)

_CONFIRM_BY_S = 900.0
_FIND_WINDOW_S = 600.0
_RETRY_CAP_S = 300.0
_CALM_S = 10.0
"""Longer than the backoffs of as many failed tries as a rule scripts."""

ANSWERS: dict[str, tuple[Reaction, ...]] = {
    "approved": (APPROVED,),
    "declined": (DECLINED,),
    "not sent": (REFUSED_CONNECTION,),
    "lost": (LOST,),
    "lost and found": (LOST,),
}
AFTER_LOST = {
    Operation.REDEEM: State.REVERSED,
    Operation.LOAD: State.APPROVED,
    Operation.ISSUE: State.PENDING,
    Operation.VOID: State.UNRESOLVED,
}
"""What an unknown comes to within moments: reversed, sent again, looked for, left to a person."""
NO_WAY_BACK = frozenset({Operation.ISSUE, Operation.VOID})
IN_PARTS = frozenset({Operation.REDEEM})


@dataclass
class Known:
    """What the model knows of one transaction."""

    ask: AnyOperation
    state: State
    since_s: float
    """When it came into its state."""
    part: Money | None = None
    """The part that was confirmed or put back; None is all."""
    was_approved: bool = False


class Lifecycle(RuleBasedStateMachine):
    """Callers, a provider and time, in any order."""

    ids = Bundle("ids")
    strangers = Bundle("strangers")

    def __init__(self) -> None:
        """Start a gateway on an empty journal."""
        super().__init__()
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, 1)
        self.store = Store()
        self.known: dict[str, Known] = {}
        self.buried: set[str] = set()
        self.scripts: dict[str, object] = {}
        self._run(self.store.start())
        self._start()

    def _run(self, work: Coroutine[object, object, T]) -> T:
        return self.loop.run_until_complete(work)

    def _start(self) -> None:
        async def start() -> None:
            self.world: World = build(self.clock, self.store, scripts=self.scripts)  # type: ignore[arg-type]  # filled by build
            self.world.recovery.idle = timedelta(minutes=5)
            self.world.pipeline.heartbeat.silence = timedelta(minutes=15)
            self.sweep = asyncio.create_task(self.world.recovery.run())

        self._run(start())

    def _stop(self) -> None:
        async def stop() -> None:
            # Readiness, which this world has not, would have beaten a moment ago: no time is lost here.
            await self.world.pipeline.heartbeat.beat()
            self.sweep.cancel()
            with suppress(asyncio.CancelledError):
                await self.sweep
            await self.world.driver.drain(0)

        self._run(stop())

    def teardown(self) -> None:
        """Stop the gateway and the clock."""
        self._stop()
        self._run(self.store.close())
        self.loop.close()

    def _call(
        self, call: Callable[[], Coroutine[object, object, Entry]], *reactions: Reaction
    ) -> Entry | GatewayError:
        """Make one call while the provider plays `reactions`, and let it come to rest."""

        async def play() -> Entry | GatewayError:
            self.world.script.reactions.extend(reactions)
            try:
                return await call()
            except GatewayError as refusal:
                return refusal
            finally:
                await asyncio.sleep(_CALM_S)
                self.world.script.reactions.clear()

        told = self._run(play())
        self._pass_time()
        return told

    def _pass_time(self) -> None:
        """Do in the model what time alone does; at the edge of a window let the gateway be the judge."""
        now_s = self.clock.monotonic_s()
        for subject, known in self.known.items():
            age_s = now_s - known.since_s
            has_way_back = known.ask.operation not in NO_WAY_BACK
            if known.state is State.APPROVED and age_s > _CONFIRM_BY_S - _CALM_S:
                decided = State.REVERSED if has_way_back else State.CONFIRMED
                self._move(subject, known, decided, is_sure=age_s > _CONFIRM_BY_S + _CALM_S)
            elif known.state is State.PENDING and age_s > _FIND_WINDOW_S:
                is_sure = age_s > _FIND_WINDOW_S + _RETRY_CAP_S + _CALM_S
                self._move(subject, known, State.UNRESOLVED, is_sure=is_sure)

    def _move(self, subject: str, known: Known, state: State, *, is_sure: bool) -> None:
        if is_sure or self._run(self.world.entry(subject)).state is state:
            known.state = state

    @rule(target=ids, operation=st.sampled_from(sorted(AFTER_LOST)), answer=st.sampled_from(sorted(ANSWERS)))
    def begin(self, operation: Operation, answer: str) -> str:
        """A caller begins; the provider answers, or does not."""
        ask: AnyOperation = getattr(self.world, names_of(operation).method)()
        if answer == "lost and found" and operation is Operation.ISSUE:
            self.world.script.found_of[ask.transaction_id] = ISSUED
        state = {
            "approved": State.APPROVED,
            "declined": State.DECLINED,
            "not sent": State.FAILED,
            "lost": AFTER_LOST[operation],
            "lost and found": State.APPROVED if operation is Operation.ISSUE else AFTER_LOST[operation],
        }[answer]
        began_s = self.clock.monotonic_s()
        self._call(lambda: self._begin(ask), *ANSWERS[answer])
        known = Known(ask, state, began_s, was_approved=state is State.APPROVED)
        self.known[ask.transaction_id] = known
        return ask.transaction_id

    async def _begin(self, ask: AnyOperation) -> Entry:
        return await self.world.begin(ask)

    @rule(subject=ids)
    def repeat(self, subject: str) -> None:
        """A caller repeats its request: it hears what is recorded, and nothing more is sent."""
        ask = msgspec.structs.replace(self.known[subject].ask, requested_at=self.clock.now())
        sent = len(self.world.script.requests)
        told = self._call(lambda: self._begin(ask))
        assert isinstance(told, Entry)
        assert self.known[subject].ask.operation is Operation.LOAD or len(self.world.script.requests) == sent

    @rule(
        subject=ids, amount=st.sampled_from([None, HALF]), tries=st.integers(0, 2), is_refused=st.booleans()
    )
    def confirm(self, subject: str, amount: Money | None, tries: int, *, is_refused: bool) -> None:
        """A caller confirms; the provider hears it at last, and may refuse it."""
        known = self.known[subject]
        expected = self._refusal_of_confirm(known, amount)
        reactions = (*[AGAIN] * tries, *([REFUSED] if is_refused else []))
        told = self._call(
            lambda: self.world.transactions.confirm(
                known.ask.operation, subject, amount=amount, wait_s=30, by=LOCAL
            ),
            *reactions,
        )
        if expected is not None:
            assert type(told) is expected
            return
        assert isinstance(told, Entry)
        if known.state is State.APPROVED:
            has_to_tell = known.ask.operation is Operation.REDEEM
            known.state = State.UNRESOLVED if is_refused and has_to_tell else State.CONFIRMED
            known.part = amount

    def _refusal_of_confirm(self, known: Known, amount: Money | None) -> type[GatewayError] | None:
        if known.state in {State.REVERSED, State.REVERSING}:
            return TransactionReversed
        if known.state is State.CONFIRMED:
            return None if amount == known.part else StateConflict
        if known.state is not State.APPROVED:
            return StateConflict
        return PartialUnsupported if amount and known.ask.operation not in IN_PARTS else None

    @rule(subject=ids, amount=st.sampled_from([None, HALF]), tries=st.integers(0, 2))
    def reverse(self, subject: str, amount: Money | None, tries: int) -> None:
        """A caller reverses what it knows of."""
        known = self.known[subject]
        expected = self._refusal_of_reverse(known, amount)
        told = self._call(
            lambda: self.world.transactions.reverse(
                known.ask.operation,
                subject,
                reason=ReversalReason.CANCELLED,
                amount=amount,
                wait_s=30,
                by=LOCAL,
            ),
            *[AGAIN] * tries,
        )
        if expected is not None:
            assert type(told) is expected
            return
        assert isinstance(told, Entry)
        if known.state is State.APPROVED:
            known.state = State.REVERSED
            known.part = amount

    def _refusal_of_reverse(self, known: Known, amount: Money | None) -> type[GatewayError] | None:
        if known.state in {State.DECLINED, State.FAILED}:
            return None
        if known.state is State.REVERSED:
            return StateConflict if known.was_approved and amount != known.part else None
        if known.state not in {State.APPROVED, State.PENDING}:
            return StateConflict
        if known.ask.operation in NO_WAY_BACK:
            return ReversalUnsupported
        return PartialUnsupported if amount and known.ask.operation not in IN_PARTS else None

    @rule(target=strangers)
    def reverse_first(self) -> str:
        """A caller reverses what was never begun."""
        ask = self.world.redeem()
        told = self._call(
            lambda: self.world.transactions.reverse(
                Operation.REDEEM, ask.transaction_id, reason=ReversalReason.TIMEOUT, wait_s=30, by=LOCAL
            )
        )
        assert isinstance(told, Entry)
        self.buried.add(ask.transaction_id)
        return ask.transaction_id

    @rule(subject=strangers)
    def begin_after_reversal(self, subject: str) -> None:
        """The request that was reversed beforehand comes, and is refused and not sent."""
        sent = len(self.world.script.requests)
        told = self._call(lambda: self._begin(self.world.redeem(subject)))
        assert type(told) is TransactionReversed
        assert len(self.world.script.requests) == sent

    @rule(subject=consumes(ids), state=st.sampled_from([State.CONFIRMED, State.REVERSED]))
    def resolve(self, subject: str, state: State) -> None:
        """A person ends what is unresolved, and nothing else."""
        known = self.known[subject]
        told = self._call(
            lambda: self.world.transactions.resolve(subject, state=state, note="asked them", by=LOCAL)
        )
        if known.state is State.UNRESOLVED:
            assert isinstance(told, Entry)
            known.state = state
        else:
            assert isinstance(told, StateConflict | TransactionReversed)

    @rule(subject=ids, is_refused=st.booleans())
    def redeliver(self, subject: str, *, is_refused: bool) -> None:
        """A person has it tried again: what was promised is owed anew, or its outcome looked for anew."""
        known = self.known[subject]
        is_promised = known.state is State.UNRESOLVED and known.ask.operation is Operation.REDEEM
        is_sought = known.state is State.UNRESOLVED and known.ask.operation is Operation.ISSUE
        at_s = self.clock.monotonic_s()
        sent = len(self.world.script.requests)
        told = self._call(
            lambda: self.world.transactions.redeliver(subject, wait_s=30, by=LOCAL),
            *([REFUSED] if is_refused and is_promised else []),
        )
        assert len(self.world.script.requests) == sent
        if is_promised:
            assert isinstance(told, Entry)
            known.state = State.UNRESOLVED if is_refused else State.CONFIRMED
        elif is_sought:
            assert isinstance(told, Entry)
            known.state, known.since_s = State.PENDING, at_s
        elif known.state is not State.PENDING:
            assert isinstance(told, StateConflict | TransactionReversed)

    @rule(pause_s=st.sampled_from([60.0, 700.0, 1_500.0]))
    def wait(self, pause_s: float) -> None:
        """Time passes, and what nobody decided is decided."""
        self._run(asyncio.sleep(pause_s))
        self._pass_time()

    @rule()
    def restart(self) -> None:
        """The process ends and another starts on the same journal."""
        self._stop()
        self.store.reopen()
        self._start()

    @invariant()
    def journal_and_model_agree(self) -> None:
        """Every transaction is in the state the model says."""
        for subject, known in self.known.items():
            assert self._run(self.world.entry(subject)).state is known.state

    @invariant()
    def requests_go_once(self) -> None:
        """Only what may be sent again was, and all tries of an advice are one."""
        script = self.world.script
        once = [ask.transaction_id for ask in script.requests if ask.operation is not Operation.LOAD]
        assert len(once) == len(set(once))
        paths = {call.path for call, _ in script.advices}
        assert len({path.split("/")[1] for path in paths}) == len(paths)


def test_lifecycle() -> None:
    """No order of calls, answers, hours and restarts brings the gateway where the model is not."""
    profile = settings(max_examples=100, stateful_step_count=20)
    run_state_machine_as_test(Lifecycle, settings=profile)
