"""Reads `Retry-After` in both of its forms, and never guesses."""

from __future__ import annotations

import pytest

from giftcard_adapters.calls import Reply, retry_after_s

DATE = "Fri, 20 Nov 2026 08:30:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 08:30:45 GMT", "date": DATE}, 45.0),
        ({"retry-after": "Fri, 20 Nov 2026 08:29:00 GMT", "date": DATE}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:30:45 +0200", "date": DATE}, 45.0),
        ({"retry-after": "Fri, 20 Nov 2026 08:30:45 GMT"}, None),
        ({"retry-after": "Fri, 99 Nov 2026 08:30:45 GMT", "date": DATE}, None),
        ({"retry-after": "-5", "date": DATE}, None),
        ({"retry-after": "1.5", "date": DATE}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "\u0665"}, None),
        ({"date": DATE}, None),
        ({}, None),
    ],
)
def test_seconds_or_nothing(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds are taken as they are, a date against the reply's own Date, and anything else says nothing."""
    assert retry_after_s(Reply(status=429, headers=headers, body=b"")) == seconds
