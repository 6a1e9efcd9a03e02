"""The table of all friendly calls, which both clients share: each plan becomes a method of either.

On `Client` a call returns its answer, on `AsyncClient` an awaitable of it. What the plans do is in
`giftcard.operations` and `giftcard.reads`; who takes their steps is in `giftcard.client`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Generic, ParamSpec, Self, TypeVar, overload

from giftcard import operations, reads, v1
from giftcard.open_transactions import (
    AsyncOpenTransaction,
    AsyncRunner,
    OpenTransaction,
    Runner,
)
from giftcard.operations import Ask, confirmation, reversal
from giftcard.reads import plain
from giftcard.scripts import Answer, Plan

P = ParamSpec("P")
_Planned = TypeVar("_Planned")
_Result = TypeVar("_Result")


def chain(plan: Callable[P, _Planned], then: Callable[[_Planned], _Result]) -> Callable[P, _Result]:
    """Make a function that takes a plan's arguments and does something with the plan."""

    @wraps(plan)
    def call(*args: P.args, **fields: P.kwargs) -> _Result:
        return then(plan(*args, **fields))

    return call


class Rpc(Generic[P, Answer]):
    """A method of both clients: it makes a plan of its arguments and has the client run it."""

    def __init__(self, plan: Callable[P, Plan[Answer]]) -> None:
        self._plan = plan
        self.__doc__ = plan.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Runner, owner: type) -> Callable[P, Answer]: ...
    @overload
    def __get__(self, client: AsyncRunner, owner: type) -> Callable[P, Coroutine[None, None, Answer]]: ...
    def __get__(
        self, client: Runner | AsyncRunner | None, owner: type
    ) -> Self | Callable[P, Answer] | Callable[P, Coroutine[None, None, Answer]]:
        if client is None:
            return self
        if isinstance(client, Runner):
            return chain(self._plan, client.run)
        return chain(self._plan, client.run)


class Opening(Generic[P]):
    """A method of both clients that holds a money operation open during a `with` block."""

    def __init__(self, plan: Callable[P, Ask]) -> None:
        self._plan = plan
        self.__doc__ = f"{plan.__doc__} Confirmed when the block ends, reversed when it raises."

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Runner, owner: type) -> Callable[P, OpenTransaction]: ...
    @overload
    def __get__(self, client: AsyncRunner, owner: type) -> Callable[P, AsyncOpenTransaction]: ...
    def __get__(
        self, client: Runner | AsyncRunner | None, owner: type
    ) -> Self | Callable[P, OpenTransaction] | Callable[P, AsyncOpenTransaction]:
        if client is None:
            return self
        if isinstance(client, Runner):
            return chain(self._plan, partial(OpenTransaction, client))
        return chain(self._plan, partial(AsyncOpenTransaction, client))


class Calls:
    """Every friendly call; keyword arguments are the fields of the request, under the same names."""

    issue = Rpc(operations.issue)
    activate = Rpc(operations.activate)
    load = Rpc(operations.load)
    redeem = Rpc(operations.redeem)
    transfer = Rpc(operations.transfer)
    replace = Rpc(operations.replace)
    void = Rpc(operations.void)

    confirm_issue = Rpc(confirmation("Issue"))
    confirm_activate = Rpc(confirmation("Activate"))
    confirm_load = Rpc(confirmation("Load"))
    confirm_redeem = Rpc(confirmation("Redeem"))
    confirm_transfer = Rpc(confirmation("Transfer"))
    confirm_replace = Rpc(confirmation("Replace"))
    confirm_void = Rpc(confirmation("Void"))

    reverse_issue = Rpc(reversal("Issue"))
    reverse_activate = Rpc(reversal("Activate"))
    reverse_load = Rpc(reversal("Load"))
    reverse_redeem = Rpc(reversal("Redeem"))
    reverse_transfer = Rpc(reversal("Transfer"))
    reverse_replace = Rpc(reversal("Replace"))
    reverse_void = Rpc(reversal("Void"))

    issuance = Opening(operations.issue)
    activation = Opening(operations.activate)
    loading = Opening(operations.load)
    redemption = Opening(operations.redeem)
    transferring = Opening(operations.transfer)
    replacement = Opening(operations.replace)
    voiding = Opening(operations.void)

    balance = Rpc(reads.balance)
    batch_balance = Rpc(reads.batch_balance)
    lookup = Rpc(reads.lookup)

    get_transaction = Rpc(reads.get_transaction)
    list_transactions = Rpc(
        plain(v1.ListTransactionsRequest, lambda stubs: stubs.transactions.ListTransactions)
    )
    resolve_transaction = Rpc(
        plain(v1.ResolveTransactionRequest, lambda stubs: stubs.transactions.ResolveTransaction, changes=True)
    )
    review_resolution = Rpc(
        plain(v1.ReviewResolutionRequest, lambda stubs: stubs.transactions.ReviewResolution, changes=True)
    )
    redeliver_advice = Rpc(
        plain(v1.RedeliverAdviceRequest, lambda stubs: stubs.transactions.RedeliverAdvice, changes=True)
    )

    store_card = Rpc(reads.store_card)
    get_stored_card = Rpc(plain(v1.GetStoredCardRequest, lambda stubs: stubs.stored_cards.GetStoredCard))
    list_stored_cards = Rpc(
        plain(v1.ListStoredCardsRequest, lambda stubs: stubs.stored_cards.ListStoredCards)
    )
    delete_stored_card = Rpc(
        plain(v1.DeleteStoredCardRequest, lambda stubs: stubs.stored_cards.DeleteStoredCard, changes=True)
    )

    list_templates = Rpc(plain(v1.ListTemplatesRequest, lambda stubs: stubs.catalog.ListTemplates))
    list_offers = Rpc(plain(v1.ListOffersRequest, lambda stubs: stubs.catalog.ListOffers))
    sync_offers = Rpc(plain(v1.SyncOffersRequest, lambda stubs: stubs.catalog.SyncOffers, changes=True))

    extract_accounts = Rpc(
        plain(v1.ExtractAccountsRequest, lambda stubs: stubs.reports.ExtractAccounts, changes=True)
    )
    get_ticket_statistics = Rpc(
        plain(v1.GetTicketStatisticsRequest, lambda stubs: stubs.reports.GetTicketStatistics)
    )

    list_providers = Rpc(plain(v1.ListProvidersRequest, lambda stubs: stubs.providers.ListProviders))
    get_provider = Rpc(plain(v1.GetProviderRequest, lambda stubs: stubs.providers.GetProvider))
    pause_provider = Rpc(
        plain(v1.PauseProviderRequest, lambda stubs: stubs.providers.PauseProvider, changes=True)
    )
    resume_provider = Rpc(
        plain(v1.ResumeProviderRequest, lambda stubs: stubs.providers.ResumeProvider, changes=True)
    )
