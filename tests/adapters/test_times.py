"""Reads a provider's time, or leaves it out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from giftcard_adapters.times import instant, is_zone

SUMMER = datetime(2026, 6, 30, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2026-07-01T00:00:00", SUMMER),
        ("2026-06-30T22:00:00Z", SUMMER),
        ("2026-06-30T12:00:00-10:00", SUMMER),
        ("2026-12-31", None),
        ("", None),
        (None, None),
        ("12/2026", None),
        ("2026-12-31T23:59:60Z", None),
        ("0001-01-01T00:00:00", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("next Christmas, I think", None),
    ],
)
def test_an_instant_or_nothing(told: str | None, at: datetime | None) -> None:
    """A time without an offset is read in the declared zone; a day alone and odd texts are left out."""
    read = instant(told, "Europe/Paris")
    assert read == at
    assert read is None or read.tzinfo is UTC


@pytest.mark.parametrize(
    ("name", "known"), [("Europe/Paris", True), ("UTC", True), ("Mars/Base", False), ("", False)]
)
def test_a_zone_is_an_iana_name(name: str, known: bool) -> None:
    """Only names of the IANA database are zones."""
    assert is_zone(name) is known
