"""Removes card data from a provider's texts before they are stored or shown (rule 16).

For short texts (a decline's text, the evidence of an unknown), not for bodies.
"""

from __future__ import annotations

import re

from giftcard_adapters.values.secret import Secret

_LONGEST = 200
"""Characters; longer than every documented message. The rest, such as an HTML page, is cut."""

# Card numbers have 12 digits or more; dates and codes have fewer than 8. Spaces and dashes group a number.
_DIGITS = re.compile(r"\d(?:[ -]?\d){7,}")


def scrub(text: str, *secrets: Secret | None) -> str:
    """Return `text` without long runs of digits or any of the `secrets`, at most 200 characters.

    Pass a PIN as a secret, because it is too short to be recognised as one.
    """
    for secret in secrets:
        if secret is not None and secret.reveal():
            text = text.replace(secret.reveal(), "***")
    return _DIGITS.sub("***", text)[:_LONGEST]
