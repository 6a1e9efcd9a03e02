"""Checks of reads and of the card vault: answered, refused, and a lost answer reported as such (rule 15)."""

from __future__ import annotations

from collections.abc import Sequence

from giftcard_adapters.errors import AdapterError, NoAnswer, NotSent, Refused
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_conformance.subject import NotConforming, ReadSample, Subject, demand
from giftcard_conformance.world import World
from giftcard_simulators.faults import Fault, FaultKind

_EVERY = 100
"""More calls than any read makes."""
_LOST = (FaultKind.DROP_REQUEST, FaultKind.DROP_ANSWER, FaultKind.HTML_502)


async def read_is_answered(subject: Subject, method: str, sample: ReadSample) -> None:
    """The sample is answered, and asks the same way each time."""
    first, second = World(subject), World(subject)
    for world in (first, second):
        result = await world.read(method, await world.arguments(sample.arguments))
        if isinstance(result, Sequence):
            demand(
                not any(isinstance(item, Decline) for item in result),
                "the sample of balances was refused: name cards the simulator knows",
            )
    demand(first.wire.sent == second.wire.sent, f"{method} wrote other bytes the second time")


async def read_is_refused(subject: Subject, method: str, sample: ReadSample) -> None:
    """A no is Refused with our reason; `balances` has it as the card's own item."""
    if sample.refused is None:
        return
    world = World(subject)
    arguments = await world.arguments(sample.refused)
    reason: DeclineReason | None = None
    try:
        result = await world.read(method, arguments)
    except Refused as refusal:
        reason = refusal.decline.reason
    else:
        if isinstance(result, Sequence):
            reason = next((item.reason for item in result if isinstance(item, Decline)), None)
    demand(reason is sample.reason, f"the refused sample of {method} was told {reason}, not {sample.reason}")


async def lost_read_is_no_answer(subject: Subject, method: str, sample: ReadSample) -> None:
    """A read without an answer raises NoAnswer, and one that never left NotSent."""
    for kind in (*_LOST, FaultKind.REFUSE_CONNECTION):
        world = World(subject)
        arguments = await world.arguments(sample.arguments)
        world.play(Fault(fault=kind, times=_EVERY))
        wanted = NotSent if kind is FaultKind.REFUSE_CONNECTION else NoAnswer
        try:
            await world.read(method, arguments)
        except wanted:
            continue
        except AdapterError as fault:
            raised = type(fault).__name__
            raise NotConforming(f"{method} raised {raised} on {kind}, not {wanted.__name__}") from None
        raise NotConforming(f"{method} answered on {kind}; it must raise {wanted.__name__}")
