"""Lookup, Balance and BatchBalance: what each provider tells of a card, and of cards that are not there."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from giftcard import Card, new_transaction_id, to_decimal, to_money, v1
from tests.providers.cells import FUNDED, INACTIVE, INACTIVE_PIN, LOW, VAULTED, VAULTED_PIN, WITH_PIN
from tests.providers.conftest import OpenWorld
from tests.providers.refusals import (
    CARD_NOT_FOUND,
    FIELD_INVALID,
    PROVIDER_REFUSED,
    RATE_LIMITED,
    refused,
)
from tests.providers.world import ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACTIVE, REDEEMED = v1.CardState.CARD_STATE_ACTIVE, v1.CardState.CARD_STATE_REDEEMED
BLOCKED, FAILED = v1.CardState.CARD_STATE_BLOCKED, v1.CardState.CARD_STATE_FAILED
EXPIRED, INACTIVE_STATE = v1.CardState.CARD_STATE_EXPIRED, v1.CardState.CARD_STATE_INACTIVE
NOT_TOLD = v1.CardState.CARD_STATE_UNSPECIFIED
E_CARD = Card.redemption_key("JDMDEMO000000001")

Shown = tuple[str, str]


def shown(balances: v1.Balances) -> Shown:
    """Return the book and available balance; empty what is not told."""
    return tuple(  # type: ignore[return-value]  # of two names come two texts
        str(to_decimal(getattr(balances, name))) if balances.HasField(name) else ""
        for name in ("book", "available")
    )


BALANCES: list[tuple[str, Mapping[str, object], str, Shown, v1.CardState.ValueType]] = [
    (ELECTRUM, {"card": FUNDED}, "604500******0061", ("500.00", "500.00"), NOT_TOLD),
    (GR4VY, {"card": VAULTED, "pin": VAULTED_PIN}, "604510******0001", ("", "500.00"), ACTIVE),
    (GATEPAY, {"card": "6045200000000001"}, "604520******0001", ("25.00", "25.00"), ACTIVE),
    (GATEPAY, {"card": "6045200000000002"}, "604520******0002", ("0.00", "0.00"), REDEEMED),
    (GATEPAY, {"card": "6045200000000003"}, "604520******0003", ("25.00", "0.00"), BLOCKED),
]


@pytest.mark.parametrize(("provider", "fields", "masked", "both", "state"), BALANCES)
async def test_balance(
    world: World,
    provider: str,
    fields: Mapping[str, object],
    masked: str,
    both: Shown,
    state: v1.CardState.ValueType,
) -> None:
    """A balance is masked, says who told it and when, and fills the balances the provider knows."""
    told = await world.client.balance(provider=provider, **fields)  # type: ignore[arg-type]  # keywords as data
    assert (told.provider, told.masked_card, shown(told.balances)) == (provider, masked, both)
    assert told.state == state
    assert told.HasField("read_time")


async def test_both_balances_differ_while_a_load_is_open(world: World) -> None:
    """An unconfirmed load is on the book and not available: both balances come through."""
    await world.client.load(transaction_id=new_transaction_id(), card=FUNDED, amount="50.00", currency="ZAR")
    assert shown((await world.client.balance(card=FUNDED)).balances) == ("550.00", "500.00")


LOOKUPS: list[tuple[str, Mapping[str, object], v1.CardState.ValueType]] = [
    (ELECTRUM, {"card": FUNDED}, NOT_TOLD),
    (ELECTRUM, {"card": WITH_PIN}, NOT_TOLD),
    (GR4VY, {"card": VAULTED, "pin": VAULTED_PIN}, ACTIVE),
    (GR4VY, {"card": "6045100000000005", "pin": "050000"}, EXPIRED),
    (GR4VY, {"card": INACTIVE, "pin": INACTIVE_PIN}, INACTIVE_STATE),
    (JEUDIMERCI, {"card": E_CARD}, ACTIVE),
    (JEUDIMERCI, {"card": Card.redemption_key("JDMDEMO000000003")}, REDEEMED),
    (GATEPAY, {"card": "6045200000000001"}, ACTIVE),
    (GATEPAY, {"card": "6045200000000002"}, REDEEMED),
    (GATEPAY, {"card": "6045200000000003"}, BLOCKED),
    (GATEPAY, {"card": "6045200000000004"}, FAILED),
]


@pytest.mark.parametrize(("provider", "fields", "state"), LOOKUPS)
async def test_lookup(
    world: World, provider: str, fields: Mapping[str, object], state: v1.CardState.ValueType
) -> None:
    """A lookup tells the card's state where the provider knows it, and never the card itself."""
    view = await world.client.lookup(provider=provider, **fields)  # type: ignore[arg-type]  # keywords as data
    assert (view.provider, view.state) == (provider, state)
    assert "*" in view.masked_card
    card = fields["card"]
    secret = card if isinstance(card, str) else card.to_message().redemption_key  # type: ignore[attr-defined]  # a Card
    assert secret not in str(view)


async def test_points_without_an_expiry_come_through(world: World) -> None:
    """A redemption that names points but not when they expire is answered like any other."""
    points = v1.Points(amount=500, worth=to_money("5.00", "ZAR"))
    done = await world.client.redeem(
        transaction_id=new_transaction_id(), card=FUNDED, amount="5.00", currency="ZAR", points=points
    )
    assert done.points.requested == points


async def test_lookup_tells_all_that_electrum_tells(world: World) -> None:
    """Electrum's points, clubs, marketing attributes, product, receiver and settlement come through."""
    view = await world.client.lookup(card=FUNDED)
    assert shown(view.balances) == ("500.00", "500.00")
    assert view.points.book.amount == 1_250
    assert [club.name for club in view.clubs] == ["Sandbox Gold"]
    assert view.product.product_id == "product001"


MISSES: list[tuple[str, Mapping[str, object]]] = [
    (ELECTRUM, {"card": "6045000000009999"}),
    (GR4VY, {"card": "6045100000099999", "pin": "10000"}),
    (JEUDIMERCI, {"card": Card.redemption_key("JDMDEMO000009999")}),
    (GATEPAY, {"card": "6045200000009999"}),
]


@pytest.mark.parametrize(("provider", "fields"), MISSES, ids=[provider for provider, _ in MISSES])
async def test_a_miss_says_one_uniform_thing(
    world: World, provider: str, fields: Mapping[str, object]
) -> None:
    """A card that is not there is NOT_FOUND in the same words at every provider, and names no card."""
    with refused(*CARD_NOT_FOUND) as caught:
        await world.client.lookup(provider=provider, **fields)  # type: ignore[arg-type]  # keywords as data
    assert "does not tell of such a card" in str(caught.error)
    assert caught.error.metadata == {}


async def test_guessing_ends(own_world: OpenWorld) -> None:
    """After a hundred misses unknown cards are refused unasked, and the card in use is served."""
    world = await own_world()
    heard = world.providers[ELECTRUM].heard
    await world.client.balance(card=FUNDED)
    for last in range(100):
        with refused(*CARD_NOT_FOUND):
            await world.client.balance(card=f"60450000001{last:05d}")
    asked = len(heard)
    with refused(*RATE_LIMITED) as caught:
        await world.client.balance(card=LOW)
    assert caught.error.retry_after_s
    assert len(heard) == asked == 101
    await world.client.balance(card=FUNDED)


def reason_of(item: v1.BatchBalanceItem) -> str:
    """Return the reason of an item's error."""
    info = ErrorInfo()
    for detail in item.error.details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


async def test_batch_balance_has_an_error_per_item(world: World) -> None:
    """One call asks three providers; each card has its own balance or error, in the order of the question."""
    asked = [
        {"card": FUNDED},
        {"card": VAULTED, "pin": VAULTED_PIN},
        {"card": "6045000000009999"},
        {"card": "6045100000000005", "pin": "050000"},
        {"card": "6045200000000001"},
        {"card": "9999000000000001"},
        {"card": E_CARD, "provider": JEUDIMERCI},
        {"card": LOW},
    ]
    answer = await world.client.batch_balance(asked)  # type: ignore[arg-type]  # keywords as data
    told = [
        shown(item.card_balance.balances) if item.HasField("card_balance") else reason_of(item)
        for item in answer.items
    ]
    assert told == [
        ("500.00", "500.00"),
        ("", "500.00"),
        "CARD_NOT_FOUND",
        "PROVIDER_REFUSED",
        ("25.00", "25.00"),
        "NO_ROUTE",
        "OPERATION_UNSUPPORTED",
        ("1.00", "1.00"),
    ]


async def test_many_cards_of_one_provider_are_one_exchange(world: World) -> None:
    """Gr4vy takes 20 cards at once: 25 balances are two exchanges, and all of them come back."""
    cards = [{"card": f"60451000000{number:05d}", "pin": f"0{number:05d}"} for number in range(100, 125)]
    answer = await world.client.batch_balance(cards)  # type: ignore[arg-type]  # keywords as data
    told = [shown(item.card_balance.balances)[1] for item in answer.items]
    assert told == [f"{number / 100:.2f}" for number in range(100, 125)]
    assert len(world.providers[GR4VY].heard) == 2


async def test_a_refused_read_says_why(world: World) -> None:
    """A provider's no to a read that is not about existence names our reason and its code."""
    with refused(*PROVIDER_REFUSED) as caught:
        await world.client.balance(card="6045100000000005", pin="050000")
    assert caught.error.metadata["decline_reason"] == "CARD_EXPIRED"
    assert caught.error.metadata["provider_code"] == "expired_card"


async def test_a_read_is_validated_first(world: World) -> None:
    """A malformed card names its field and nobody is asked."""
    with refused(*FIELD_INVALID) as caught:
        await world.client.balance(card="not a number")
    assert [violation.field for violation in caught.error.violations] == ["card.number.pan"]
    assert world.providers[ELECTRUM].heard == []
