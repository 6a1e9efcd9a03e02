"""How long a provider asks to be left alone."""

from __future__ import annotations

import pytest

from giftcard_adapters.calls import Reply, retry_after_s

NOW = "Fri, 20 Nov 2026 08:31:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 08:31:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Friday, 20-Nov-26 08:31:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 08:30:00 GMT", "date": NOW}, None),
        ({"retry-after": "Fri, 20 Nov 2026 08:31:30 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 08:31:30 GMT", "date": "now"}, None),
        ({"retry-after": "Fri, 20 Nov 99999999999999999 08:31:30 GMT", "date": NOW}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "9" * 5_000}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_wait(headers: dict[str, str], wait_s: float | None) -> None:
    """Seconds, or a date read against the reply's own; what makes no sense is no wait."""
    assert retry_after_s(Reply(status=429, headers=headers, body=b"")) == wait_s
