"""Number and expiry of a magnetic stripe's track, and nothing else of it (ISO/IEC 7813)."""

from __future__ import annotations

import re

_NUMBER = r"(?P<number>[0-9]{1,19})"
_EXPIRY = r"(?P<expiry>[0-9]{2}(?:0[1-9]|1[0-2]))?"
_TRACKS = (
    re.compile(rf"%?[A-Z]{_NUMBER}\^[^^?]{{0,26}}\^{_EXPIRY}[^?]*(?:\?.?)?"),
    re.compile(rf";?{_NUMBER}(?:[=D]{_EXPIRY}[0-9=D]*)?(?:\?.?)?"),
)
"""Track 1 with the holder's name, track 2 without; a check character may follow the end sentinel."""


def read_track(track: str) -> tuple[str, str] | None:
    """Return number and expiry (`YYMM`, empty where there is none), or None for what is no track."""
    for shape in _TRACKS:
        if (found := shape.fullmatch(track.strip())) is not None:
            return found["number"], found["expiry"] or ""
    return None
