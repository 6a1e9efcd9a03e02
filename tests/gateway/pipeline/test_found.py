"""What the simulation found in the pipeline, each told as the smallest story that shows it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping

import msgspec
import pytest

from giftcard_adapters.errors import Unfindable
from giftcard_adapters.values.money import Money
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import JournalUnavailable, StateConflict
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.pipeline.leases import LeaseLost
from tests.world.gateway import World
from tests.world.provider import LOST

HALF = Money("ZAR", 5_000)


async def test_no_part_of_an_unknown_is_left_standing(world: World) -> None:
    """A part that is to be put back of what turns out unknown is all of it, and repeating that is harmless.

    The provider may never have seen the request: then REVERSED with a part standing would be a lie.
    """
    world.script.reactions.extend([2.0, LOST])
    ask = world.redeem()
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL))
    await asyncio.sleep(1)
    assert (await world.reverse(ask, amount=HALF)).state is State.REVERSED
    await call
    assert world.script.advices[0][1].amount is None
    assert (await world.reverse(ask, amount=HALF)).state is State.REVERSED
    assert (await world.reverse(ask)).state is State.REVERSED
    assert len(world.script.advices) == 1


async def test_an_early_reversal_of_a_part_can_be_repeated(world: World) -> None:
    """A reversal that names an amount and comes before its request is as harmless to repeat as any other."""
    ask = world.redeem()
    for _ in range(2):
        assert (await world.reverse(ask, amount=HALF)).state is State.REVERSED


async def test_a_second_reversal_of_another_part_is_refused(world: World) -> None:
    """While a reversal waits for the outcome, one of another part is refused; the first is what is done."""
    world.script.reactions.append(2.0)
    ask = world.redeem()
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL))
    await asyncio.sleep(1)
    first = asyncio.create_task(world.reverse(ask, amount=HALF))
    await asyncio.sleep(0.1)
    with pytest.raises(StateConflict):
        await world.reverse(ask)
    assert (await first).state is State.REVERSED
    await call
    assert world.script.advices[0][1].amount == HALF


async def test_a_sweep_that_hears_late_of_its_claim_finds_the_step_made(world: World) -> None:
    """A sweep takes up what the task before it has finished under the same fence, and leaves it as it is."""
    approved = await world.begin(world.load())
    stale = msgspec.structs.replace(
        approved, state=State.PENDING, version=approved.version - 1, driver="gateway-1", attempts=1
    )
    with pytest.raises(LeaseLost):
        await world.driver.advance(stale)
    assert await world.entry(approved.transaction_id) == approved


async def test_a_caller_that_leaves_takes_its_refusal_along(world: World) -> None:
    """A journal that is away, of a caller that has left, is nobody's unretrieved exception."""
    faults: list[Mapping[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    ask = world.redeem()

    async def refuse(_: object) -> None:
        await asyncio.sleep(1)
        raise JournalUnavailable

    world.transactions._open = refuse  # type: ignore[method-assign, assignment]  # noqa: SLF001 -- its fault
    call = asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL))
    await asyncio.sleep(0.5)
    call.cancel()
    await asyncio.sleep(2)
    del call
    gc.collect()  # only then is an exception that nobody retrieved told
    assert not faults


async def test_what_can_never_be_found_goes_to_a_person_at_once(world: World) -> None:
    """An issue that no later look could show is UNRESOLVED with evidence after one look (rule 5)."""
    world.script.reactions.append(LOST)
    world.script.found.append(Unfindable("no answer named a card"))
    issued = await world.begin(world.issue())
    assert (issued.state, issued.evidence) == (State.UNRESOLVED, "no answer named a card")
    assert (len(world.script.requests), len(world.script.finds)) == (1, 1)
