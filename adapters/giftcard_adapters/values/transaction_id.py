"""Recognises our own transaction ids where a provider may echo ours or its own."""

from __future__ import annotations

import uuid

_VERSION = 4


def own_id(text: str | None) -> str:
    """Return `text` where it has the form of our ids, a lower-case version-4 UUID; else nothing."""
    try:
        parsed = uuid.UUID(text or "")
    except ValueError:
        return ""
    return str(parsed) if parsed.version == _VERSION and str(parsed) == text else ""
