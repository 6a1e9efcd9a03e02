"""What the simulation found, each told as the smallest story that shows it."""

from __future__ import annotations

import asyncio

import httpx

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.jeudimerci import JeudiMerci
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind, Receipt
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.ledger.entry import State
from tests.crash.life import Life
from tests.crash.plan import quiet
from tests.crash.providers import ACTIVE_CARDS, ELECTRUM
from tests.crash.simulation import open_stage
from tests.crash.weather import Weather
from tests.world import clock as virtual
from tests.world.clock import EPOCH, VirtualClock

HALF = Money("ZAR", 5_000)


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
            call = asyncio.ensure_future(
                first.life.answer(first.transactions.begin(ask, wait_s=30, by=LOCAL))
            )
            await asyncio.sleep(900)
            assert (await second.transactions.get(ask.transaction_id, by=LOCAL)).state is State.REVERSED
            first.life.resume()
            assert (await call).entry.state is State.REVERSED
            assert not any("sends a request" in event.text for event in stage.world.chronicle.events)
            assert not (await stage.judge()).broken

    virtual.run(1, story)


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
    told = await provider.deliver(Call(method="DELETE", path="/jdm/ecards/JDM1"), advice, age_s=0.0)
    assert told.receipt is Receipt.AGAIN
