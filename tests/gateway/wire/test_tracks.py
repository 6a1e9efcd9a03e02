"""A swiped track gives number and expiry, whatever the reader left around them, and nothing else."""

from __future__ import annotations

import pytest

from giftcard import v1
from giftcard_adapters.values.cards import ClearPin
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.wire.cards import card_from
from giftcard_gateway.wire.tracks import read_track
from giftcard_gateway.wire.validation import validator
from tests.gateway.wire.filled import PAN


@pytest.mark.parametrize(
    ("track", "expiry"),
    [
        (f";{PAN}=30121010000012345678?", "3012"),
        (f";{PAN}=30121010000012345678?5", "3012"),
        (f"{PAN}=3012101", "3012"),
        (f"{PAN}D3012101", "3012"),
        (f";{PAN}==101?", ""),
        (f";{PAN}=0000?", ""),
        (f";{PAN}?", ""),
        (f"%B{PAN}^SANDBOX/ADA^30121010000000000?", "3012"),
        (f"B{PAN}^^^1010000", ""),
        (f" ;{PAN}=3012? \r\n", "3012"),
    ],
)
def test_tracks(track: str, expiry: str) -> None:
    """Tracks 1 and 2 are read with and without sentinels, check character, name and expiry."""
    assert read_track(track) == (PAN, expiry)


@pytest.mark.parametrize(
    "text", ["", "x", f"{PAN[:4]} {PAN[4:]}", f"%B{PAN}", ";=3012?", "1" * 20, f";{PAN}=x?"]
)
def test_what_is_no_track(text: str) -> None:
    """Anything else is refused by name, and the fault does not show it."""
    request = v1.BalanceRequest(card=v1.Card(swipe=v1.SwipedCard(track=text)))
    ((path, fault),) = validator(request.DESCRIPTOR)(request)
    assert path == "card.swipe.track"
    assert not text or text not in fault


def test_a_swiped_card() -> None:
    """A swiped card is the card of its number, with expiry, PIN and rank; the track is nowhere in it."""
    track = f";{PAN}=30121010000098765432?"
    card = card_from(v1.Card(swipe=v1.SwipedCard(track=track, clear_pin="1234"), rank="primary"))
    assert (card.number, card.expiry, card.rank) == (Secret(PAN), "3012", "primary")
    assert card.pin == ClearPin(pin=Secret("1234"))
    assert card.masked() == "604512******0007"


def test_its_number_elsewhere() -> None:
    """The number of a swiped card is looked for in the request's texts too (rule 16)."""
    request = v1.BalanceRequest(
        card=v1.Card(swipe=v1.SwipedCard(track=f";{PAN}=3012?")),
        point_of_sale=v1.PointOfSale(terminal_id=f"T-{PAN}"),
    )
    assert [path for path, _ in validator(request.DESCRIPTOR)(request)] == ["point_of_sale.terminal_id"]
