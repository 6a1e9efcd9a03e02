"""PINs are kept for as long as something may still have to be sent, and no longer."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_adapters.codec import pack
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.cards import ClearPin, EncryptedPin, HashedPin
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import TransactionIdReused
from giftcard_gateway.ledger.entry import FINAL, Entry, State
from giftcard_gateway.wire.progress import progress_to
from giftcard_gateway.wire.transactions import transaction_to
from tests.world.gateway import World
from tests.world.provider import APPROVED

SECRET = "7391A2B4C5D6E7F8"
PINS = [
    ClearPin(pin=Secret(SECRET)),
    EncryptedPin(block=Secret(SECRET), account_number=None),
    HashedPin(digest=Secret(SECRET)),
]
DECLINED = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.PIN_INCORRECT))


def redemption(world: World, pin: object) -> Redeem:
    """Return a redemption of a card with a PIN."""
    ask = world.redeem()
    return msgspec.structs.replace(ask, card=msgspec.structs.replace(ask.card, pin=pin))


async def kept(world: World, entry: Entry) -> bytes:
    """Return all that the journal has of an entry, in clear."""
    return pack(await world.entry(entry.transaction_id))


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: type(pin).__name__)
@pytest.mark.parametrize("end", ["confirm", "reverse", "declined"])
async def test_a_pin_is_gone_when_nothing_may_need_it(world: World, pin: object, end: str) -> None:
    """While a transaction is open its PIN is kept; its last write leaves the PIN out, in every form."""
    ask = redemption(world, pin)
    if end == "declined":
        world.script.reactions.append(DECLINED)
    entry = await world.begin(ask)
    if end != "declined":
        assert SECRET.encode() in await kept(world, entry)
        entry = await (world.confirm if end == "confirm" else world.reverse)(entry)
    assert entry.state in FINAL
    left = await world.entry(entry.transaction_id)
    assert SECRET.encode() not in pack(left)
    assert (left.are_pins_erased, left.calls) == (True, ())
    assert left.ask is not None
    assert left.ask.cards[0].number == ask.card.number


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: type(pin).__name__)
@pytest.mark.parametrize("end", ["confirm", "reverse", "declined"])
async def test_an_echo_of_a_pin_goes_with_it(world: World, pin: object, end: str) -> None:
    """A PIN that the provider put into its words is told to nobody, and not kept when the PIN is not."""
    echo = f"wrong {SECRET[:4]} {SECRET[4:]}"
    no = Decline(reason=DeclineReason.PIN_INCORRECT, provider_code=echo, provider_text=echo)
    world.script.reactions.append(
        Outcome(verdict=Verdict.DECLINED, decline=no, references={"said": echo})
        if end == "declined"
        else msgspec.structs.replace(APPROVED, references={"said": echo})
    )
    entry = await world.begin(redemption(world, pin))
    told = [transaction_to(entry)]
    if end != "declined":
        world.script.reactions.append(Acknowledgement(receipt=Receipt.DONE, evidence=echo))
        told.append(transaction_to(await (world.confirm if end == "confirm" else world.reverse)(entry)))
    left = await world.entry(entry.transaction_id)
    assert left.state in FINAL
    assert SECRET[4:].encode() not in pack(left)
    assert left.outcome is not None
    assert left.outcome.references == {"said": "wrong ***"}
    told.append(transaction_to(left))
    assert [one.provider_references["said"] for one in told] == ["wrong ***"] * len(told)
    assert not any(SECRET[4:] in str(one) for one in (*told, progress_to(left, None)))


async def test_a_repeat_is_known_without_its_pin(world: World) -> None:
    """After its PIN is gone a request is repeated by all else; another amount is still refused."""
    ask = redemption(world, PINS[0])
    entry = await world.confirm(await world.begin(ask))
    again = await world.transactions.begin(ask, wait_s=1, by=LOCAL)
    assert (again.is_replayed, again.entry.state) == (True, State.CONFIRMED)
    other = msgspec.structs.replace(ask, amount=Money("ZAR", 1))
    with pytest.raises(TransactionIdReused):
        await world.transactions.begin(other, wait_s=1, by=LOCAL)
    assert entry.state is State.CONFIRMED


async def test_who_had_no_pin_must_repeat_none(world: World) -> None:
    """A request without a PIN is not repeated by one with a PIN, however it ended."""
    ask = redemption(world, None)
    await world.confirm(await world.begin(ask))
    with pytest.raises(TransactionIdReused):
        await world.transactions.begin(
            msgspec.structs.replace(ask, card=msgspec.structs.replace(ask.card, pin=PINS[0])),
            wait_s=1,
            by=LOCAL,
        )
