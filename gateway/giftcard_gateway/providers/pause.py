"""What is said of a provider that an operator paused: nothing new goes to it."""

from __future__ import annotations

from datetime import datetime

import msgspec


class ProviderPause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One pause of one provider: since when, who asked for it and why, and when it ended."""

    since: datetime
    by: str
    note: str
    until: datetime | None = None
