"""Ids and codes as parts of a path, whatever characters a provider puts into them."""

from __future__ import annotations

from urllib.parse import quote

from giftcard_adapters.errors import Unreadable


def is_segment(text: str) -> bool:
    """Tell whether a path can hold a text as one part: an empty one or dots would name something else."""
    return text not in {"", ".", ".."}


def segment(text: str) -> str:
    """Return a text as one part of a path; raise Unreadable for one that no path can hold.

    What comes from a caller is refused earlier: this is the answer's fault.
    """
    if not is_segment(text):
        raise Unreadable("the answer has an id that no path can hold")
    return quote(text, safe="", errors="surrogatepass")
