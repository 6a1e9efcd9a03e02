"""The callers: shops that begin, repeat, confirm, reverse, ask and forget, whatever the gateway says.

A caller knows only what it was told. Each sale draws its own temper, and repeats with the same id as
long as it does not know.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

import msgspec

from giftcard_adapters.values.advices import AdviceKind, ReversalReason
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import (
    Activate,
    AnyOperation,
    Issue,
    Load,
    Redeem,
    Replace,
    Transfer,
    Void,
)
from giftcard_adapters.values.point_of_sale import Product
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL, Identity
from giftcard_gateway.errors import GatewayError, JournalUnavailable, Overloaded, ProviderUnreachable
from giftcard_gateway.ledger.entry import Entry
from giftcard_gateway.ledger.tenants import key_of
from tests.crash import providers
from tests.crash.life import Lost

if TYPE_CHECKING:
    from giftcard_gateway.pipeline.transactions import Transactions
    from tests.crash.gateway import Cluster
    from tests.crash.witness import Witness
    from tests.world.clock import VirtualClock

_AGAIN = (JournalUnavailable, Overloaded, ProviderUnreachable)
"""Refusals after which a caller tries again: nothing was sent."""


class Shared(TypedDict):
    """What every ask has."""

    transaction_id: str
    requested_at: datetime


class Assortment:
    """Draws what is asked for: all operations of all four providers."""

    def __init__(self, chance: random.Random, *, has_voids: bool) -> None:
        """Begin with every new card unsold."""
        self._chance = chance
        self._has_voids = has_voids
        self._new = list(providers.NEW_CARDS)
        self._gr4vy_new = list(providers.GR4VY_NEW_CARDS)

    def draw(self, transaction_id: str, at: datetime) -> AnyOperation:
        """Return the next thing somebody asks for."""
        shared: Shared = {"transaction_id": transaction_id, "requested_at": at}
        kinds: list[tuple[int, Callable[[Shared], AnyOperation | None]]] = [
            (30, self._redeem),
            (10, self._load),
            (10, self._activate),
            (8, self._transfer),
            (4, self._replace),
            (3, self._void),
            (14, self._gr4vy_redeem),
            (4, self._gr4vy_activate),
            (8, self._jeudimerci_issue),
            (7, self._gatepay_issue),
        ]
        (draw,) = self._chance.choices([one for _, one in kinds], [weight for weight, _ in kinds])
        return draw(shared) or self._redeem(shared)

    def _rand(self) -> Money:
        return Money("ZAR", self._chance.randrange(10, 300) * 10)

    def _card(self, numbers: tuple[str, ...] = providers.ACTIVE_CARDS) -> CardRef:
        return CardRef(number=Secret(self._chance.choice(numbers)))

    def _redeem(self, shared: Shared) -> AnyOperation:
        card = self._card((*providers.ACTIVE_CARDS, providers.POOR_CARD))
        return Redeem(**shared, provider=providers.ELECTRUM, amount=self._rand(), card=card)

    def _load(self, shared: Shared) -> AnyOperation:
        return Load(**shared, provider=providers.ELECTRUM, amount=self._rand(), card=self._card())

    def _activate(self, shared: Shared) -> AnyOperation | None:
        if not self._new:
            return None
        return Activate(
            **shared,
            provider=providers.ELECTRUM,
            amount=self._rand() if self._chance.random() < 0.7 else None,
            card=CardRef(number=Secret(self._new.pop())),
            product=Product(product_id=self._chance.choice(("product001", "product009"))),
        )

    def _transfer(self, shared: Shared) -> AnyOperation:
        source, target = self._chance.sample(providers.ACTIVE_CARDS, 2)
        return Transfer(
            **shared,
            provider=providers.ELECTRUM,
            amount=self._rand(),
            source_card=CardRef(number=Secret(source)),
            target_card=CardRef(number=Secret(target)),
        )

    def _replace(self, shared: Shared) -> AnyOperation | None:
        if not self._new:
            return None
        new = CardRef(number=Secret(self._new.pop()))
        return Replace(**shared, provider=providers.ELECTRUM, old_card=self._card(), new_card=new)

    def _void(self, shared: Shared) -> AnyOperation | None:
        if not self._has_voids:
            return None
        return Void(**shared, provider=providers.ELECTRUM, card=self._card())

    def _dollars(self) -> Money:
        # The simulator fails the refund of an amount that ends in 3 for good.
        return Money("USD", self._chance.randrange(10, 200) * 10 + self._chance.choice((0, 0, 0, 0, 3)))

    def _gr4vy_redeem(self, shared: Shared) -> AnyOperation:
        number, pin = self._chance.choice(providers.GR4VY_CARDS)
        card = CardRef(number=Secret(number), pin=ClearPin(pin=Secret(pin)))
        return Redeem(**shared, provider=providers.GR4VY, amount=self._dollars(), card=card)

    def _gr4vy_activate(self, shared: Shared) -> AnyOperation | None:
        if not self._gr4vy_new:
            return None
        number, pin = self._gr4vy_new.pop()
        card = CardRef(number=Secret(number), pin=ClearPin(pin=Secret(pin)))
        return Activate(**shared, provider=providers.GR4VY, amount=self._dollars(), card=card)

    def _jeudimerci_issue(self, shared: Shared) -> AnyOperation:
        amount = Money("EUR", self._chance.randrange(16, 100) * 100)
        return Issue(
            **shared, provider=providers.JEUDIMERCI, amount=amount, quantity=self._chance.choice((1, 1, 2))
        )

    def _gatepay_issue(self, shared: Shared) -> AnyOperation:
        amount = Money("USD", self._chance.randrange(1, 50) * 100)
        return Issue(**shared, provider=providers.GATEPAY, amount=amount, title=shared["transaction_id"])


class Caller:
    """One sale from its first call to the last repeat."""

    def __init__(
        self,
        ask: AnyOperation,
        *,
        cluster: Cluster,
        witness: Witness,
        clock: VirtualClock,
        seed: str,
        by: Identity = LOCAL,
    ) -> None:
        """Draw everything else from `seed`."""
        self.ask = ask
        self._id = ask.transaction_id
        self._by = by
        self._subject = key_of(by.tenant, ask.transaction_id)
        """What witness, journal and providers call it."""
        self._cluster = cluster
        self._witness = witness
        self._clock = clock
        self._chance = random.Random(seed)

    async def run(self) -> None:
        """Play the sale through."""
        if self._chance.random() < 0.05:
            await self._reverse(self._part(), tries=2)
        crowd = 1 if self._chance.random() < 0.8 else self._chance.randint(2, 4)
        impatient = self._chance.random() < 0.16
        begun = asyncio.gather(*(self._begin() for _ in range(crowd)))
        if impatient:
            await asyncio.sleep(self._chance.uniform(0, 3))
            await self._reverse(self._part(), tries=4)
        await begun
        await self._decide()
        for _ in range(self._chance.choice((0, 0, 1, 2))):
            await asyncio.sleep(self._chance.uniform(0, 100))
            await self._come_back()

    async def check(self) -> None:
        """Repeat the first call when all is over: it must still be known, and what it came to with it."""
        await self._begin()
        await self._get()

    async def _decide(self) -> None:
        await asyncio.sleep(self._chance.choice((0.0, 0.0, 1.0, 40.0)))
        match self._chance.choices(("confirm", "part", "reverse", "both", "leave"), (50, 12, 20, 6, 12)):
            case ["confirm"]:
                await self._confirm(None)
            case ["part"]:
                await self._confirm(self._part())
            case ["reverse"]:
                await self._reverse(self._part(), tries=6)
            case ["both"]:
                await asyncio.gather(self._confirm(None), self._reverse(None, tries=6))

    async def _come_back(self) -> None:
        match self._chance.choice(("begin", "get", "confirm", "reverse", "redeliver")):
            case "begin":
                await self._begin()
            case "get":
                await self._get()
            case "confirm":
                await self._confirm(None)
            case "reverse":
                await self._reverse(None, tries=1)
            case "redeliver":
                wait_s = self._wait_s()
                await self._say(
                    "redeliver", lambda gateway: gateway.redeliver(self._id, wait_s=wait_s, by=self._by)
                )

    async def _begin(self) -> None:
        ask = self.ask
        for _ in range(self._chance.randint(1, 6)):
            ask = msgspec.structs.replace(ask, requested_at=self._clock.now())
            wait_s = self._wait_s()

            async def begin(gateway: Transactions, ask: AnyOperation = ask, wait_s: float = wait_s) -> Entry:
                return (await gateway.begin(ask, wait_s=wait_s, by=self._by)).entry

            if await self._say("begin", begin) is not None:
                return
            await self._pause()

    async def _get(self) -> None:
        wait_s = self._wait_s()
        await self._say("get", lambda gateway: gateway.get(self._id, wait_s=wait_s, by=self._by))

    async def _confirm(self, amount: Money | None) -> None:
        for _ in range(self._chance.randint(1, 6)):
            wait_s = self._wait_s()

            async def confirm(gateway: Transactions, wait_s: float = wait_s) -> Entry:
                return await gateway.confirm(
                    self.ask.operation, self._id, amount=amount, wait_s=wait_s, by=self._by
                )

            told = await self._say(f"confirm {amount or 'all'}", confirm)
            if isinstance(told, Entry):
                self._witness.accepted(self._subject, self.ask, AdviceKind.CONFIRMATION, amount)
            if told is not None:
                return
            await self._pause()

    async def _reverse(self, amount: Money | None, *, tries: int) -> None:
        for _ in range(tries):
            wait_s = self._wait_s()

            async def reverse(gateway: Transactions, wait_s: float = wait_s) -> Entry:
                return await gateway.reverse(
                    self.ask.operation,
                    self._id,
                    reason=ReversalReason.CANCELLED,
                    amount=amount,
                    wait_s=wait_s,
                    by=self._by,
                )

            told = await self._say(f"reverse {amount or 'all'}", reverse)
            if isinstance(told, Entry):
                self._witness.accepted(self._subject, self.ask, AdviceKind.REVERSAL, amount)
            if told is not None:
                return
            await self._pause()

    async def _say(
        self, call: str, work: Callable[[Transactions], Coroutine[object, object, Entry]]
    ) -> Entry | GatewayError | None:
        """Make one call; None when it must be made again, because nobody knows or nothing was done."""
        known = self._witness.known(self._subject)
        try:
            async with asyncio.timeout(self._chance.choice((1.0, 10.0, 100.0))):
                entry = await self._cluster.ask(work)
        except (Lost, TimeoutError):
            self._witness.missed(self._subject, call)
            return None
        except _AGAIN as refusal:
            self._witness.refused(self._subject, call, refusal, known)
            return None
        except GatewayError as refusal:
            self._witness.refused(self._subject, call, refusal, known)
            return refusal
        self._witness.told(self._subject, call, entry, known)
        return entry

    def _part(self) -> Money | None:
        amount = self.ask.amount
        if amount is None or self._chance.random() < 0.5:
            return None
        return Money(amount.currency, amount.amount_minor // 20 * 10)

    def _wait_s(self) -> float:
        return self._chance.choice((0.0, 2.0, 30.0, 90.0))

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.choice((0.0, 1.0, 15.0)))
