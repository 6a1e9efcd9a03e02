"""The books: balances change through effects alone, and an impossible effect changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from giftcard_simulators.bank import BalanceChange, Bank, BankCard, BankError
from giftcard_simulators.sandbox import SimAnswer, SimRequest, seeded_ids

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def bank() -> Bank:
    """Return a bank with two cards."""
    return Bank(
        [
            BankCard(
                number="1", currency="ZAR", state="ACTIVE", book_minor=100, available_minor=80, pin="9753"
            ),
            BankCard(number="2", currency="ZAR", state="ACTIVE"),
        ],
        now=lambda: NOW,
    )


def test_effect_changes_balances() -> None:
    """An effect changes the balances it names and is numbered from one, at the bank's time."""
    books = bank()
    changes = (
        BalanceChange(card="1", book_minor=-30, available_minor=-30),
        BalanceChange(card="2", book_minor=30),
    )
    effect = books.post("transfer", "t-1", changes=changes, amount_minor=30, currency="ZAR")
    assert (effect.seq, effect.at, effect.cards) == (1, NOW, ("1", "2"))
    assert [(card.book_minor, card.available_minor) for card in books] == [(70, 50), (30, 0)]
    assert [card["opening_book_minor"] for card in books.cards()] == [100, 0]


@pytest.mark.parametrize(
    "change",
    [
        BalanceChange(card="3", book_minor=1),
        BalanceChange(card="2", book_minor=-1),
        BalanceChange(card="1", available_minor=-81),
    ],
)
def test_impossible_effect(change: BalanceChange) -> None:
    """An effect on a card we do not have, or below zero, raises and changes no card at all."""
    books = bank()
    before = books.cards()
    with pytest.raises(BankError):
        books.post(
            "load",
            "t-1",
            changes=(BalanceChange(card="1", book_minor=5), change),
            amount_minor=5,
            currency="ZAR",
        )
    assert (books.cards(), books.effects()) == (before, [])


def test_number_is_taken_once() -> None:
    """Two cards cannot have one number."""
    with pytest.raises(BankError):
        bank().open(BankCard(number="1", currency="ZAR", state="NEW"))


def test_nothing_secret_shows() -> None:
    """Neither a card nor a message shows its content when printed."""
    card = bank().find("1")
    asked = SimRequest(method="POST", path="/cards/9753", body=b"9753")
    assert "9753" not in f"{card!r} {asked!r} {SimAnswer(status=200, body=b'9753')!r}"


def test_query_is_decoded_on_demand() -> None:
    """The query stays as it was sent, because signatures cover it, and is decoded on demand."""
    asked = SimRequest(method="GET", path="/", query="a=1%2F2&b=&a=3")
    assert asked.parameters() == {"a": "3", "b": ""}


def test_seeded_ids_repeat() -> None:
    """A seed gives the same version-4 UUIDs every time, and another seed others."""
    first, second, third = seeded_ids(7), seeded_ids(7), seeded_ids(8)
    one = first()
    assert (one == second(), one == third(), one[14]) == (True, False, "4")
