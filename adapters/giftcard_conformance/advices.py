"""Checks of advices: the same bytes every time, acknowledged, repeatable with one net effect (rule 8)."""

from __future__ import annotations

from giftcard_adapters.calls import Call
from giftcard_adapters.contract import traits_of
from giftcard_adapters.errors import ExchangeError
from giftcard_adapters.values.advices import Advice, AdviceKind, Receipt, ReversalReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.traits import Guarantee
from giftcard_conformance.subject import Sample, Subject, demand
from giftcard_conformance.world import World
from giftcard_simulators.faults import Fault, FaultKind

_LONG_AFTER_S = 48 * 3600.0
"""Past every documented idempotency window."""
_LOST = {
    "the advice is dropped": Fault(fault=FaultKind.DROP_REQUEST),
    "its answer is dropped": Fault(fault=FaultKind.DROP_ANSWER),
    "a proxy answers 502": Fault(fault=FaultKind.HTML_502),
    "a proxy answers 502 after the provider acted": Fault(fault=FaultKind.HTML_502, after_acting=True),
    "500 after the provider acted": Fault(fault=FaultKind.STATUS, status=500, after_acting=True),
    "the connection is refused": Fault(fault=FaultKind.REFUSE_CONNECTION),
}
LOST = tuple(_LOST)
"""The ways an advice is left without a final answer; each is tried again."""


def kinds(subject: Subject, operation: Operation) -> tuple[AdviceKind, ...]:
    """Return the advices an operation has at this provider."""
    traits = traits_of(subject.adapter, operation)
    if traits is None or traits.guarantee is Guarantee.NONE:
        return ()
    both = (AdviceKind.CONFIRMATION, AdviceKind.REVERSAL)
    return both if traits.guarantee is Guarantee.NATIVE else both[1:]


async def advice_is_the_same(
    subject: Subject, operation: Operation, sample: Sample, kind: AdviceKind
) -> None:
    """The same advice gives the same calls, so that what is stored is what is sent."""
    world = World(subject)
    ask, outcome = await world.approved(sample.approved)
    advice = _advice(world, kind)
    first, second = (_calls(world, ask, outcome, advice) for _ in range(2))
    demand(first, f"the {kind} of {operation} needs at least one call")
    demand(first == second, f"the {kind} of {operation} was written in other bytes the second time")


async def advice_has_one_effect(
    subject: Subject, operation: Operation, sample: Sample, kind: AdviceKind
) -> None:
    """An advice is DONE, and DONE or GONE when repeated soon or long after, with one effect (rule 8)."""
    world = World(subject)
    ask, outcome = await world.approved(sample.approved)
    advice = _advice(world, kind)
    calls = _calls(world, ask, outcome, advice)
    await _deliver(world, calls, advice, 0.0)
    effects, held = world.effects(), world.balances()
    for age_s in (0.0, 1.0, _LONG_AFTER_S):
        await _deliver(world, calls, advice, age_s, again=True)
    demand(
        (world.effects(), world.balances()) == (effects, held),
        f"the {kind} of {operation}, repeated, had a second effect",
    )


async def lost_advice_is_tried_again(
    subject: Subject, operation: Operation, sample: Sample, kind: AdviceKind, how: str
) -> None:
    """An advice without a final answer is AGAIN or raises; sent again it is done, with one effect."""
    smooth, rough = World(subject), World(subject)
    for world in (smooth, rough):
        ask, outcome = await world.approved(sample.approved)
        advice = _advice(world, kind)
        calls = _calls(world, ask, outcome, advice)
        if world is rough:
            world.play(_LOST[how])
            await _demand_again(world, calls[0], advice, f"the {kind} of {operation}, when {how}")
        await _deliver(world, calls, advice, 1.0, again=world is rough)
    demand(
        (smooth.effects(), smooth.balances()) == (rough.effects(), rough.balances()),
        f"the {kind} of {operation}, sent again when {how}, had another net effect than sent once",
    )


async def reversal_puts_back(subject: Subject, operation: Operation, sample: Sample) -> None:
    """A reversal restores every balance."""
    world = World(subject)
    before = world.balances()
    ask, outcome = await world.approved(sample.approved)
    advice = _advice(world, AdviceKind.REVERSAL)
    await _deliver(world, _calls(world, ask, outcome, advice), advice, 0.0)
    after = world.balances()
    demand(
        all(after[number] == held for number, held in before.items()),
        f"the reversal of {operation} left balances changed",
    )


async def part_can_be_advised(
    subject: Subject, operation: Operation, sample: Sample, kind: AdviceKind
) -> None:
    """Where the traits say that a part can be confirmed or reversed, the provider takes it."""
    world = World(subject)
    ask, outcome = await world.approved(sample.approved)
    whole = outcome.approved or ask.amount
    traits = traits_of(world.provider, operation)
    if whole is None or traits is None or whole.amount_minor < 2:  # noqa: PLR2004 - no half of one unit
        return
    is_partial = traits.is_reversal_partial if kind is AdviceKind.REVERSAL else traits.is_confirmation_partial
    if not is_partial:
        return
    advice = _advice(world, kind, Money(whole.currency, whole.amount_minor // 2))
    calls = _calls(world, ask, outcome, advice)
    demand(
        calls != _calls(world, ask, outcome, _with_all(advice)),
        f"the {kind} of a part of {operation} is written like that of the whole",
    )
    await _deliver(world, calls, advice, 0.0)


async def reversal_may_find_nothing(subject: Subject, operation: Operation, sample: Sample) -> None:
    """A native reversal of what the provider never saw is NO_SUCH_TRANSACTION or DONE (rule 8)."""
    traits = traits_of(subject.adapter, operation)
    if traits is None or traits.guarantee is not Guarantee.NATIVE:
        return
    world = World(subject)
    ask = await world.ask(sample.approved)
    effects = world.effects()
    advice = _advice(world, AdviceKind.REVERSAL)
    for call in world.provider.reversal(ask, None, advice):
        receipt = await world.provider.deliver(call, advice, age_s=0.0)
        demand(
            receipt.receipt in {Receipt.DONE, Receipt.NO_SUCH_TRANSACTION},
            f"the reversal of {operation} that never came was answered {receipt.receipt}",
        )
    demand(world.effects() == effects, f"the reversal of {operation} that never came moved money")


def _advice(world: World, kind: AdviceKind, amount: Money | None = None) -> Advice:
    reason = ReversalReason.CANCELLED if kind is AdviceKind.REVERSAL else None
    return world.advice(kind, amount=amount, reason=reason)


def _with_all(advice: Advice) -> Advice:
    return Advice(
        advice_id=advice.advice_id, kind=advice.kind, written_at=advice.written_at, reason=advice.reason
    )


def _calls(world: World, ask: AnyOperation, outcome: Outcome, advice: Advice) -> tuple[Call, ...]:
    if advice.kind is AdviceKind.CONFIRMATION:
        return world.provider.confirmation(ask, outcome, advice)
    return world.provider.reversal(ask, outcome, advice)


async def _deliver(
    world: World, calls: tuple[Call, ...], advice: Advice, age_s: float, *, again: bool = False
) -> None:
    done = {Receipt.DONE, Receipt.GONE} if again else {Receipt.DONE}
    for call in calls:
        receipt = await world.provider.deliver(call, advice, age_s=age_s)
        demand(
            receipt.receipt in done,
            f"a {advice.kind} {age_s:g} seconds old was answered {receipt.receipt}: {receipt.evidence}",
        )


async def _demand_again(world: World, call: Call, advice: Advice, where: str) -> None:
    effects = world.effects()
    try:
        receipt = await world.provider.deliver(call, advice, age_s=0.0)
    except ExchangeError:
        return
    # An adapter that asked the provider, and found its advice done, may say so.
    has_found = receipt.receipt is Receipt.DONE and world.effects() > effects
    demand(
        has_found or receipt.receipt is Receipt.AGAIN, f"{where}: the receipt is AGAIN, not {receipt.receipt}"
    )
