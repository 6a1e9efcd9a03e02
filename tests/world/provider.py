"""A provider that does what its script says, and one that tells of events besides."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import httpx
import msgspec

from giftcard_adapters.calls import Call
from giftcard_adapters.codec import unpacker
from giftcard_adapters.contract import Provider, Settings, traits
from giftcard_adapters.errors import NotSent, TimedOut, Unfindable
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Load, MoneyOperation, Redeem, Void
from giftcard_adapters.values.outcomes import Balances, IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_gateway.clock import Clock

NUMBER = "6045120000000007"
RAND = Money("ZAR", 10_000)
APPROVED = Outcome(verdict=Verdict.APPROVED, approved=RAND, balances=(Balances(book=RAND, available=RAND),))
ISSUED = Outcome(
    verdict=Verdict.APPROVED, approved=RAND, issued_cards=(IssuedCard(number=Secret(NUMBER), amount=RAND),)
)
NOT_LISTED = Outcome(verdict=Verdict.UNKNOWN, evidence="not listed")
LOST = TimedOut("no answer in time")
REFUSED_CONNECTION = NotSent("no connection")
DONE = Acknowledgement(receipt=Receipt.DONE)
AGAIN = Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 503")

Reaction = Outcome | Acknowledgement | Exception | float
"""What the scripted provider does: answer, fail, or first take so many seconds."""

_EVENTS = unpacker(tuple[ProviderEvent, ...])
_SETTINGS = Settings(base_url="http://provider.test", timeout_s=30.0)


@dataclass
class Script:
    """What the provider will do, and what it saw."""

    reactions: deque[Reaction] = field(default_factory=deque)
    requests: list[MoneyOperation] = field(default_factory=list)
    advices: list[tuple[Call, Advice]] = field(default_factory=list)
    finds: list[MoneyOperation] = field(default_factory=list)
    found: deque[Outcome | Unfindable] = field(default_factory=deque)
    """What looking for any request will find or raise next; nothing when it is through."""
    found_of: dict[str, Outcome] = field(default_factory=dict)
    """What looking for the request of one id will find, before all else."""

    async def next(self, otherwise: Reaction) -> Outcome | Acknowledgement:
        """Play the next reaction, or the usual one when the script is through."""
        while True:
            reaction = self.reactions.popleft() if self.reactions else otherwise
            if isinstance(reaction, float):
                await asyncio.sleep(reaction)
                continue
            if isinstance(reaction, Exception):
                raise reaction
            return reaction

    async def outcome(self, otherwise: Reaction = APPROVED) -> Outcome:
        """Play the next reaction to a request."""
        answer = await self.next(otherwise)
        assert isinstance(answer, Outcome)
        return answer


class Refusing(httpx.AsyncBaseTransport):
    """Stands where a connection would be; a scripted provider never uses it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail: nothing here may reach for the network."""
        raise AssertionError(request.method)


class Scripted(Provider):
    """A provider that does what its script says: two-phase redeems and loads, one-shot issues and voids."""

    settings_type = Settings

    def __init__(self, settings: Settings, exchange: Exchange) -> None:
        """Begin with an empty script."""
        super().__init__(settings, exchange)
        self.script = Script()

    @classmethod
    def open(cls, clock: Clock) -> Self:
        """Return one that nothing connects to a network."""
        exchange = Exchange(
            base_url=_SETTINGS.base_url,
            transport=Refusing(),
            moment=clock.moment,
            timeout_s=_SETTINGS.timeout_s,
        )
        return cls(_SETTINGS, exchange)

    @traits(Guarantee.NATIVE, Ending.REVERSE, is_confirmation_partial=True, is_reversal_partial=True)
    async def redeem(self, ask: Redeem) -> Outcome:
        """Redeem as scripted."""
        return await self._play(ask)

    @traits(Guarantee.COMPENSATED, Ending.RESEND, resend_window_s=3600.0)
    async def load(self, ask: Load) -> Outcome:
        """Load as scripted; the provider remembers the id for an hour."""
        return await self._play(ask)

    @traits(Guarantee.NONE, Ending.FIND, find_window_s=600.0)
    async def issue(self, ask: Issue) -> Outcome:
        """Issue as scripted; there is no way back."""
        return await self._play(ask)

    @traits(Guarantee.NONE, Ending.PERSON)
    async def void(self, ask: Void) -> Outcome:
        """Void as scripted; nobody can find out what became of one."""
        return await self._play(ask)

    async def _play(self, ask: MoneyOperation) -> Outcome:
        self.script.requests.append(ask)
        return await self.script.outcome()

    def confirmation(self, ask: MoneyOperation, outcome: Outcome, advice: Advice) -> tuple[Call, ...]:
        """Write one call that names everything in the advice."""
        return (_call("confirmations", ask, outcome, advice),)

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write one call that names everything in the advice."""
        return (_call("reversals", ask, outcome, advice),)

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Acknowledge as scripted."""
        assert age_s >= 0
        self.script.advices.append((call, advice))
        receipt = await self.script.next(DONE)
        assert isinstance(receipt, Acknowledgement)
        return receipt

    async def find(self, ask: MoneyOperation, outcome: Outcome | None) -> Outcome:
        """Find as scripted."""
        del outcome
        self.script.finds.append(ask)
        if ask.transaction_id in self.script.found_of:
            return self.script.found_of[ask.transaction_id]
        told = self.script.found.popleft() if self.script.found else NOT_LISTED
        if isinstance(told, Unfindable):
            raise told
        return told


class Herald(Scripted):
    """A scripted provider whose events are ours, as they are packed."""

    def read_webhook(self, webhook: Webhook) -> Sequence[ProviderEvent]:
        """Return the events of a body."""
        events: tuple[ProviderEvent, ...] = _EVENTS.decode(webhook.body)
        return events


def _call(kind: str, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> Call:
    return Call(
        method="POST",
        path=f"/{ask.transaction_id}/{kind}/{advice.advice_id}",
        body=msgspec.json.encode([advice.amount, advice.reason, outcome is not None]),
    )
