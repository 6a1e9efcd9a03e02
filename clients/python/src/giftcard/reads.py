"""Every unary call that moves no money, as a plan: reads, the card vault, the catalogue, an operator's calls.

Reads are repeated by gRPC itself, as the service config says; the others are never repeated. Calls that
take the contract's own fields and give its own answer are made from their request alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ParamSpec, Unpack
from uuid import UUID

from giftcard import v1
from giftcard.fields import BalanceFields, LookupFields, StoreCardFields
from giftcard.requests import make_request
from giftcard.scripts import Answer, Method, Plan, RepeatPolicy, Request, Response, Script, send

P = ParamSpec("P")


def _plan(
    method: Method[Request, Response],
    request: Request,
    answer: Callable[[Response], Answer],
    *,
    changes: bool = False,
) -> Plan[Answer]:
    """Plan a call. What changes something has the policy's deadline, a read its own."""

    def script(policy: RepeatPolicy) -> Script[Answer]:
        return answer((yield from send(method, request, policy.deadline_s if changes else policy.reading_s)))

    return script


def plain(
    kind: Callable[P, Request], method: Method[Request, Response], *, changes: bool = False
) -> Callable[P, Plan[Response]]:
    """Make a call that takes the fields of its request as they are and gives its whole response."""

    def plan(*args: P.args, **fields: P.kwargs) -> Plan[Response]:
        return _plan(method, kind(*args, **fields), lambda response: response, changes=changes)

    plan.__doc__ = f"Take the fields of {kind.__name__}, and give the whole response."
    return plan


def balance(**fields: Unpack[BalanceFields]) -> Plan[v1.CardBalance]:
    """Read the book and available balance of one card."""
    request = make_request(v1.BalanceRequest, fields)
    return _plan(lambda stubs: stubs.gift_cards.Balance, request, lambda response: response.card_balance)


def batch_balance(requests: Iterable[BalanceFields]) -> Plan[v1.BatchBalanceResponse]:
    """Read the balances of at most 100 cards, each given as the keywords of `balance`; an error per item."""
    request = v1.BatchBalanceRequest(requests=[make_request(v1.BalanceRequest, each) for each in requests])
    return _plan(lambda stubs: stubs.gift_cards.BatchBalance, request, lambda response: response)


def lookup(**fields: Unpack[LookupFields]) -> Plan[v1.CardView]:
    """Read everything the provider tells about a card, or about the card of a holder."""
    request = make_request(v1.LookupRequest, fields)
    return _plan(lambda stubs: stubs.gift_cards.Lookup, request, lambda response: response.card)


def get_transaction_request(transaction_id: str | UUID, wait_s: float) -> v1.GetTransactionRequest:
    """Make the request that asks how a transaction stands."""
    request = v1.GetTransactionRequest(transaction_id=str(transaction_id))
    if wait_s > 0:
        request.wait.FromMilliseconds(int(wait_s * 1000))
    return request


def get_transaction(transaction_id: str | UUID, *, wait_s: float = 0.0) -> Plan[v1.Transaction]:
    """Read how a transaction stands, waiting up to `wait_s` (at most 60) while that is still open."""
    request = get_transaction_request(transaction_id, wait_s)
    return _plan(
        lambda stubs: stubs.transactions.GetTransaction, request, lambda response: response.transaction
    )


def store_card(**fields: Unpack[StoreCardFields]) -> Plan[v1.StoredCard]:
    """Put a card into the provider's vault. After NoAnswer list the cards first: it may be there."""
    request = make_request(v1.StoreCardRequest, fields)
    return _plan(
        lambda stubs: stubs.stored_cards.StoreCard,
        request,
        lambda response: response.stored_card,
        changes=True,
    )
