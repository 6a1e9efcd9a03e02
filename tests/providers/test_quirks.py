"""What is special about each provider, through the gateway: slow and refused ends, dialects, PINs."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from giftcard import Card, is_approved, is_reversed, new_transaction_id, to_decimal, v1
from giftcard_simulators.electrum.books import PIN_BLOCK
from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.gatepay.simulator import GatePaySimulator
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from tests.patience import PATIENCE_S
from tests.providers.cells import BY_NAME, CELLS, NONE, WITH_PIN, Cell
from tests.providers.conftest import OpenWorld
from tests.providers.world import ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, Table, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

State = v1.TransactionState
APPROVED, CONFIRMED = State.TRANSACTION_STATE_APPROVED, State.TRANSACTION_STATE_CONFIRMED
REVERSED, UNRESOLVED = State.TRANSACTION_STATE_REVERSED, State.TRANSACTION_STATE_UNRESOLVED
REDEEM = BY_NAME[f"{GR4VY}-Redeem"]
E_CARDS, SLOW_CARDS = BY_NAME[f"{JEUDIMERCI}-Issue"], BY_NAME[f"{GATEPAY}-Issue"]


async def ended(world: World, transaction_id: str) -> v1.Transaction:
    """Return a transaction once it has left APPROVED for good."""
    async with asyncio.timeout(PATIENCE_S):
        while is_approved(done := await world.settled(transaction_id)):  # noqa: ASYNC110 - asked over the wire
            await asyncio.sleep(0.02)
    return done


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_nothing_hangs(turned: World, cell: Cell) -> None:
    """What nobody decided in fifteen minutes is put back, or confirmed where it cannot be (rule 10)."""
    provider = turned.providers[cell.provider]
    before = await provider.books()
    done = await turned.ask(cell.provider, cell.operation, cell.fresh())
    turned.clock.skip(minutes=16)
    done = await ended(turned, done.transaction_id)
    assert done.state == (CONFIRMED if cell.guarantee == NONE else REVERSED)
    moved = (await provider.books()).moved_since(before)
    assert bool(moved) is (cell.guarantee == NONE)


@pytest.mark.parametrize(
    ("title", "ending"),
    [
        ("sandbox: at once", APPROVED),
        ("sandbox: review", APPROVED),
        ("sandbox: frozen", UNRESOLVED),
    ],
)
async def test_gatepay_takes_its_time(
    turned: World, title: str, ending: v1.TransactionState.ValueType
) -> None:
    """A card in review is waited for until it is issued; one frozen is a person's after a day."""
    provider = turned.providers[GATEPAY]
    asking = asyncio.create_task(turned.ask(GATEPAY, "Issue", SLOW_CARDS.fresh(title=title)))
    if ending == UNRESOLVED:
        await provider.heard_of()
        turned.clock.skip(hours=24, minutes=1)
    done = await asking
    assert done.state == ending
    assert await provider.kinds() == ["issue"]
    if is_approved(done):
        await turned.confirm("Issue", done.transaction_id)


@pytest.mark.parametrize(
    ("price", "ending", "evidence"),
    [
        ("13.13", APPROVED, ""),
        ("14.14", UNRESOLVED, "1 e-card(s) for 2 asked for"),
        ("15.15", UNRESOLVED, "cost something else"),
    ],
)
async def test_jeudimerci_says_strange_things(
    turned: World, price: str, ending: v1.TransactionState.ValueType, evidence: str
) -> None:
    """A strange status is cleared up by the cards' details; too few or too cheap cards are a person's."""
    provider = turned.providers[JEUDIMERCI]
    asking = asyncio.create_task(turned.ask(JEUDIMERCI, "Issue", E_CARDS.fresh(amount=price)))
    await provider.heard_of("GET")
    if ending == UNRESOLVED:
        turned.clock.skip(hours=2, minutes=5)
    done = await asking
    assert (done.state, evidence in done.evidence.summary) == (ending, True)
    assert await provider.kinds() == ["issue"]
    if is_approved(done):
        await turned.confirm("Issue", done.transaction_id)


async def test_a_spent_e_card_keeps_its_issue(world: World) -> None:
    """An issue of which a card is consumed is not put back: no card is deleted, and a person decides."""
    done = await world.ask(JEUDIMERCI, "Issue", E_CARDS.fresh())
    played = world.providers[JEUDIMERCI].simulator
    assert isinstance(played, JeudiMerciSimulator)
    played.consume(done.issued_cards[1].redemption_key)
    back = await world.reverse("Issue", done.transaction_id)
    assert (back.state, "consumed" in back.evidence.summary) == (UNRESOLVED, True)
    assert await world.providers[JEUDIMERCI].kinds() == ["issue", "redeem"]


async def test_a_refund_that_fails_is_a_persons(world: World) -> None:
    """A reversal Gr4vy refuses for good is UNRESOLVED with its refusal, and the redemption stands once."""
    done = await world.ask(GR4VY, "Redeem", REDEEM.fresh(amount="50.02"))
    back = await world.reverse("Redeem", done.transaction_id)
    assert back.state == UNRESOLVED
    assert back.evidence.summary
    assert await world.providers[GR4VY].kinds() == ["redeem"]


async def test_gr4vy_settles_later(own_world: OpenWorld) -> None:
    """While Gr4vy calls a redemption pending it is PENDING, then APPROVED; its refund likewise, each once."""
    world = await own_world(makers={GR4VY: partial(Gr4vySimulator, settles_after_s=0.3)})
    done = await world.ask(GR4VY, "Redeem", REDEEM.fresh())
    assert is_approved(done)
    back = await world.reverse("Redeem", done.transaction_id)
    assert is_reversed(await world.settled(back.transaction_id))
    assert await world.providers[GR4VY].kinds() == ["redeem", "reverse"]


@pytest.mark.parametrize("end", ["confirm", "reverse"])
async def test_a_duplicate_advice_is_done(own_world: OpenWorld, end: str) -> None:
    """Where Electrum calls a repeated advice a duplicate, as its test server does, the promise is kept."""
    world = await own_world(makers={ELECTRUM: partial(ElectrumSimulator, are_repeats_duplicates=True)})
    provider = world.providers[ELECTRUM]
    done = await world.ask(ELECTRUM, "Load", BY_NAME[f"{ELECTRUM}-Load"].fresh())
    await provider.go_wrong({"fault": "drop_answer"})
    act = world.confirm if end == "confirm" else world.reverse
    await act("Load", done.transaction_id)
    assert (await world.settled(done.transaction_id)).state == (CONFIRMED if end == "confirm" else REVERSED)
    assert await provider.kinds() == ["load", end]


def guided(table: Table) -> None:
    """Let GatePay speak as its guide says."""
    table["providers"][GATEPAY]["settings"]["dialect"] = "guide"


async def test_gatepays_other_dialect(own_world: OpenWorld) -> None:
    """In the guide's dialect a card is issued at once, looked up and listed as in the reference's."""
    world = await own_world(guided, makers={GATEPAY: partial(GatePaySimulator, dialect="guide")})
    done = await world.ask(GATEPAY, "Issue", SLOW_CARDS.fresh())
    (card,) = done.issued_cards
    assert (done.state, bool(card.redemption_key)) == (APPROVED, True)
    assert (await world.confirm("Issue", done.transaction_id)).state == CONFIRMED
    assert await world.providers[GATEPAY].kinds() == ["issue"]
    named = Card.redemption_key(card.redemption_key)
    view = await world.client.lookup(provider=GATEPAY, card=named)
    assert view.state == v1.CardState.CARD_STATE_ACTIVE
    told = await world.client.balance(provider=GATEPAY, card=named)
    assert str(to_decimal(told.balances.available)) == "25.00"
    assert len((await world.client.list_templates(provider=GATEPAY)).templates) == 3


@pytest.mark.parametrize(
    "pin",
    [
        "1234",
        v1.EncryptedPin(block=PIN_BLOCK),
        v1.HashedPin(digest="03AC674216F3E15C761EE1A5E255F067953623C8B388B4459E13F978D7C846F4"),
    ],
    ids=["clear", "encrypted", "hashed"],
)
async def test_a_pin_in_each_of_its_forms(world: World, pin: str | v1.EncryptedPin | v1.HashedPin) -> None:
    """Electrum takes a PIN in clear, as a PIN pad's block, and hashed; each opens the card."""
    done = await world.client.redeem(
        transaction_id=new_transaction_id(),
        card=Card.number(WITH_PIN, expiry="4912", pin=pin),
        amount="50.00",
        currency="ZAR",
    )
    assert is_approved(done)
