"""What an operator can decide about the journal; the rest of the settings are in the room `config`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from giftcard_adapters.bounds import WaitSeconds
from giftcard_adapters.values.secret import Secret


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[journal]: where transactions are written down, and for how long."""

    url: Secret = Secret("sqlite:///giftcard-gateway.db")
    """sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/DATABASE."""
    store: str = ""
    """The journal class, as module:Class, from any installed package; empty takes the one for the URL."""
    listen_url: Secret = Secret("")
    """The same PostgreSQL database directly; set it when `url` leads through a pooler such as pgbouncer."""
    pooled: bool = False
    """Whether `url` leads through a pooler such as pgbouncer; a `listen_url` says so too."""
    poll_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    """How often a process looks whether others wrote, without LISTEN and NOTIFY; 0 listens and notifies."""
    pool_size: Annotated[int, msgspec.Meta(ge=1, le=500)] = 8
    connect_timeout_s: WaitSeconds = 5.0
    statement_timeout_s: WaitSeconds = 5.0
    retention_days: Annotated[int, msgspec.Meta(ge=30, le=36500)] = 400
    """Finished transactions older may be purged; ids must outlive every reversal window (rule 1)."""
    purges: bool = True
    """Whether a serving gateway purges by itself, once an hour."""
    card_number_retention_days: Annotated[int, msgspec.Meta(ge=0, le=36500)] = 0
    """Days after a transaction's last write in which its card numbers are erased; 0 keeps them with it."""
    audit_retention_days: Annotated[int, msgspec.Meta(ge=30, le=36500)] = 400
    """Records of the audit older may be purged."""

    @property
    def keeps_numbers(self) -> timedelta | None:
        """How long card numbers are kept after their transaction's end; None for as long as it is."""
        days = self.card_number_retention_days
        return timedelta(days=days) if days else None
