"""The balance changes of each financial request and of its advice.

An advice sets the final amount; a reversal sets it to zero. For load, redemption and transfer one
function therefore serves confirmation and reversal.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from giftcard_simulators.bank import BalanceChange
from giftcard_simulators.electrum.checks import CheckedRequest


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What a request did: the amount it approved, and the changes it made."""

    amount_minor: int
    changes: tuple[BalanceChange, ...]


Settle = Callable[[Move, int], tuple[BalanceChange, ...]]
"""Returns the changes that bring what a request did to the final amount, in minor units."""


def activate(ask: CheckedRequest) -> Move:
    """Put the product's starting balance and the initial load on the card, both balances at once."""
    product = ask.request.product
    starting_minor = ask.products[product.id][1] if product else 0
    total = starting_minor + ask.amount_minor
    change = BalanceChange(card=ask.cards[0].number, book_minor=total, available_minor=total)
    return Move(amount_minor=ask.amount_minor, changes=(change,))


def load(ask: CheckedRequest) -> Move:
    """Put money on the book; it is available after the confirmation."""
    change = BalanceChange(card=ask.cards[0].number, book_minor=ask.amount_minor)
    return Move(amount_minor=ask.amount_minor, changes=(change,))


def redeem(ask: CheckedRequest) -> Move:
    """Take money from both balances at once."""
    return Move(amount_minor=ask.amount_minor, changes=(_both(ask.cards[0].number, -ask.amount_minor),))


def transfer(ask: CheckedRequest) -> Move:
    """Take from the source at once; the target has it available after the confirmation (assumption)."""
    source, target = (card.number for card in ask.cards)
    changes = (_both(source, -ask.amount_minor), BalanceChange(card=target, book_minor=ask.amount_minor))
    return Move(amount_minor=ask.amount_minor, changes=changes)


def replace(ask: CheckedRequest) -> Move:
    """Move the whole balance to the new card, which is usable after the confirmation (assumption)."""
    old, new = ask.cards
    balance = old.book_minor
    return Move(amount_minor=balance, changes=(_both(old.number, -balance), _both(new.number, balance)))


def void(ask: CheckedRequest) -> Move:
    """Move nothing: a void keeps the balance and reports it."""
    return Move(amount_minor=0, changes=(BalanceChange(card=ask.cards[0].number),))


def _both(card: str, minor: int) -> BalanceChange:
    return BalanceChange(card=card, book_minor=minor, available_minor=minor)


def settle_activation(move: Move, final_minor: int) -> tuple[BalanceChange, ...]:
    """Lower the initial load to the final amount."""
    return (_both(move.changes[0].card, final_minor - move.amount_minor),)


def settle_load(move: Move, final_minor: int) -> tuple[BalanceChange, ...]:
    """Lower the load to the final amount, and make that available."""
    book_minor = final_minor - move.amount_minor
    return (BalanceChange(card=move.changes[0].card, book_minor=book_minor, available_minor=final_minor),)


def settle_redemption(move: Move, final_minor: int) -> tuple[BalanceChange, ...]:
    """Give back what the final amount does not need."""
    return (_both(move.changes[0].card, move.amount_minor - final_minor),)


def settle_transfer(move: Move, final_minor: int) -> tuple[BalanceChange, ...]:
    """Give the source back what the final amount does not need; make the final amount available."""
    source, target = (change.card for change in move.changes)
    book_minor = final_minor - move.amount_minor
    put = BalanceChange(card=target, book_minor=book_minor, available_minor=final_minor)
    return (_both(source, move.amount_minor - final_minor), put)


def keep(move: Move, _final_minor: int) -> tuple[BalanceChange, ...]:
    """Change nothing."""
    return tuple(BalanceChange(card=change.card) for change in move.changes)


def undo(move: Move, _final_minor: int) -> tuple[BalanceChange, ...]:
    """Take back everything the request did."""
    return tuple(
        BalanceChange(card=c.card, book_minor=-c.book_minor, available_minor=-c.available_minor)
        for c in move.changes
    )
