"""What the simulation found, each told as the smallest story that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import msgspec
import pytest

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.jeudimerci import JeudiMerci
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind, ReversalReason
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Operation, Redeem
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.errors import JournalUnavailable, TransactionIdReused
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.pipeline.driver import LeaseLost
from tests.crash import virtual
from tests.crash.life import Life, adopt_tasks
from tests.crash.plan import quiet
from tests.crash.providers import ACTIVE_CARDS, ELECTRUM
from tests.crash.simulation import open_stage
from tests.crash.virtual import EPOCH, VirtualClock
from tests.crash.weather import Weather
from tests.gateway.pipeline.world import LOST, World, play

HALF = Money("ZAR", 5_000)


async def _reverse(world: World, transaction_id: str, amount: Money | None) -> State:
    reverse = world.transactions.reverse
    reason = ReversalReason.CANCELLED
    return (await reverse(Operation.REDEEM, transaction_id, reason=reason, amount=amount, wait_s=30)).state


def test_no_part_of_an_unknown_is_left_standing() -> None:
    """A part that is to be put back of what turns out unknown is all of it, and repeating that is harmless.

    The provider may never have seen the request: then REVERSED with a part standing would be a lie.
    """

    async def story(world: World) -> None:
        world.script.reactions.extend([2.0, LOST])
        ask = world.redeem()
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=30))
        await asyncio.sleep(1)
        assert await _reverse(world, ask.transaction_id, HALF) is State.REVERSED
        await call
        assert world.script.advices[0][1].amount is None
        assert await _reverse(world, ask.transaction_id, HALF) is State.REVERSED
        assert await _reverse(world, ask.transaction_id, None) is State.REVERSED
        assert len(world.script.advices) == 1

    play(story)


def test_an_early_reversal_of_a_part_can_be_repeated() -> None:
    """A reversal that names an amount and comes before its request is as harmless to repeat as any other."""

    async def story(world: World) -> None:
        ask = world.redeem()
        for _ in range(2):
            assert await _reverse(world, ask.transaction_id, HALF) is State.REVERSED

    play(story)


def test_a_second_reversal_of_another_part_is_refused() -> None:
    """While a reversal waits for the outcome, one of another part is refused; the first is what is done."""

    async def story(world: World) -> None:
        world.script.reactions.append(2.0)
        ask = world.redeem()
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=30))
        await asyncio.sleep(1)
        first = asyncio.create_task(_reverse(world, ask.transaction_id, HALF))
        await asyncio.sleep(0.1)
        with pytest.raises(TransactionIdReused):
            await _reverse(world, ask.transaction_id, None)
        assert await first is State.REVERSED
        await call
        assert world.script.advices[0][1].amount == HALF

    play(story)


class Sleepy(Weather):
    """Fair weather, in which one process stands still once it wrote an intent down."""

    life: Life | None = None

    def stops(self, place: str, subject: str) -> bool:
        """Stop nobody."""
        del subject
        if place == "after opening" and self.life is not None:
            self.life.pause()
        return False


def test_a_process_that_slept_past_its_lease_sends_nothing() -> None:
    """A process that stands still after it wrote an intent is silent when it wakes: another has decided."""

    async def story(clock: VirtualClock) -> None:
        asyncio.get_running_loop().set_task_factory(adopt_tasks)
        async with open_stage(quiet(2), clock, Sleepy) as stage:
            first, second = (place.process for place in stage.cluster.places)
            assert first is not None
            assert second is not None
            card = CardRef(number=Secret(ACTIVE_CARDS[0]))
            ask = Redeem(
                transaction_id=clock.uuid4(),
                requested_at=clock.now(),
                provider=ELECTRUM,
                amount=HALF,
                card=card,
            )
            assert isinstance(stage.world.weather, Sleepy)
            stage.world.weather.life = first.life
            call = asyncio.ensure_future(first.life.answer(first.transactions.begin(ask, wait_s=30)))
            await asyncio.sleep(200)
            assert (await second.transactions.get(ask.transaction_id)).state is State.REVERSED
            first.life.resume()
            assert (await call).entry.state is State.REVERSED
            assert not any("sends a request" in event.text for event in stage.world.chronicle.events)
            assert not (await stage.judge()).broken

    virtual.run(1, story)


def test_a_sweep_that_hears_late_of_its_claim_finds_the_step_made() -> None:
    """A sweep takes up what the task before it has finished under the same fence, and leaves it as it is."""

    async def story(world: World) -> None:
        approved = (await world.transactions.begin(world.load(), wait_s=30)).entry
        stale = msgspec.structs.replace(
            approved, state=State.PENDING, version=approved.version - 1, driver="gateway-1", attempts=1
        )
        with pytest.raises(LeaseLost):
            await world.driver.advance(stale)
        assert await world.entry(approved.transaction_id) == approved

    play(story)


def test_a_caller_that_leaves_takes_its_refusal_along() -> None:
    """A journal that is away, of a caller that has left, is nobody's unretrieved exception."""
    faults: list[Mapping[str, object]] = []

    async def story(world: World) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        ask = world.redeem()

        async def refuse(_: object) -> None:
            await asyncio.sleep(1)
            raise JournalUnavailable

        world.transactions._open = refuse  # type: ignore[method-assign, assignment]  # noqa: SLF001 -- its fault
        call = asyncio.create_task(world.transactions.begin(ask, wait_s=30))
        await asyncio.sleep(0.5)
        call.cancel()
        await asyncio.sleep(2)

    play(story)
    assert not faults


async def test_a_broken_no_to_a_deletion_is_no_answer() -> None:
    """A 404 whose JSON breaks off may say that the e-card is gone: the deletion is tried again."""
    headers = {"content-type": "application/json"}
    broken = httpx.MockTransport(lambda _: httpx.Response(404, headers=headers, content=b'{"detail":"E-ca'))
    stanza = {"base_url": "http://jeudimerci.test", "api_key": "not-a-key", "currency": "EUR"}
    provider = open_provider(
        JeudiMerci,
        read_settings(JeudiMerci, stanza),
        transport=broken,
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
    )
    advice = Advice(advice_id="a", kind=AdviceKind.REVERSAL, written_at=EPOCH)
    with pytest.raises(Unreadable):
        await provider.deliver(Call(method="DELETE", path="/jdm/ecards/JDM1"), advice, age_s=0.0)
