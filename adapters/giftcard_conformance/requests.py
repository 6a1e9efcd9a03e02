"""Checks of money requests: approved, declined, and every way an exchange can fail (rules 3, 4, 5)."""

from __future__ import annotations

import asyncio

from giftcard_adapters.contract import traits_of
from giftcard_adapters.errors import NoAnswer, NotSent
from giftcard_adapters.values.advices import AdviceKind, Receipt
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.traits import Ending
from giftcard_conformance.subject import Sample, Subject, demand
from giftcard_conformance.world import World
from giftcard_simulators.faults import Fault, FaultKind

_DELAY_S, _TIMEOUT_S = 0.02, 0.001
"""Seconds of real time, because the timeout is real; nothing else in the suite waits."""
_SERVER_ERROR = 500


async def approval_is_read(subject: Subject, operation: Operation, sample: Sample) -> None:
    """What the simulator approves is APPROVED, for the amount asked, with an effect at the provider."""
    world = World(subject)
    before = world.effects()
    ask, outcome = await world.approved(sample.approved)
    demand(world.effects() > before, f"the approved sample of {operation} moved nothing at the simulator")
    demand(
        outcome.approved in {None, ask.amount} or ask.amount is None,
        f"{operation} asked for {ask.amount} and was taken as approved for {outcome.approved}",
    )


async def decline_is_read(subject: Subject, operation: Operation, sample: Sample) -> None:
    """What the simulator declines is DECLINED, for the reason in the descriptor, without an effect."""
    world = World(subject)
    ask = await world.ask(sample.declined)
    before = world.effects()
    outcome = await world.settle(ask)
    told = outcome.decline.reason if outcome.decline else None
    demand(
        (outcome.verdict, told) == (Verdict.DECLINED, sample.reason),
        f"the declined sample of {operation} ended as {outcome.verdict} {told}, not DECLINED {sample.reason}",
    )
    demand(world.effects() == before, f"the declined sample of {operation} moved money at the simulator")


async def bytes_are_the_same(subject: Subject, operation: Operation, sample: Sample) -> None:
    """The same operation gives the same requests, byte for byte, credentials aside."""
    first, second = World(subject), World(subject)
    await first.approved(sample.approved)
    await second.approved(sample.approved)
    demand(
        first.wire.sent == second.wire.sent,
        f"{operation} wrote other bytes the second time: no clock, no chance, no unordered set in an adapter",
    )


async def refused_connection_is_not_sent(subject: Subject, operation: Operation, sample: Sample) -> None:
    """A connection that was refused is NotSent, which passes through untouched (rule 3)."""
    world = World(subject)
    ask = await world.ask(sample.approved)
    world.play(_REFUSED, path=sample.path)
    try:
        outcome = await world.request(ask)
    except NotSent:
        return
    demand(
        outcome.verdict is Verdict.FAILED,
        f"{operation}: a refused connection is NotSent, not {outcome.verdict}",
    )


_REFUSED = Fault(fault=FaultKind.REFUSE_CONNECTION)
_LOST = {
    "the request is dropped": Fault(fault=FaultKind.DROP_REQUEST),
    "the answer is dropped": Fault(fault=FaultKind.DROP_ANSWER),
    "the answer breaks off": Fault(fault=FaultKind.TRUNCATED_JSON),
    "a proxy answers 502": Fault(fault=FaultKind.HTML_502),
    "a proxy answers 502 after the provider acted": Fault(fault=FaultKind.HTML_502, after_acting=True),
    "500 after the provider acted": Fault(fault=FaultKind.STATUS, status=_SERVER_ERROR, after_acting=True),
}
LOST = tuple(_LOST)
"""The ways an exchange ends without a final answer; each is UNKNOWN."""


async def lost_answer_is_unknown(subject: Subject, operation: Operation, sample: Sample, how: str) -> None:
    """Without a final answer the outcome is UNKNOWN, never a decline and never a failure (rule 4).

    An adapter that then asked the provider, and found that it happened, may say so.
    """
    world = World(subject)
    ask = await world.ask(sample.approved)
    effects = world.effects()
    world.play(_LOST[how], path=sample.path)
    outcome = await _try(world, ask)
    has_found = outcome and outcome.verdict is Verdict.APPROVED and world.effects() > effects
    if not has_found:
        _demand_unknown(outcome, f"{operation}, when {how}")


async def late_answer_is_unknown(subject: Subject, operation: Operation, sample: Sample) -> None:
    """An answer that comes too late is UNKNOWN (rule 4)."""
    world = World(subject)
    ask = await world.ask(sample.approved)
    world.connect(world.wire, timeout_s=_TIMEOUT_S)
    world.play(Fault(fault=FaultKind.DELAY, delay_s=_DELAY_S), path=sample.path)
    _demand_unknown(await _try(world, ask), f"{operation}, when the answer is late")
    await asyncio.sleep(_DELAY_S)


async def wrong_amount_is_unknown(subject: Subject, operation: Operation, sample: Sample) -> None:
    """An approval of another amount than was asked is UNKNOWN, with the evidence (rule 4)."""
    world = World(subject)
    ask = await world.ask(sample.approved)
    if ask.amount is None or not sample.tells_amount:
        return
    world.play(Fault(fault=FaultKind.WRONG_AMOUNT), path=sample.path)
    outcome = await _try(world, ask)
    _demand_unknown(outcome, f"{operation}, when another amount is approved")
    demand(outcome is None or outcome.evidence, f"{operation}: say in `evidence` which amount was approved")


async def double_answer_is_one(subject: Subject, operation: Operation, sample: Sample) -> None:
    """An answer that comes twice is one approval."""
    world = World(subject)
    ask = await world.ask(sample.approved)
    world.play(Fault(fault=FaultKind.ANSWER_TWICE), path=sample.path)
    outcome = await world.settle(ask)
    demand(
        outcome.verdict is Verdict.APPROVED, f"{operation}: an answer sent twice ended as {outcome.verdict}"
    )


async def nothing_is_sent_twice(subject: Subject, operation: Operation, sample: Sample) -> None:
    """An adapter never repeats a money request by itself (rule 3)."""
    for how in LOST:
        world = World(subject)
        ask = await world.ask(sample.approved)
        before = len(world.wire.sent)
        world.play(_LOST[how], path=sample.path)
        await _try(world, ask)
        sent = world.wire.sent[before:]
        demand(
            len(sent) == len(set(sent)),
            f"{operation} sent the same request again when {how}: an adapter never retries",
        )


async def unknown_can_be_ended(subject: Subject, operation: Operation, sample: Sample, how: str) -> None:
    """An unknown is ended by the means that the traits declare (rule 5)."""
    world = World(subject)
    ask = await world.ask(sample.approved)
    before, effects = world.balances(), world.effects()
    world.play(_LOST[how], path=sample.path)
    outcome = await _try(world, ask)
    has_acted = world.effects() > effects
    traits = traits_of(subject.adapter, operation)
    ending = traits.unknown if traits else Ending.PERSON
    if ending is Ending.REVERSE:
        await _reverse(world, ask, outcome)
        after = world.balances()
        demand(
            all(after[number] == held for number, held in before.items()),
            f"{operation}: a reversal of an unknown left balances changed",
        )
    elif ending is Ending.RESEND:
        await _resend(world, ask, has_acted=has_acted)
    elif ending is Ending.FIND:
        found = await world.found(ask, outcome)
        honest = {Verdict.APPROVED} if sample.can_be_found else {Verdict.APPROVED, Verdict.UNKNOWN}
        demand(
            not has_acted or found.verdict in honest,
            f"{operation} happened, and find says {found.verdict}: {found.evidence or found.decline}",
        )
        demand(
            has_acted or found.verdict is not Verdict.APPROVED,
            f"{operation} never happened, and find says it was approved",
        )


async def _reverse(world: World, ask: AnyOperation, outcome: Outcome | None) -> None:
    advice = world.advice(AdviceKind.REVERSAL)
    for call in world.provider.reversal(ask, outcome, advice):
        receipt = await world.provider.deliver(call, advice, age_s=0.0)
        demand(
            receipt.receipt in {Receipt.DONE, Receipt.NO_SUCH_TRANSACTION},
            f"the reversal of an unknown {ask.operation} was answered {receipt.receipt}: {receipt.evidence}",
        )


async def _resend(world: World, ask: AnyOperation, *, has_acted: bool) -> None:
    effects = world.effects()
    outcome = await world.settle(ask)
    demand(
        outcome.verdict is Verdict.APPROVED,
        f"{ask.operation}, sent again under the same key, ended as {outcome.verdict}",
    )
    demand(
        not has_acted or world.effects() == effects,
        f"{ask.operation}, sent again under the same key, moved money a second time",
    )
    found = await world.found(ask, None)
    demand(found.verdict is Verdict.APPROVED, f"{ask.operation} happened, and find says {found.verdict}")


async def _try(world: World, ask: AnyOperation) -> Outcome | None:
    """Send a request; None when no answer was understood."""
    try:
        return await world.request(ask)
    except NoAnswer:
        return None


def _demand_unknown(outcome: Outcome | None, where: str) -> None:
    demand(
        outcome is None or outcome.verdict is Verdict.UNKNOWN,
        f"{where}: the outcome is UNKNOWN (or NoAnswer is raised), not {outcome and outcome.verdict}",
    )
