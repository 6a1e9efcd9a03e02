"""The callers of the rounds: shops that keep their ids, repeat what got lost, and sometimes walk away.

A sale knows what it asked and what it was told, and nothing of the gateway. What the gateway must make of
it is in `verdict`.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import grpc

from giftcard import (
    CHANNEL_OPTIONS,
    AsyncClient,
    CallError,
    Card,
    ConfirmationFailed,
    Conflict,
    RepeatPolicy,
    is_approved,
    is_final,
    is_pending,
    new_transaction_id,
    v1,
)
from tests.crash.processes.counters import DOLLAR_CARDS, ENDING_CARDS, NEW_CARDS, TILL_CARDS

State: TypeAlias = str
"""A transaction's state without its prefix, such as APPROVED."""

_PERSISTENCE_S = 25.0
"""How long a caller goes on asking; long enough for any gateway or database to come back."""
_KINDS = (
    ("redeem", 30),
    ("dollars", 16),
    ("load", 14),
    ("transfer", 12),
    ("activate", 8),
    ("void", 6),
    ("replace", 4),
)


@dataclass
class Sale:
    """One money operation that somebody asks for."""

    transaction_id: str
    operation: str
    fields: dict[str, object]
    currency: str = "ZAR"
    amount_minor: int = 0
    cards: tuple[str, ...] = ()
    final_minor: int | None = None
    """What a confirmation was asked to make final; None for all of it."""
    told: list[State] = field(default_factory=list)
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    answered_at: datetime | None = None
    """When its caller first heard that it was approved."""
    is_abandoned: bool = False

    def hear(self, transaction: v1.Transaction) -> None:
        """Keep what the caller was told."""
        self.told.append(state_of(transaction))
        if is_approved(transaction) and self.answered_at is None:
            self.answered_at = datetime.now(UTC)

    def __repr__(self) -> str:
        """Show no card."""
        return f"{self.operation} {self.transaction_id} (told {', '.join(self.told) or 'nothing'})"


def state_of(transaction: v1.Transaction) -> State:
    """Return where a transaction stands."""
    return v1.TransactionState.Name(transaction.state).removeprefix("TRANSACTION_STATE_")


class Assortment:
    """Draws what is asked for: every operation Electrum has, and Gr4vy's redemption."""

    def __init__(self, chance: random.Random) -> None:
        """Begin with every new card unsold."""
        self._chance = chance
        self._new = list(NEW_CARDS)

    def draw(self) -> Sale:
        """Return the next sale."""
        (kind,) = self._chance.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])
        if kind in {"activate", "replace"} and not self._new:
            kind = "redeem"
        minor = self._chance.randrange(10, 300) * 10
        match kind:
            case "dollars":
                number, pin = self._chance.choice(DOLLAR_CARDS)
                sale = _sale("redeem", minor, "USD", card=Card.number(number, pin=pin))
                sale.cards = (number,)
                return sale
            case "transfer":
                source, target = self._chance.sample(TILL_CARDS, 2)
                return _sale("transfer", minor, source_card=source, target_card=target)
            case "activate":
                return _sale(
                    "activate", minor, card=self._new.pop(), product=v1.Product(product_id="product009")
                )
            case "replace":
                return _sale("replace", old_card=self._chance.choice(ENDING_CARDS), new_card=self._new.pop())
            case "void":
                return _sale("void", card=self._chance.choice(ENDING_CARDS))
            case _:
                return _sale(kind, minor, card=self._chance.choice(TILL_CARDS))


def _sale(operation: str, minor: int = 0, currency: str = "ZAR", **fields: object) -> Sale:
    amount: dict[str, object] = {"amount_minor": minor, "currency": currency} if minor else {}
    return Sale(
        transaction_id=new_transaction_id(),
        operation=operation,
        fields=amount | fields,
        currency=currency,
        amount_minor=minor,
        cards=tuple(
            str(card) for name, card in fields.items() if name.endswith("card") and isinstance(card, str)
        ),
    )


class Shop:
    """Makes sales at any of the gateways, each client beginning with another one."""

    def __init__(self, addresses: Sequence[str], chance: random.Random) -> None:
        """Open one channel for each gateway, with the others behind it."""
        self._chance = chance
        self._channels = [
            _open_channel([*addresses[first:], *addresses[:first]]) for first in range(len(addresses))
        ]
        policy = RepeatPolicy(deadline_s=4.0, longest_pause_s=0.5, chance=chance.random)
        self.clients = [AsyncClient(channel, policy=policy) for channel in self._channels]
        self.errors: Counter[str] = Counter()

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            await channel.close()

    async def trade(self, sale: Sale) -> None:
        """Carry one sale through as its caller would, who may walk away at any moment."""
        walk = asyncio.create_task(self._walk(sale))
        if self._chance.random() < 0.08:
            sale.is_abandoned = True
            await asyncio.wait({walk}, timeout=self._chance.uniform(0.0, 0.4))
            walk.cancel()
        await asyncio.gather(walk, return_exceptions=sale.is_abandoned)

    async def _walk(self, sale: Sale) -> None:
        if self._chance.random() < 0.05:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ask(sale))
                group.create_task(self._reverse_soon(sale))
            return
        transaction = await self._ask(sale)
        if transaction is None or not (is_approved(transaction) or is_pending(transaction)):
            return
        await asyncio.sleep(self._chance.uniform(0.0, 0.3))
        drawn = self._chance.random()
        if is_pending(transaction) or drawn < 0.25:
            await self._reverse(sale)
        elif drawn < 0.9:
            await self._confirm(sale)

    async def _ask(self, sale: Sale) -> v1.Transaction | None:
        return await self._insist(
            sale, lambda client, **fields: getattr(client, sale.operation)(**sale.fields, **fields)
        )

    async def _confirm(self, sale: Sale) -> None:
        final: dict[str, object] = {}
        if sale.operation == "redeem" and sale.currency == "ZAR" and self._chance.random() < 0.2:
            sale.final_minor = sale.amount_minor // 2
            final = {"final_amount_minor": sale.final_minor, "currency": sale.currency}
        await self._insist(
            sale, lambda client, **fields: getattr(client, f"confirm_{sale.operation}")(**final, **fields)
        )

    async def _reverse_soon(self, sale: Sale) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 0.1))
        await self._reverse(sale)

    async def _reverse(self, sale: Sale) -> None:
        reason = v1.ReversalReason.REVERSAL_REASON_CANCELLED
        await self._insist(
            sale,
            lambda client, **fields: getattr(client, f"reverse_{sale.operation}")(reason=reason, **fields),
        )

    async def _insist(
        self, sale: Sale, call: Callable[..., Awaitable[v1.Transaction]]
    ) -> v1.Transaction | None:
        """Repeat one call until it is answered or refused for good, each time at whatever gateway."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PERSISTENCE_S
        while loop.time() < until:
            client = self._chance.choice(self.clients)
            try:
                transaction = await call(client, transaction_id=sale.transaction_id)
            except (CallError, ConfirmationFailed) as error:
                self.errors[f"{error.code.name} {error.reason}".strip()] += 1
                if isinstance(error, Conflict) or isinstance(error.__cause__, Conflict):
                    return None
                await asyncio.sleep(self._chance.uniform(0.05, 0.3))
            else:
                sale.hear(transaction)
                if not is_pending(transaction) or is_final(transaction):
                    return transaction
                await asyncio.sleep(self._chance.uniform(0.05, 0.3))
        return None


def _open_channel(addresses: Sequence[str]) -> grpc.aio.Channel:
    """Open a channel that goes to the next gateway when one is gone, and looks for it again soon."""
    target = f"ipv4:{','.join(addresses)}"
    quick = {"grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 400}
    options = [(name, quick.pop(name, value)) for name, value in CHANNEL_OPTIONS]
    return grpc.aio.insecure_channel(target, options=[*options, *quick.items()])
