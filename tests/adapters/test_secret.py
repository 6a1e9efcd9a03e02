"""A secret shows its text nowhere, and is equal to one of the same text."""

from __future__ import annotations

import pytest

from giftcard_adapters.values.secret import Secret


@pytest.mark.parametrize("text", ["6045830000000017", "clé", "\ud800"])
def test_secrets_are_compared_whatever_their_text(text: str) -> None:
    """Secrets are equal when their texts are, even a text that is no valid Unicode, and hash alike."""
    assert Secret(text) == Secret(text)
    assert Secret(text) != Secret(f"{text}1")
    assert hash(Secret(text)) == hash(Secret(text))
    assert len({Secret(text), Secret(text), Secret(f"{text}1")}) == 2


def test_a_secret_prints_no_text() -> None:
    """What is printed of a secret is the same for every text."""
    assert f"{Secret('not-a-key')} {Secret('not-a-key')!r}" == "Secret(***) Secret(***)"
