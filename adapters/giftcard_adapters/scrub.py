"""Takes card data out of a provider's own words before they are kept or shown (rule 16).

For texts meant for a person: a decline's text, the evidence of an unknown. Not for bodies.
"""

from __future__ import annotations

import re

from giftcard_adapters.values.secret import Secret

_LONGEST = 200
"""Enough for every documented message; a provider's page of HTML is not evidence."""

# Card numbers have 12 digits or more; dates and codes have fewer than 8. Spaces and dashes group a number.
_DIGITS = re.compile(r"\d(?:[ -]?\d){7,}")


def scrub(text: str, *secrets: Secret | None) -> str:
    """Return `text` without long runs of digits or any of the `secrets`, at most 200 characters.

    Name a PIN as a secret: it is too short to be known by its length.
    """
    for secret in secrets:
        if secret is not None and secret.reveal():
            text = text.replace(secret.reveal(), "***")
    return _DIGITS.sub("***", text)[:_LONGEST]
