"""Lets a money call draw on the budget of guesses: it costs a token if its card or PIN is found wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from giftcard_gateway.access.guesses import is_wrong
from giftcard_gateway.errors import GatewayError
from giftcard_gateway.ledger.entry import State

if TYPE_CHECKING:
    from giftcard_adapters.values.operations import AnyOperation
    from giftcard_gateway.access.guesses import Guess
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.pipeline.transactions import Begun
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.services.dependencies import Dependencies

_LOOKS = 24
_LOOK_S = 5.0
"""How often, and for how long each time, a transaction is watched whose caller left before its end."""


class Guessing:
    """Begins transactions, each as a guess."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transactions = dependencies.transactions
        self._guesses = dependencies.guesses
        self._watched = set[asyncio.Task[None]]()

    async def begin(self, ask: AnyOperation, call: RpcCall) -> Begun:
        """Begin a transaction as `Transactions.begin` does; raises RateLimited where the budget is used up.

        Whoever leaves before the answer may still read how it ended, so the token is lent until then. A
        provider that does not answer costs nobody a token, or one outage would be followed by another.
        """
        guess: Guess | None = None
        wait_s = call.wait_s()

        async def admit(provider_id: str) -> None:
            nonlocal guess
            if cards := ask.cards:
                question = call.question(provider_id, ask.operation)
                guess = await self._guesses.ask(question, cards, wait_s=wait_s)

        try:
            begun = await self._transactions.begin(ask, wait_s=wait_s, by=call.identity, admit=admit)
        except BaseException as fault:
            if guess is not None and isinstance(fault, GatewayError):
                guess.end(is_back=True)
            elif guess is not None:
                self._watch(guess, ask, call)
            raise
        if guess is not None and begun.is_replayed:
            guess.end(is_back=True)
        elif guess is not None and begun.entry.state is State.PENDING:
            self._watch(guess, ask, call)
        elif guess is not None:
            _end(guess, begun.entry)
        return begun

    def _watch(self, guess: Guess, ask: AnyOperation, call: RpcCall) -> None:
        task = asyncio.create_task(self._end_later(guess, ask, call))
        self._watched.add(task)
        task.add_done_callback(self._watched.discard)

    async def _end_later(self, guess: Guess, ask: AnyOperation, call: RpcCall) -> None:
        entry: Entry | None = None
        try:
            for _ in range(_LOOKS):
                entry = await self._transactions.get(ask.transaction_id, wait_s=_LOOK_S, by=call.identity)
                if entry.state is not State.PENDING:
                    break
        except GatewayError:
            # It was never written down, or nobody can read it now.
            entry = None
        finally:
            _end(guess, entry)


def _end(guess: Guess, entry: Entry | None) -> None:
    """End the guess that a transaction was, by what is known of it."""
    decline = entry.outcome.decline if entry is not None and entry.outcome else None
    if entry is not None and entry.state is State.APPROVED:
        guess.right()
    else:
        # Another decline says that the card is there, and nothing of a PIN that may not have been looked at.
        guess.end(is_back=not is_wrong(decline.reason if decline else None))
