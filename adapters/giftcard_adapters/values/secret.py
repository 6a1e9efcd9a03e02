"""A string whose text is never shown: card numbers, PINs, keys, tokens and redemption URLs.

Whoever needs the text calls `reveal()`, so every place that touches a secret can be found by name.
"""

from __future__ import annotations

import hmac

_LEADING, _TRAILING = 6, 4


class Secret:
    """A text that prints as `Secret(***)` and compares in constant time."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Hide `text`."""
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; for sending, sealing and nothing else."""
        return self._text

    def masked_number(self) -> str:
        """Return a card number as PCI DSS lets it be shown: first six and last four, else the last four.

        A number too short to keep most of itself hidden shows nothing.
        """
        text = self._text
        if len(text) >= _LEADING + 2 * _TRAILING:
            return f"{text[:_LEADING]}{'*' * (len(text) - _LEADING - _TRAILING)}{text[-_TRAILING:]}"
        return self.masked_key()

    def masked_key(self) -> str:
        """Return `****` and the last four characters; of twelve characters or fewer, none."""
        return f"****{self._text[-_TRAILING:] if len(self._text) > 3 * _TRAILING else ''}"

    def __eq__(self, other: object) -> bool:
        """Compare two secrets without telling by the time taken where they differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        # The error for a lone surrogate would hold the text, so none is raised.
        return hmac.compare_digest(_bytes_of(self._text), _bytes_of(other._text))

    def __hash__(self) -> int:
        """Hash by the text, so that equal secrets meet in a dict."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Never show the text."""
        return "Secret(***)"


def _bytes_of(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
