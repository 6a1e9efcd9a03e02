"""Budgets for wrong guesses, so that the gateway is no oracle for numbers and PINs (rule 16).

Whoever asks about a card is lent a token first: of the caller's budget at the card's provider, of the end
user's where the caller names one, and of the card's own where a PIN comes with it. It goes back when the
guess was right and is gone when it was wrong. So however many ask at once, no more wrong guesses are made
than there were tokens: who finds none waits for those that are lent, and is refused once none are.

A card that this caller, for this end user, has shown rightly for the same purpose within a day needs no
token: telling once more what was told before gives nothing away. So a used-up budget refuses guesses, not the
cards in use. The purpose counts because a provider may look at a PIN for one thing and not for another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.declines import DeclineReason
from giftcard_gateway.access.buckets import Bucket, ByName
from giftcard_gateway.errors import CardNotFound, RateLimited, ReadRefused, used_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from giftcard_adapters.values.cards import CardRef
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Limits
    from giftcard_gateway.journal.indexes import BlindIndexes

_WRONG = frozenset({DeclineReason.CARD_UNKNOWN, DeclineReason.PIN_INCORRECT})
_KNOWN = 100_000
"""How many cards in use are remembered, as keyed hashes; the one not shown for longest is forgotten first."""
_DAY_S = 24 * 3600.0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks whom what for: a caller, and one of its end users if it names one."""

    caller: str
    end_user: str = ""
    provider: str
    purpose: str
    """The operation, or the read."""

    @property
    def place(self) -> str:
        """Return all of it as one text."""
        return f"{self.caller}\0{self.end_user}\0{self.provider}\0{self.purpose}"


def is_wrong(reason: DeclineReason | None) -> bool:
    """Tell whether a provider's no means that the card or its PIN was guessed wrongly."""
    return reason in _WRONG


def is_wrong_guess(fault: BaseException) -> bool:
    """Tell whether a read failed because the card or its PIN was guessed wrongly."""
    return isinstance(fault, CardNotFound) or (
        isinstance(fault, ReadRefused) and is_wrong(fault.decline.reason)
    )


class Guess:
    """One question about a card, or about the two of a transfer. It must come to its end once."""

    __slots__ = ("_buckets", "_guesses", "_shown")

    def __init__(self, guesses: Guesses, buckets: Sequence[Bucket], shown: Sequence[bytes]) -> None:
        self._guesses = guesses
        self._buckets = buckets
        self._shown = shown

    def right(self) -> None:
        """The cards are there: put the tokens back, and let the cards pass from now on."""
        self._guesses.note(self._shown)
        self.end(is_back=True)

    def end(self, *, is_back: bool) -> None:
        """Put the tokens back, or take them for good; a second time does nothing."""
        if self._buckets:
            for bucket in self._buckets:
                bucket.end(is_back=is_back)
            self._buckets = ()
            self._guesses.wake()


class Guesses:
    """The budgets of all callers, end users and cards of one process."""

    def __init__(self, limits: Limits, clock: Clock, indexes: BlindIndexes) -> None:
        """Begin with full budgets and no card in use."""
        self._clock = clock
        self._indexes = indexes
        self._limits = limits
        self._callers = self._budgets(_of_callers)
        self._users = self._budgets(_of_users)
        self._pins = self._budgets(_of_pins)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._ended: asyncio.Event | None = None
        """Set when a guess ends, and there only while somebody waits for that."""

    def renew(self, limits: Limits) -> None:
        """Go by other limits from now on; no guess that was wrong is forgiven for it."""
        self._limits = limits
        for budgets, measure in (
            (self._callers, _of_callers),
            (self._users, _of_users),
            (self._pins, _of_pins),
        ):
            for bucket in budgets:
                size, every_s = measure(limits)
                bucket.resize(size=size, every_s=every_s)

    def _budgets(self, measure: Callable[[Limits], tuple[int, float]]) -> ByName[tuple[str, str], Bucket]:
        def full() -> Bucket:
            size, every_s = measure(self._limits)
            return Bucket(self._clock, size=size, every_s=every_s)

        return ByName(full, is_held=lambda bucket: not bucket.is_idle)

    async def ask(self, question: Question, cards: Sequence[CardRef], *, wait_s: float) -> Guess:
        """Return the guess that a question about these cards is; raises RateLimited without a budget.

        Waits up to `wait_s` seconds for guesses of others to end, if the budget is only lent. A question
        without cards is one about whatever the provider finds.
        """
        until_s = None
        while not isinstance(guess := self.try_ask(question, cards), Guess):
            now_s = self._clock.monotonic_s()
            until_s = now_s + wait_s if until_s is None else until_s
            left_s = until_s - now_s
            if not guess.lent or left_s <= 0:
                raise refused(guess)
            if self._ended is None:
                self._ended = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, max(guess.wait_s, 0.01))):
                    await self._ended.wait()
        return guess

    def try_ask(self, question: Question, cards: Sequence[CardRef]) -> Guess | Bucket:
        """Return the guess, or the budget that has no token left for it."""
        place = question.place
        shown = [self._indexes.shown(place, card) for card in cards]
        if shown and self._are_known(shown):
            return Guess(self, (), shown)
        buckets = [self._callers.get((question.caller, question.provider))]
        if question.end_user:
            buckets.append(self._users.get((question.caller, question.end_user)))
        buckets += [self._pins.get(("", self._indexes.card(card).hex())) for card in cards if card.pin]
        for bucket in buckets:
            if not bucket.tokens:
                return bucket
        for bucket in buckets:
            bucket.lend(1)
        return Guess(self, buckets, shown)

    def note(self, shown: Sequence[bytes]) -> None:
        """Remember cards as in use."""
        now_s = self._clock.monotonic_s()
        for one in shown:
            self._known[one] = now_s
            self._known.move_to_end(one)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def wake(self) -> None:
        """Let those who wait look again."""
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def _are_known(self, shown: Sequence[bytes]) -> bool:
        since_s = self._clock.monotonic_s() - _DAY_S
        for one in shown:  # noqa: SIM110 - a generator costs more than what it looks at
            if one not in self._known or self._known[one] <= since_s:
                return False
        return True


def _of_callers(limits: Limits) -> tuple[int, float]:
    return limits.guesses, limits.guess_every_s


def _of_users(limits: Limits) -> tuple[int, float]:
    return limits.end_user_guesses, limits.end_user_guess_every_s


def _of_pins(limits: Limits) -> tuple[int, float]:
    return limits.pin_guesses, limits.pin_guess_every_s


def refused(bucket: Bucket) -> RateLimited:
    """Return what is told of a budget that is used up."""
    refusal = RateLimited("Too many cards or PINs were guessed wrongly; nothing was asked.")
    refusal.retry_after_s = max(bucket.wait_s, 0.1)
    return used_up(refusal, "guesses")
