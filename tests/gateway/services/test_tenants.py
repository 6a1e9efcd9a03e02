"""Two tenants on one server: what is one's is not there for the other, call by call, from the descriptor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from giftcard import v1
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_gateway.access.identities import EVERYTHING, LOCAL, Identity, SignIn
from giftcard_gateway.config.access import Scope
from giftcard_gateway.journal.contract import EventRow
from tests.gateway.services.served import RAND, Served, refusal_of, serve, unresolved
from tests.gateway.services.test_reach import ASKED_OF_A_PROVIDER, Disguise, code_of
from tests.gateway.services.test_reconciliation import confirmed, row, settle
from tests.gateway.wire.filled import METHODS
from tests.world.provider import ISSUED, NUMBER

SHORT = {name.rpartition("/")[2]: method for name, method in METHODS.items()}
BEGINS = {names_of(operation).rpc for operation in Operation}
BY_ID = {
    name for name, method in SHORT.items() if "transaction_id" in method.input_type.fields_by_name
} - BEGINS
"""Calls about a transaction that is there."""
ACCOUNT = {
    "StoreCard",
    "GetStoredCard",
    "ListStoredCards",
    "DeleteStoredCard",
    "ExtractAccounts",
    "DownloadExport",
    "GetTicketStatistics",
    "Reconcile",
}
"""Calls about a provider's account as a whole: its owner's."""
FILTERED = {"ListTransactions", "WatchTransactions", "StreamEvents"}
SHARED = {
    "Lookup",
    "Balance",
    "BatchBalance",
    "ListProviders",
    "GetProvider",
    "ListTemplates",
    "ListOffers",
    "SyncOffers",
}
"""Calls whose answers are of no transaction: cards by what is printed on them, providers, catalogues."""


@pytest.fixture
def disguise() -> Disguise:
    """Give who the caller is taken for."""
    return Disguise()


@pytest.fixture
async def served(disguise: Disguise) -> AsyncIterator[Served]:
    """Serve a gateway to somebody in disguise."""
    async with serve(signing_in=disguise) as served:
        yield served


def test_every_call_has_its_place_here() -> None:
    """A call that is added to the contract is said here to be of a transaction, an account, or shared."""
    kinds = (BEGINS, BY_ID, ACCOUNT, FILTERED, SHARED)
    assert set(SHORT) == set().union(*kinds)
    assert len(SHORT) == sum(map(len, kinds))
    assert set(ASKED_OF_A_PROVIDER) - SHARED == ACCOUNT - {"Reconcile"}


def about(name: str, transaction_id: str) -> Message:
    """Return a good request of a call about a transaction."""
    wanted = {"reason": 1, "resolution": 1, "note": "found out"}
    needs = {"reason", "resolution"} | ({"note"} if name == "ResolveTransaction" else set())
    fields = {field: wanted[field] for field in needs if field in SHORT[name].input_type.fields_by_name}
    request: Message = GetMessageClass(SHORT[name].input_type)(transaction_id=transaction_id, **fields)
    return request


async def heard(served: Served, name: str, transaction_id: str) -> tuple[Any, ...]:
    """Return all a caller hears of a call, with its own id and the times left out."""
    call = served.start(name, about(name, transaction_id))
    try:
        answer: Any = await call
    except grpc.aio.AioRpcError as error:
        refusal = refusal_of(error)
        metadata = {key: value for key, value in refusal.info.metadata.items() if value != transaction_id}
        trailing = tuple(key for key, _ in error.trailing_metadata() or ())
        text = refusal.message.replace(transaction_id, "")
        return refusal.code, refusal.reason, text, metadata, refusal.details, trailing
    told = answer.transaction
    trailing = tuple(key for key, _ in await call.trailing_metadata())
    assert told.transaction_id == transaction_id
    fields = {field.name for field, _ in told.ListFields()}
    return told.state, told.operation, fields, trailing


@pytest.mark.parametrize("name", sorted(BY_ID))
async def test_anothers_id_is_as_not_there(served: Served, disguise: Disguise, name: str) -> None:
    """A call about another tenant's transaction hears what it would of an id that nobody made."""
    theirs = await (unresolved(served) if name == "ResolveTransaction" else served.redeem())
    shown = await served.call("GetTransaction", about("GetTransaction", theirs.transaction_id))
    disguise.wear(tenant="second")
    sent = len(served.script.requests) + len(served.script.advices)
    of_theirs = await heard(served, name, theirs.transaction_id)
    assert of_theirs == await heard(served, name, served.clock.uuid4())
    assert len(served.script.requests) + len(served.script.advices) == sent
    disguise.wear()
    assert await served.call("GetTransaction", about("GetTransaction", theirs.transaction_id)) == shown


async def test_one_id_is_two_transactions(served: Served, disguise: Disguise) -> None:
    """Each tenant has its own transaction under an id, also at the provider, and each ends its own."""
    request = served.redemption()
    ours = await served.redeem(request.transaction_id)
    disguise.wear(tenant="second")
    theirs = await served.redeem(request.transaction_id, amount=RAND)
    assert theirs.transaction_id == ours.transaction_id
    assert len({ask.transaction_id for ask in served.script.requests}) == 2
    reverse = about("ReverseRedeem", request.transaction_id)
    put_back = (await served.call("ReverseRedeem", reverse)).transaction
    assert put_back.state in {
        v1.TransactionState.TRANSACTION_STATE_REVERSING,
        v1.TransactionState.TRANSACTION_STATE_REVERSED,
    }
    disguise.wear()
    kept = (await served.call("ConfirmRedeem", about("ConfirmRedeem", request.transaction_id))).transaction
    assert kept.state in {
        v1.TransactionState.TRANSACTION_STATE_CONFIRMING,
        v1.TransactionState.TRANSACTION_STATE_CONFIRMED,
    }


async def test_a_tombstone_is_its_tenants(served: Served, disguise: Disguise) -> None:
    """A reversal that came first stops the tenant's own request and nobody else's."""
    disguise.wear(tenant="second")
    request = served.redemption()
    await served.call("ReverseRedeem", about("ReverseRedeem", request.transaction_id))
    assert (await served.refused("Redeem", request)).reason == "TRANSACTION_REVERSED"
    disguise.wear()
    ours = await served.redeem(request.transaction_id)
    assert ours.state == v1.TransactionState.TRANSACTION_STATE_APPROVED


async def test_lists_and_watches_are_a_tenants(served: Served, disguise: Disguise) -> None:
    """A list and a watch show one tenant's, under the ids that it made, however it is filtered."""
    more: dict[str, Any] = {"labels": {"shop": "1"}, "external_reference": "order-1"}
    shared = (await served.redeem(**more)).transaction_id
    only_ours = (await served.redeem(**more)).transaction_id
    disguise.wear(tenant="second")
    assert (await served.redeem(shared, **more)).transaction_id == shared
    filters: tuple[dict[str, Any], ...] = (
        {},
        {"labels": {"shop": "1"}},
        {"external_reference": "order-1"},
        {"card": served.redemption().card},
        {"states": [v1.TransactionState.TRANSACTION_STATE_APPROVED]},
    )
    for tenant, expected in (("second", [shared]), ("default", [only_ours, shared]), ("third", [])):
        disguise.wear(tenant=tenant)
        for fields in filters:
            wanted = v1.ListTransactionsRequest(filter=v1.TransactionFilter(**fields))
            page = await served.call("ListTransactions", wanted)
            assert [one.transaction_id for one in page.transactions] == expected
    disguise.wear(tenant="second")
    request = v1.WatchTransactionsRequest()
    request.start_time.FromSeconds(1)
    watch = served.stream("WatchTransactions", request)
    seen = [await watch.read() for _ in range(2)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watch.read(), 0.3)
    assert [one.transaction.transaction_id for one in seen] == [shared, shared]


async def test_events_are_their_transactions_tenants(served: Served, disguise: Disguise) -> None:
    """An event is told to the tenant of its transaction; one of nobody's to the account's owner."""
    ours = (await served.redeem()).transaction_id
    disguise.wear(tenant="second")
    await served.redeem(ours)
    for key in ("", *(ask.transaction_id for ask in served.script.requests)):
        event = ProviderEvent(
            event_id=f"of {key}",
            name="paid",
            transaction_id=key,
            outcome=Outcome(verdict=Verdict.UNKNOWN),
        )
        served.telling.answers["read_webhook"] = (event,)
        webhook = Webhook(headers={}, body=b"", received_at=served.clock.now())
        await served.app.pipeline.events.receive(served.app.connections.get("first"), webhook)
    raw, derived = (ask.transaction_id for ask in served.script.requests)
    assert raw == ours
    for tenant, expected in (("default", ["of ", f"of {raw}"]), ("second", [f"of {derived}"])):
        disguise.wear(tenant=tenant)
        request = v1.StreamEventsRequest()
        request.start_time.FromSeconds(1)
        stream = served.stream("StreamEvents", request)
        told = [await stream.read() for _ in expected]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.read(), 0.3)
        assert [one.event.event_id for one in told] == expected
        assert {one.event.transaction_id for one in told} - {""} == {ours}


async def test_anothers_events_are_not_even_read(served: Served, disguise: Disguise) -> None:
    """A stream reads its own tenant's events from the journal, so that others' backlog costs it nothing."""
    events = tuple(ProviderEvent(event_id=f"e{number}", name="paid") for number in range(50))
    served.telling.answers["read_webhook"] = events
    webhook = Webhook(headers={}, body=b"", received_at=served.clock.now())
    await served.app.pipeline.events.receive(served.app.connections.get("first"), webhook)
    read, reading = list[EventRow](), served.app.journal.events

    async def watched(**wanted: Any) -> Sequence[EventRow]:  # noqa: ANN401 - as the journal is asked
        found = await reading(**wanted)
        read.extend(found)
        return found

    served.app.journal.events = watched  # type: ignore[method-assign]  # read behind the journal's back
    disguise.wear(tenant="second")
    request = v1.StreamEventsRequest(providers=["first"])
    request.start_time.FromSeconds(1)
    stream = served.stream("StreamEvents", request)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.read(), 0.3)
    assert read == []
    disguise.wear()
    stream = served.stream("StreamEvents", request)
    assert (await stream.read()).event.event_id == "e0"
    assert {row.tenant for row in read} == {"default"}


@pytest.mark.parametrize("name", sorted(ACCOUNT - {"Reconcile"}))
async def test_an_account_is_its_owners(served: Served, disguise: Disguise, name: str) -> None:
    """Reports and vault of a provider are one tenant's; another is refused and nothing is asked."""
    disguise.wear(tenant="second")
    request = ASKED_OF_A_PROVIDER[name](served.redemption().card)
    refusal = await code_of(served, SHORT[name], request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "OUT_OF_REACH")
    assert "default" not in f"{refusal.message} {refusal.info.metadata}"
    assert not served.telling.asked


@pytest.mark.parametrize("name", ["Redeem", "Balance", "Lookup"])
async def test_a_stored_card_is_its_vaults_owners(served: Served, disguise: Disguise, name: str) -> None:
    """Nobody pays with, or looks at, a card in another tenant's vault, whether it is there or not."""
    disguise.wear(tenant="second")
    stored = v1.Card(stored_card_id="stored-1")
    requests: dict[str, Message] = {
        "Redeem": served.redemption(card=stored, provider="first"),
        "Balance": v1.BalanceRequest(card=stored, provider="first"),
        "Lookup": v1.LookupRequest(card=stored, provider="first"),
    }
    assert (await served.refused(name, requests[name])).reason == "OUT_OF_REACH"
    assert not served.telling.asked
    assert not served.script.requests
    batch = v1.BatchBalanceRequest(requests=[v1.BalanceRequest(card=stored, provider="first")])
    (item,) = (await served.call("BatchBalance", batch)).items
    assert item.error.code == grpc.StatusCode.PERMISSION_DENIED.value[0]


async def test_a_settlement_is_compared_with_ones_own(served: Served, disguise: Disguise) -> None:
    """Who owns the account settles its own transactions; another's line is nobody's. Others settle none."""
    disguise.wear(tenant="second")
    await confirmed(served)
    (key,) = {ask.transaction_id for ask in served.script.requests}
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await settle(served, row(key))
    assert refusal_of(refused.value).reason == "OUT_OF_REACH"
    disguise.wear()
    found = await settle(served, row(key))
    (difference,) = found.differences
    assert difference.kind == v1.DifferenceKind.DIFFERENCE_KIND_MISSING_HERE
    assert not difference.HasField("transaction")


TILL = msgspec.structs.replace(LOCAL, name="till-1", sign_in=SignIn.API_KEY)
OTHERS: dict[str, dict[str, Any]] = {
    "another name": {"name": "till-2"},
    "another way to sign in": {"sign_in": SignIn.TOKEN},
    "nobody": {"name": "local", "sign_in": SignIn.NONE},
    "without the scope": {"scopes": EVERYTHING - {Scope.SECRETS}},
}


@pytest.mark.parametrize("other", OTHERS)
async def test_new_cards_are_their_issuers(served: Served, disguise: Disguise, other: str) -> None:
    """A repeat of an issue shows its secrets to the very identity that issued, and to no other."""
    served.script.reactions.append(ISSUED)
    request = v1.IssueRequest(transaction_id=served.clock.uuid4(), amount=RAND)

    async def number(identity: Identity) -> str:
        disguise.identity = identity
        card = (await served.call("Issue", request)).transaction.issued_cards[0]
        assert card.masked_card
        told: str = card.number
        return told

    assert await number(TILL) == NUMBER
    assert not await number(msgspec.structs.replace(TILL, **OTHERS[other]))
    assert await number(TILL) == NUMBER
    assert len(served.script.requests) == 1


async def test_an_issue_from_before_is_shown_where_nobody_signs_in(
    served: Served, disguise: Disguise
) -> None:
    """A row without an issuer shows its secrets as it did then: to the caller who need not sign in."""
    served.script.reactions.append(ISSUED)
    request = v1.IssueRequest(transaction_id=served.clock.uuid4(), amount=RAND)
    await served.call("Issue", request)
    entry = await served.app.dependencies.records.get(request.transaction_id)
    assert entry is not None
    await served.app.dependencies.records.write(msgspec.structs.replace(entry, asked_by=""))
    for identity, expected in ((LOCAL, NUMBER), (TILL, "")):
        disguise.identity = identity
        assert (await served.call("Issue", request)).transaction.issued_cards[0].number == expected
