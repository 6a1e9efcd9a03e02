"""Budgets for wrong guesses: never below none, each caller's own, and nothing to cards in use (rule 16)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest

from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.guesses import Guess, Guesses, Question
from giftcard_gateway.config.settings import Limits
from giftcard_gateway.errors import RateLimited
from giftcard_gateway.journal.indexes import BlindIndexes
from giftcard_gateway.seal import HashKey
from tests.gateway.access.test_shares import Turned

LIMITS = Limits(
    guesses=3,
    guess_every_s=10.0,
    end_user_guesses=1,
    end_user_guess_every_s=100.0,
    pin_guesses=2,
    pin_guess_every_s=100.0,
)
ASKED = Question(caller="a", provider="shop", purpose="REDEEM")


def card(number: int, pin: str = "") -> CardRef:
    """Return a card, with a PIN if one is given."""
    return CardRef(number=Secret(f"6045{number:012}"), pin=ClearPin(pin=Secret(pin)) if pin else None)


@dataclass
class World:
    """Budgets on a clock that a test turns."""

    clock: Turned = field(default_factory=Turned)

    def __post_init__(self) -> None:
        """Open the budgets."""
        key = HashKey("h", b"h" * 32)
        self.guesses = Guesses(LIMITS, self.clock, BlindIndexes(key))

    async def ask(self, *cards: CardRef, question: Question = ASKED, wait_s: float = 0.0) -> Guess:
        """Ask about cards."""
        return await self.guesses.ask(question, cards, wait_s=wait_s)

    async def miss(self, *cards: CardRef, question: Question = ASKED) -> None:
        """Guess wrongly."""
        (await self.ask(*cards, question=question)).end(is_back=False)

    async def hit(self, *cards: CardRef, question: Question = ASKED) -> None:
        """Guess rightly."""
        (await self.ask(*cards, question=question)).right()


async def test_a_used_up_budget_refuses_guesses() -> None:
    """After so many misses the next unknown card is refused, and let through when a token has come."""
    world = World()
    for number in range(3):
        await world.miss(card(number))
    with pytest.raises(RateLimited) as refused:
        await world.ask(card(9))
    assert refused.value.retry_after_s == pytest.approx(10.0)
    world.clock.seconds = 10.0
    await world.miss(card(9))
    with pytest.raises(RateLimited):
        await world.ask(card(10))


async def test_hits_cost_nothing() -> None:
    """However many cards are found, the budget stays whole."""
    world = World()
    for number in range(50):
        await world.hit(card(number))
    for number in range(3):
        await world.miss(card(100 + number))
    assert not isinstance(world.guesses.try_ask(ASKED, [card(200)]), Guess)


async def test_cards_in_use_pass() -> None:
    """With the budget used up, a card that was found before passes, and only for its caller and purpose."""
    world = World()
    await world.hit(card(1))
    for number in range(3):
        await world.miss(card(10 + number))
    await world.hit(card(1))
    for other in ("purpose", "end_user", "provider"):
        await world_refuses(world, msgspec.structs.replace(ASKED, **{other: "other"}), other)
    world.clock.seconds = 5.0
    assert isinstance(world.guesses.try_ask(ASKED, [card(1)]), Guess)
    await world.hit(card(1))


async def world_refuses(world: World, question: Question, what: str) -> None:
    """Check that a card in use needs a token where something differs; a provider has its own budget."""
    asked = world.guesses.try_ask(question, [card(1)])
    if what == "provider":
        assert isinstance(asked, Guess)
        asked.end(is_back=True)
    else:
        assert not isinstance(asked, Guess)


async def test_another_pin_is_another_guess() -> None:
    """A card that is in use with one PIN is a guess with another."""
    world = World()
    await world.hit(card(1, "1234"))
    for number in range(3):
        await world.miss(card(10 + number))
    await world.hit(card(1, "1234"))
    with pytest.raises(RateLimited):
        await world.ask(card(1, "9999"))


async def test_a_cards_pins_have_a_budget_of_their_own() -> None:
    """Wrong PINs of one card end whoever sends them, and other cards are not touched."""
    world = World()
    for caller in ("a", "b"):
        await world.miss(card(1, "0000"), question=msgspec.structs.replace(ASKED, caller=caller))
    third = msgspec.structs.replace(ASKED, caller="c")
    with pytest.raises(RateLimited):
        await world.ask(card(1, "0001"), question=third)
    await world.hit(card(2, "0001"), question=third)


async def test_an_end_user_does_not_use_up_its_callers_budget() -> None:
    """An end user who guesses is stopped alone; the caller's others go on."""
    world = World()
    guesser, other = (msgspec.structs.replace(ASKED, end_user=name) for name in ("x", "y"))
    await world.miss(card(1), question=guesser)
    with pytest.raises(RateLimited):
        await world.ask(card(2), question=guesser)
    await world.hit(card(3), question=other)
    await world.miss(card(4))


async def test_many_at_once_never_make_more_guesses_than_there_are_tokens() -> None:
    """A hundred who ask at once for cards that are not there are asked for three; the others are refused."""
    world, asked = World(), 0

    async def guess(number: int) -> bool:
        nonlocal asked
        try:
            one = await world.ask(card(number), wait_s=30.0)
        except RateLimited:
            return False
        asked += 1
        await asyncio.sleep(0)
        one.end(is_back=False)
        return True

    done = await asyncio.gather(*map(guess, range(100)))
    assert sum(done) == asked == 3
    world.clock.seconds = 10.0
    await world.miss(card(200))


async def test_many_good_cards_at_once_wait_for_each_other() -> None:
    """A hundred who ask at once for cards that are there all get their turn."""
    world = World()
    at_once = most = served = 0

    async def use(number: int) -> None:
        nonlocal at_once, most, served
        one = await world.ask(card(number), wait_s=30.0)
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        served += 1
        one.right()

    await asyncio.gather(*map(use, range(100)))
    assert (most, served) == (3, 100)


async def test_an_end_counts_once() -> None:
    """A guess that has ended ends no second time."""
    world = World()
    guess = await world.ask(card(1))
    guess.end(is_back=False)
    guess.end(is_back=True)
    for number in range(2):
        await world.miss(card(number))
    with pytest.raises(RateLimited):
        await world.ask(card(9))
