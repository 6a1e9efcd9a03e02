"""BatchBalance: many cards at once, each asked of its own provider, with an error per card."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline
from giftcard_gateway.access.guesses import Guess, is_wrong, is_wrong_guess
from giftcard_gateway.errors import GatewayError, RateLimited
from giftcard_gateway.rpc.status import status_of
from giftcard_gateway.services.reads import BALANCE, ask, reached, refusal_of
from giftcard_gateway.wire.cards import balance_from, card_balance_to, card_from

if TYPE_CHECKING:
    from giftcard_adapters.values.reads import CardView
    from giftcard_gateway.providers.connections import Connection
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.services.dependencies import Dependencies

_AT_ONCE = 8
"""Exchanges of one batch under way together, so that one caller does not take a provider's whole share."""


@dataclass(frozen=True)
class _Item:
    """One card of a batch, and its place in it."""

    place: int
    card: CardRef
    request: v1.BalanceRequest
    connection: Connection


class BatchBalances:
    """Reads the balances of many cards."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._connections = dependencies.connections
        self._router = dependencies.router
        self._clock = dependencies.clock
        self._observer = dependencies.telemetry.observer
        self._guesses = dependencies.guesses

    async def batch(self, request: v1.BatchBalanceRequest, call: RpcCall) -> v1.BatchBalanceResponse:
        """Return the balances of many cards, in the order they were asked for."""
        items: list[v1.BatchBalanceItem] = [v1.BatchBalanceItem() for _ in request.requests]
        wanted: list[_Item] = []
        for place, one in enumerate(request.requests):
            try:
                wanted.append(self._item(place, one, call))
            except GatewayError as refusal:
                items[place] = _failed(refusal)
        slots = asyncio.Semaphore(_AT_ONCE)
        chunks = list(_chunks(wanted))
        for chunk, told in zip(
            chunks, await asyncio.gather(*(self._guess(chunk, slots, call) for chunk in chunks)), strict=True
        ):
            for item, answer in zip(chunk, told, strict=True):
                items[item.place] = self._encode(item, answer)
        return v1.BatchBalanceResponse(items=items)

    def _item(self, place: int, request: v1.BalanceRequest, call: RpcCall) -> _Item:
        card = card_from(request.card)
        route = self._router.route_card(card, request.provider)
        connection = reached(self._connections, route.provider, call, [card])
        till = balance_from(request, lookup_id=self._clock.uuid4(), asked_at=self._clock.now()).point_of_sale
        call.identity.demand_merchant(till)
        return _Item(place, card, request, connection)

    async def _guess(
        self, chunk: Sequence[_Item], slots: asyncio.Semaphore, call: RpcCall
    ) -> Sequence[CardView | Decline | Exception]:
        """Ask for a chunk as far as the budget of guesses goes, and again for the rest.

        Nobody waits for a token who holds one, or two batches could wait for each other.
        """
        told: list[CardView | Decline | Exception] = []
        question = call.question(chunk[0].connection.provider_id, BALANCE)
        while rest := chunk[len(told) :]:
            try:
                first = await self._guesses.ask(question, [rest[0].card], wait_s=call.wait_s())
            except RateLimited as refusal:
                told.append(refusal)
                continue
            guesses = [first]
            for item in rest[1:]:
                more = self._guesses.try_ask(question, [item.card])
                if not isinstance(more, Guess):
                    break
                guesses.append(more)
            told += await self._ask_guessed(rest[: len(guesses)], guesses, slots)
        return told

    async def _ask_guessed(
        self, chunk: Sequence[_Item], guesses: Sequence[Guess], slots: asyncio.Semaphore
    ) -> Sequence[CardView | Decline | Exception]:
        try:
            told = await self._ask(chunk, slots)
            for guess, one in zip(guesses, told, strict=True):
                if isinstance(one, Decline):
                    guess.end(is_back=not is_wrong(one.reason))
                elif isinstance(one, Exception):
                    guess.end(is_back=not is_wrong_guess(one))
                else:
                    guess.right()
            return told
        finally:
            # Who left has learnt nothing.
            for guess in guesses:
                guess.end(is_back=True)

    async def _ask(
        self, chunk: Sequence[_Item], slots: asyncio.Semaphore
    ) -> Sequence[CardView | Decline | Exception]:
        """Ask the provider for a chunk of cards; when that fails, every card of the chunk has the error."""
        first = chunk[0]
        asked = balance_from(first.request, lookup_id=self._clock.uuid4(), asked_at=self._clock.now())
        cards = [item.card for item in chunk]
        try:
            async with slots:
                return await ask(
                    first.connection, BALANCE, lambda provider: provider.balances(cards, asked), cards=cards
                )
        except GatewayError as refusal:
            return [refusal] * len(chunk)
        except Exception as fault:  # noqa: BLE001 - one card's fault must not cost the others their answer
            self._observer.faulted("balances", fault)
            return [fault] * len(chunk)

    def _encode(self, item: _Item, told: CardView | Decline | Exception) -> v1.BatchBalanceItem:
        answer = refusal_of(told, [item.card]) if isinstance(told, Decline) else told
        if isinstance(answer, Exception):
            return _failed(answer)
        try:
            balance = card_balance_to(answer, provider=item.connection.provider_id, read_at=self._clock.now())
        except Exception as fault:  # noqa: BLE001 - what cannot be written of one card is that card's error
            self._observer.faulted("balances", fault)
            return _failed(fault)
        return v1.BatchBalanceItem(card_balance=balance)


def _failed(fault: Exception) -> v1.BatchBalanceItem:
    return v1.BatchBalanceItem(error=status_of(fault))


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Group items that one exchange can ask of: the same provider and till, as many as it takes."""
    groups: dict[tuple[str, bytes], list[_Item]] = {}
    for item in items:
        till = item.request.point_of_sale.SerializeToString(deterministic=True)
        groups.setdefault((item.connection.provider_id, till), []).append(item)
    for group in groups.values():
        size = group[0].connection.provider.balances_per_call
        for start in range(0, len(group), size):
            yield group[start : start + size]
