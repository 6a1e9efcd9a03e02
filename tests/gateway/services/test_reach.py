"""What each caller may do and touch, on a real server: scopes, merchants, providers, operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from giftcard import v1
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_gateway.access.identities import EVERYTHING, LOCAL, Identity
from giftcard_gateway.access.signing_in import Shown, SigningIn
from giftcard_gateway.config.access import Scope
from giftcard_gateway.rpc.guard import scope_of
from tests.gateway.services.served import Served, refusal_of, serve
from tests.gateway.wire.filled import METHODS

ALL = sorted(METHODS)


class Disguise(SigningIn):
    """Lets everybody in as whoever a test says."""

    def __init__(self) -> None:
        """Begin as the caller on loopback."""
        super().__init__(anonymous=LOCAL)
        self.identity: Identity = LOCAL

    async def identify(self, shown: Shown) -> Identity:  # noqa: ARG002 - whatever is shown
        """Return who the test says it is."""
        return self.identity

    def wear(self, **changes: Any) -> None:  # noqa: ANN401 - fields of an identity
        """Be somebody who may less."""
        self.identity = msgspec.structs.replace(LOCAL, **changes)


@pytest.fixture
def disguise() -> Disguise:
    """Give who the caller is taken for."""
    return Disguise()


@pytest.fixture
async def served(disguise: Disguise) -> AsyncIterator[Served]:
    """Serve a gateway to somebody in disguise."""
    async with serve(signing_in=disguise) as served:
        yield served


async def code_of(served: Served, method: MethodDescriptor, request: Any = None) -> Any:  # noqa: ANN401 - a request, a refusal
    """Make a call and return how it was refused, None if it was not."""
    request = GetMessageClass(method.input_type)() if request is None else request
    try:
        if method.client_streaming:
            await served.send(method.name, [request])
        elif method.server_streaming:
            call = served.stream(method.name, request)
            await call.read()
            call.cancel()
        else:
            await served.call(method.name, request)
    except grpc.aio.AioRpcError as error:
        return refusal_of(error)
    return None


@pytest.mark.parametrize("name", ALL)
async def test_each_call_needs_its_scope(served: Served, disguise: Disguise, name: str) -> None:
    """Every call is refused without its scope, whatever the others, and names what is missing."""
    scope = scope_of(METHODS[name])
    disguise.wear(scopes=EVERYTHING - {scope})
    refusal = await code_of(served, METHODS[name])
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
    assert refusal.info.metadata["scope"] == scope.value
    assert not served.script.requests
    assert not served.telling.asked


@pytest.mark.parametrize("name", [name for name in ALL if not METHODS[name].server_streaming])
async def test_its_scope_is_all_a_call_needs(served: Served, disguise: Disguise, name: str) -> None:
    """With its own scope alone a call gets as far as its request."""
    disguise.wear(scopes=frozenset({scope_of(METHODS[name])}))
    refusal = await code_of(served, METHODS[name])
    assert refusal is None or refusal.reason == "FIELD_INVALID"


async def test_closing_by_a_settlement_is_operating(served: Served, disguise: Disguise) -> None:
    """Reconcile with `close_unresolved` ends transactions, so it needs the scope for that too."""
    disguise.wear(scopes=frozenset({Scope.REPORTS}))
    scope = v1.ReconcileScope(provider="first", close_unresolved=True, note="n")
    scope.start_time.FromSeconds(1)
    scope.end_time.FromSeconds(2)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.send("Reconcile", [v1.ReconcileRequest(scope=scope)])
    assert refusal_of(refused.value).info.metadata["scope"] == Scope.OPERATE


def at(merchant_id: str) -> v1.PointOfSale:
    """Return a till of a merchant."""
    return v1.PointOfSale(merchant=v1.Merchant(merchant_id=merchant_id))


REACHES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "merchant": ({"merchants": frozenset({"M-1"})}, {"point_of_sale": at("M-2")}, "merchant_id"),
    "no merchant": ({"merchants": frozenset({"M-1"})}, {}, ""),
    "provider": ({"providers": frozenset({"second"})}, {}, "provider"),
    "operation": ({"operations": frozenset({Operation.LOAD})}, {}, "operation"),
    "nothing": ({"providers": frozenset()}, {}, "provider"),
}


@pytest.mark.parametrize("name", REACHES)
async def test_money_out_of_reach_is_not_moved(served: Served, disguise: Disguise, name: str) -> None:
    """A redemption at another's merchant, provider or operation is refused before anything is written."""
    limits, fields, named = REACHES[name]
    disguise.wear(**limits)
    request = served.redemption(**fields)
    refusal = await served.refused("Redeem", request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "OUT_OF_REACH")
    assert not named or named in refusal.info.metadata
    assert not served.script.requests
    disguise.wear()
    gone = await served.refused(
        "GetTransaction", v1.GetTransactionRequest(transaction_id=request.transaction_id)
    )
    assert gone.reason == "TRANSACTION_NOT_FOUND"


def _later(transaction_id: str) -> dict[str, Any]:
    """Return every call about a transaction that there is."""
    cancelled = v1.ReversalReason.REVERSAL_REASON_CANCELLED
    confirmed = v1.Resolution.RESOLUTION_CONFIRMED
    return {
        "GetTransaction": v1.GetTransactionRequest(transaction_id=transaction_id),
        "ConfirmRedeem": v1.ConfirmRedeemRequest(transaction_id=transaction_id),
        "ReverseRedeem": v1.ReverseRedeemRequest(transaction_id=transaction_id, reason=cancelled),
        "ResolveTransaction": v1.ResolveTransactionRequest(
            transaction_id=transaction_id, resolution=confirmed, note="found out"
        ),
        "RedeliverAdvice": v1.RedeliverAdviceRequest(transaction_id=transaction_id),
    }


@pytest.mark.parametrize("call", _later(""))
@pytest.mark.parametrize(
    "limits",
    [
        {"merchants": frozenset({"M-2"})},
        {"providers": frozenset({"second"})},
        {"operations": frozenset({Operation.LOAD})},
    ],
    ids=["merchant", "provider", "operation"],
)
async def test_what_is_out_of_reach_is_not_there(
    served: Served, disguise: Disguise, call: str, limits: dict[str, Any]
) -> None:
    """Another's transaction answers each call as if it were not there, and nothing becomes of it."""
    sold = await served.redeem(point_of_sale=at("M-1"))
    disguise.wear(**limits)
    refusal = await served.refused(call, _later(sold.transaction_id)[call])
    unknown = await served.refused("GetTransaction", _later(served.clock.uuid4())["GetTransaction"])
    assert (refusal.code, refusal.reason) == (unknown.code, unknown.reason)
    disguise.wear()
    shown = (await served.call("GetTransaction", _later(sold.transaction_id)["GetTransaction"])).transaction
    assert shown.state == v1.TransactionState.TRANSACTION_STATE_APPROVED


async def test_lists_and_watches_are_filtered(served: Served, disguise: Disguise) -> None:
    """A list and a watch show what is within reach, whatever the filter asks for."""
    sold = {
        name: (await served.redeem(point_of_sale=at(name))).transaction_id for name in ("M-1", "M-2", "M-3")
    }
    reaches: dict[frozenset[str], Callable[[], v1.TransactionFilter]] = {
        frozenset({"M-1"}): v1.TransactionFilter,
        frozenset({"M-1", "M-3"}): v1.TransactionFilter,
        frozenset(): v1.TransactionFilter,
        frozenset({"M-2"}): lambda: v1.TransactionFilter(providers=["first"]),
    }
    for reach, wanted in reaches.items():
        disguise.wear(merchants=reach)
        page = await served.call("ListTransactions", v1.ListTransactionsRequest(filter=wanted()))
        assert {one.transaction_id for one in page.transactions} == {sold[name] for name in reach}
    disguise.wear(merchants=frozenset({"M-1"}))
    others = v1.ListTransactionsRequest(filter=v1.TransactionFilter(merchant_id="M-2"))
    assert not (await served.call("ListTransactions", others)).transactions
    request = v1.WatchTransactionsRequest()
    request.start_time.FromSeconds(1)
    watch = served.stream("WatchTransactions", request)
    seen = [await watch.read() for _ in range(2)]
    watch.cancel()
    assert {one.transaction.transaction_id for one in seen} == {sold["M-1"]}


async def test_events_are_filtered(served: Served, disguise: Disguise) -> None:
    """Who sees some merchants only hears no event of another's transaction, and none of nobody's."""
    sold = {name: (await served.redeem(point_of_sale=at(name))).transaction_id for name in ("M-1", "M-2")}
    for name in ("", "M-2", "M-1"):
        event = ProviderEvent(
            event_id=f"about {name}",
            name="paid",
            transaction_id=sold.get(name, ""),
            outcome=Outcome(verdict=Verdict.UNKNOWN),
        )
        served.telling.answers["read_webhook"] = (event,)
        webhook = Webhook(headers={}, body=b"", received_at=served.clock.now())
        await served.app.pipeline.events.receive(served.app.connections.get("first"), webhook)
    disguise.wear(merchants=frozenset({"M-1"}))
    request = v1.StreamEventsRequest()
    request.start_time.FromSeconds(1)
    stream = served.stream("StreamEvents", request)
    first = await stream.read()
    stream.cancel()
    assert first.event.event_id == "about M-1"
    disguise.wear(providers=frozenset({"second"}))
    named = served.stream("StreamEvents", v1.StreamEventsRequest(providers=["first"]))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await named.read()
    assert refusal_of(refused.value).reason == "OUT_OF_REACH"


async def test_providers_are_filtered(served: Served, disguise: Disguise) -> None:
    """The list has the providers a caller may use, and another cannot be asked for."""
    disguise.wear(providers=frozenset({"second"}))
    listed = await served.call("ListProviders", v1.ListProvidersRequest())
    assert [one.provider for one in listed.providers] == ["second"]
    refusal = await served.refused("GetProvider", v1.GetProviderRequest(provider="first"))
    assert refusal.reason == "OUT_OF_REACH"


ASKED_OF_A_PROVIDER: dict[str, Callable[[v1.Card | None], Any]] = {
    "Lookup": lambda card: v1.LookupRequest(card=card),
    "Balance": lambda card: v1.BalanceRequest(card=card),
    "StoreCard": lambda card: v1.StoreCardRequest(card=card, provider="first", buyer=v1.Buyer(buyer_id="b")),
    "GetStoredCard": lambda _: v1.GetStoredCardRequest(provider="first", stored_card_id="s"),
    "ListStoredCards": lambda _: v1.ListStoredCardsRequest(provider="first"),
    "DeleteStoredCard": lambda _: v1.DeleteStoredCardRequest(provider="first", stored_card_id="s"),
    "ListTemplates": lambda _: v1.ListTemplatesRequest(provider="first"),
    "ListOffers": lambda _: v1.ListOffersRequest(provider="first"),
    "SyncOffers": lambda _: v1.SyncOffersRequest(provider="first"),
    "ExtractAccounts": lambda _: v1.ExtractAccountsRequest(provider="first"),
    "DownloadExport": lambda _: v1.DownloadExportRequest(provider="first", export_id="e"),
    "GetTicketStatistics": lambda _: v1.GetTicketStatisticsRequest(provider="first"),
    "PauseProvider": lambda _: v1.PauseProviderRequest(provider="first", note="slow"),
    "ResumeProvider": lambda _: v1.ResumeProviderRequest(provider="first", note="quick"),
}


@pytest.mark.parametrize("name", ASKED_OF_A_PROVIDER)
async def test_no_read_reaches_past_its_caller(served: Served, disguise: Disguise, name: str) -> None:
    """Nothing is asked of a provider that the caller may not use."""
    method = next(one for full, one in METHODS.items() if full.endswith(f"/{name}"))
    request = ASKED_OF_A_PROVIDER[name](served.redemption().card)
    disguise.wear(providers=frozenset({"second"}))
    refusal = await code_of(served, method, request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "OUT_OF_REACH")
    assert not served.telling.asked


async def test_each_card_of_a_batch_is_within_reach_or_refused(served: Served, disguise: Disguise) -> None:
    """A batch tells the error for a card beyond reach in its place, and asks nothing for it."""
    disguise.wear(providers=frozenset({"second"}))
    batch = v1.BatchBalanceRequest(requests=[v1.BalanceRequest(card=served.redemption().card)])
    (item,) = (await served.call("BatchBalance", batch)).items
    assert item.error.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
    assert not served.telling.asked


@pytest.mark.parametrize(
    "name", ["ExtractAccounts", "DownloadExport", "GetTicketStatistics", "PauseProvider", "ResumeProvider"]
)
async def test_reports_are_of_every_merchant(served: Served, disguise: Disguise, name: str) -> None:
    """Who sees some merchants only gets no report, because a provider's covers all of them."""
    method = next(one for full, one in METHODS.items() if full.endswith(f"/{name}"))
    disguise.wear(merchants=frozenset({"M-1"}))
    refusal = await code_of(served, method, ASKED_OF_A_PROVIDER[name](None))
    assert refusal.reason == "OUT_OF_REACH"
    assert not served.telling.asked


@pytest.mark.parametrize("name", ["Lookup", "Balance"])
async def test_a_read_at_anothers_merchant(served: Served, disguise: Disguise, name: str) -> None:
    """A card read that names another's merchant is refused; one that names none is not."""
    disguise.wear(merchants=frozenset({"M-1"}))
    request = ASKED_OF_A_PROVIDER[name](served.redemption().card)
    await served.call(name, request)
    request.point_of_sale.CopyFrom(at("M-2"))
    assert (await served.refused(name, request)).reason == "OUT_OF_REACH"


async def test_notes_find_nothing_about_anothers_card(served: Served, disguise: Disguise) -> None:
    """A note with another's card number is no way to find out whose card a transaction was about."""
    sold = await served.redeem(point_of_sale=at("M-1"))
    disguise.wear(merchants=frozenset({"M-2"}))
    pan = served.redemption().card.number.pan
    request = v1.ResolveTransactionRequest(
        transaction_id=sold.transaction_id, resolution=v1.Resolution.RESOLUTION_CONFIRMED, note=f"card {pan}"
    )
    assert (await served.refused("ResolveTransaction", request)).reason == "TRANSACTION_NOT_FOUND"
