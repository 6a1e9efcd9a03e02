"""Loyalty points, as providers count them."""

from __future__ import annotations

import msgspec

from giftcard_adapters.values.money import Money


class Points(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Loyalty points: a count, and what they are worth."""

    amount: int
    worth: Money | None = None
    due_to_expire: int | None = None
    expires_on: str = ""


class PointBalances(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Points requested, approved, on the book and available."""

    requested: Points | None = None
    approved: Points | None = None
    book: Points | None = None
    available: Points | None = None
