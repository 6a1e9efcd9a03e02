"""Events: a provider's webhook, verified and durable, told once on a stream that can be taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from giftcard import new_transaction_id, v1
from giftcard_simulators.gatepay.simulator import GatePaySimulator
from giftcard_simulators.gr4vy.webhooks import signed_event
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from giftcard_simulators.sandbox import SimRequest
from tests.patience import PATIENCE_S
from tests.providers.cells import BY_NAME
from tests.providers.conftest import OpenWorld
from tests.providers.refusals import FIELD_INVALID, refused
from tests.providers.world import GATEPAY, GR4VY, JEUDIMERCI, Table, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

APPROVED = v1.TransactionState.TRANSACTION_STATE_APPROVED
PENDING = v1.TransactionState.TRANSACTION_STATE_PENDING


def of_gr4vy(world: World, transaction_id: str) -> SimRequest:
    """Return Gr4vy's event about a transaction."""
    target = {"type": "transaction", "id": world.clock.uuid4(), "external_identifier": transaction_id}
    headers, body = signed_event(
        "transaction.captured", target, event_id=world.clock.uuid4(), at=world.clock.now()
    )
    return SimRequest(method="POST", path="/", headers=headers, body=body)


def of_jeudimerci(world: World, transaction_id: str, code: str = "JDMDEMO000000001") -> SimRequest:
    """Return JeudiMerci's event about an e-card."""
    played = world.providers[JEUDIMERCI].simulator
    assert isinstance(played, JeudiMerciSimulator)
    event = played.completed_event(code, merchant_operation_id=transaction_id)
    # The demo cards are all of one purchase, and an event's identity is its purchase and its card.
    told = msgspec.json.decode(event.body)
    told["resource"]["operationId"] = world.clock.uuid4()
    return msgspec.structs.replace(event, body=msgspec.json.encode(told))


def of_gatepay(world: World, transaction_id: str) -> SimRequest:
    """Return GatePay's callback about a batch."""
    played = world.providers[GATEPAY].simulator
    assert isinstance(played, GatePaySimulator)
    return played.batch_event(transaction_id, ["25.00"])


Make = Callable[[World, str], SimRequest]
EVENTS: Mapping[str, Make] = {GR4VY: of_gr4vy, JEUDIMERCI: of_jeudimerci, GATEPAY: of_gatepay}
NAMES = {GR4VY: "transaction.captured", JEUDIMERCI: "GiftCardPurchaseCompleted", GATEPAY: "PAY_GIFT_BATCH"}
ISSUES = {JEUDIMERCI: BY_NAME[f"{JEUDIMERCI}-Issue"], GATEPAY: BY_NAME[f"{GATEPAY}-Issue"]}
CELLS = {GR4VY: BY_NAME[f"{GR4VY}-Redeem"], **ISSUES}


class Listener:
    """Reads events from a stream."""

    def __init__(self, world: World, **request: object) -> None:
        wanted = v1.StreamEventsRequest(**request)  # type: ignore[arg-type]  # fields by name
        self._stream = world.stubs.events.StreamEvents(wanted, timeout=PATIENCE_S)

    async def following(self) -> v1.StreamEventsResponse:
        """Return the next event, with its cursor."""
        told = await self._stream.read()
        assert isinstance(told, v1.StreamEventsResponse)
        return told

    def leave(self) -> None:
        """Stop listening."""
        self._stream.cancel()


@pytest.mark.parametrize("provider", EVENTS)
async def test_an_event_is_streamed_with_its_transaction(world: World, provider: str) -> None:
    """A webhook is answered 2xx and told with its name and its transaction, whose state it leaves."""
    cell = CELLS[provider]
    done = await world.ask(provider, cell.operation, cell.fresh())
    listener = Listener(world, start_time=done.create_time, providers=[provider])
    event = EVENTS[provider](world, done.transaction_id)
    answer = await world.post_event(provider, event)
    assert answer.is_success
    if provider == GATEPAY:
        assert answer.json() == {"returnCode": "SUCCESS", "returnMessage": ""}
    told = (await listener.following()).event
    assert (told.provider, told.name) == (provider, NAMES[provider])
    assert (told.transaction_id, told.transaction_state) == (done.transaction_id, APPROVED)
    assert told.event_id
    assert told.HasField("receive_time")
    assert "JDMDEMO000000001" not in str(told)
    listener.leave()
    assert (await world.client.get_transaction(done.transaction_id)).state == APPROVED


@pytest.mark.parametrize("provider", EVENTS)
async def test_a_repeated_event_is_told_once(world: World, provider: str) -> None:
    """The same event again is answered 2xx and not told again."""
    event = EVENTS[provider](world, new_transaction_id())
    listener = Listener(world, start_time=now(world), providers=[provider])
    for _ in range(3):
        assert (await world.post_event(provider, event)).is_success
    await listener.following()
    assert await no_more(listener)
    listener.leave()


def now(world: World) -> Timestamp:
    """Return the time as the contract writes it."""
    at = Timestamp()
    at.FromDatetime(world.clock.now())
    return at


async def no_more(listener: Listener) -> bool:
    """Tell whether nothing more comes for a while."""
    waiting = asyncio.ensure_future(listener.following())
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return not done


async def test_a_stream_is_taken_up_by_its_cursor(world: World) -> None:
    """From each event's cursor a new stream goes on with exactly the events after it, filtered by name."""
    start = now(world)
    events = [of_gr4vy(world, new_transaction_id()) for _ in range(4)]
    ids = [event.headers["x-gr4vy-webhook-id"] for event in events]
    for event in events:
        assert (await world.post_event(GR4VY, event)).is_success
    assert (await world.post_event(GATEPAY, of_gatepay(world, new_transaction_id()))).is_success
    listener = Listener(world, start_time=start, names=["transaction.captured"])
    first = [await listener.following() for _ in range(4)]
    listener.leave()
    assert [one.event.event_id for one in first] == ids
    for place in range(3):
        later = Listener(world, cursor=first[place].cursor, names=["transaction.captured"])
        assert [(await later.following()).event for _ in range(3 - place)] == [
            one.event for one in first[place + 1 :]
        ]
        later.leave()
    with refused(*FIELD_INVALID):
        await Listener(world, cursor="made up").following()


@pytest.mark.parametrize("provider", EVENTS)
async def test_what_is_not_authentic_is_not_told(world: World, provider: str) -> None:
    """Without a signature, with another body or under another key an event is 401, and nobody hears of it."""
    event = EVENTS[provider](world, new_transaction_id())
    listener = Listener(world, start_time=now(world), providers=[provider])
    forged = dict.fromkeys(event.headers, "0")
    assert (await world.post_webhook(provider, {}, event.body)).status_code == 401
    assert (await world.post_webhook(provider, forged, event.body)).status_code == 401
    if provider != JEUDIMERCI:
        # JeudiMerci signs nothing: whoever knows its key may say anything.
        assert (await world.post_webhook(provider, event.headers, event.body + b" ")).status_code == 401
    assert await no_more(listener)
    listener.leave()


async def test_an_old_event_is_refused(turned: World) -> None:
    """An event signed longer ago than the tolerance is 401, however good its signature."""
    old = {provider: EVENTS[provider](turned, new_transaction_id()) for provider in (GR4VY, GATEPAY)}
    turned.clock.skip(minutes=15)
    for provider, event in old.items():
        assert (await turned.post_event(provider, event)).status_code == 401


async def test_ids_come_whole_and_numbers_do_not(world: World) -> None:
    """An identifier of our own form is told as it is, however many digits it has; a card number is not."""
    ours, card = "75808730-2912-4084-8085-712345678189", "6045100000000001"
    listener = Listener(world, start_time=now(world), providers=[GR4VY])
    for identifier, shown in ((ours, ours), (card, "***")):
        assert (await world.post_event(GR4VY, of_gr4vy(world, identifier))).is_success
        told = (await listener.following()).event
        assert told.attributes["external_identifier"] == shown
    listener.leave()


async def test_a_body_too_large_is_refused(world: World) -> None:
    """More than the limit is 413 before anything is verified."""
    assert (await world.post_webhook(GR4VY, {}, bytes(300_000))).status_code == 413


def patient(table: Table) -> None:
    """Let nothing be tried again by itself while a test lasts."""
    for stanza in table["providers"].values():
        stanza["terms"] |= {"retry_base_s": 86400, "retry_cap_s": 86400}


async def lost(world: World, provider: str, fields: Mapping[str, object]) -> str:
    """Lose the answer to a request; return its id once it waits for its next try."""
    await world.providers[provider].go_wrong({"fault": "drop_answer", "match": {"method": "POST"}})
    asking = asyncio.create_task(world.ask(provider, CELLS[provider].operation, fields))
    await world.providers[provider].heard_of()
    await world.idle()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return str(fields["transaction_id"])


async def test_an_event_makes_the_gateway_look_at_once(own_world: OpenWorld) -> None:
    """A lost redemption that would be tried again next week is APPROVED as soon as Gr4vy speaks of it."""
    world = await own_world(patient)
    transaction_id = await lost(world, GR4VY, CELLS[GR4VY].fresh())
    assert (await world.client.get_transaction(transaction_id)).state == PENDING
    assert (await world.post_event(GR4VY, of_gr4vy(world, transaction_id))).is_success
    assert (await world.settled(transaction_id)).state == APPROVED
    assert await world.providers[GR4VY].kinds() == ["redeem"]


async def test_an_event_names_the_card_that_was_lost(own_world: OpenWorld) -> None:
    """A lost issue of one e-card is APPROVED when an event under our id names it and its details agree."""
    world = await own_world(patient)
    fields = CELLS[JEUDIMERCI].fresh(quantity=1)
    transaction_id = await lost(world, JEUDIMERCI, fields)
    (effect,) = await world.providers[JEUDIMERCI].effects()
    code = next(card for card in effect["cards"] if card != "WALLET")
    event = of_jeudimerci(world, transaction_id, code)
    assert (await world.post_event(JEUDIMERCI, event)).is_success
    assert (await world.settled(transaction_id)).state == APPROVED
    told = await world.ask(JEUDIMERCI, "Issue", fields)
    assert [card.redemption_key for card in told.issued_cards] == [code]


async def test_an_event_of_another_amount_proves_nothing(own_world: OpenWorld) -> None:
    """An event that names another transaction's dearer card leaves a lost issue PENDING."""
    world = await own_world(patient)
    transaction_id = await lost(world, JEUDIMERCI, CELLS[JEUDIMERCI].fresh(quantity=1))
    assert (await world.post_event(JEUDIMERCI, of_jeudimerci(world, transaction_id))).is_success
    await world.idle()
    assert (await world.client.get_transaction(transaction_id)).state == PENDING


async def test_changes_are_watched_and_taken_up(world: World) -> None:
    """Every change of state is told in order, and from any cursor without loss or repeat."""
    cell = BY_NAME["electrum-Load"]
    mark = f"watch-{new_transaction_id()[:8]}"
    wanted = v1.TransactionFilter(labels={"watch": mark})
    start = now(world)
    done = await world.ask("electrum", "Load", cell.fresh(labels={"watch": mark}))
    await world.confirm("Load", done.transaction_id)
    await world.ask("electrum", "Load", cell.fresh())
    back = await world.ask("electrum", "Load", cell.fresh(labels={"watch": mark}))
    await world.reverse("Load", back.transaction_id)
    steps = ["PENDING", "APPROVED", "CONFIRMING", "CONFIRMED", "PENDING", "APPROVED", "REVERSING", "REVERSED"]
    request = v1.WatchTransactionsRequest(filter=wanted, start_time=start)
    told = await watched(world, request, len(steps))
    names = [v1.TransactionState.Name(one.change.state).removeprefix("TRANSACTION_STATE_") for one in told]
    assert names == steps
    assert [one.transaction.transaction_id for one in told] == [done.transaction_id] * 4 + [
        back.transaction_id
    ] * 4
    for place in range(len(steps) - 1):
        again = v1.WatchTransactionsRequest(filter=wanted, cursor=told[place].cursor)
        rest = await watched(world, again, len(steps) - 1 - place)
        assert [(one.change, one.cursor) for one in rest] == [
            (one.change, one.cursor) for one in told[place + 1 :]
        ]


async def watched(
    world: World, request: v1.WatchTransactionsRequest, count: int
) -> list[v1.WatchTransactionsResponse]:
    """Read so many changes."""
    stream = world.stubs.transactions.WatchTransactions(request, timeout=PATIENCE_S)
    told = []
    for _ in range(count):
        one = await stream.read()
        assert isinstance(one, v1.WatchTransactionsResponse)
        told.append(one)
    stream.cancel()
    return told
