"""Which journal a URL means. What the journals do is in their own modules."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from giftcard_gateway.journal.postgres import Postgres
from giftcard_gateway.journal.postgres_sessions import Limits
from giftcard_gateway.journal.sqlite import Sqlite

if TYPE_CHECKING:
    from giftcard_gateway.config.settings import Journal as JournalSettings
    from giftcard_gateway.journal.journal import Journal


def open_journal(settings: JournalSettings) -> Journal:
    """Return the journal that the settings name, not started yet.

    `sqlite:///journal.db` is a file beside the working folder, `sqlite:////var/lib/journal.db` an absolute
    one; `postgresql://user:password@host1,host2/database` a server. Raises ValueError for anything else.
    """
    url = settings.url.reveal()
    match urlsplit(url).scheme:
        case "sqlite":
            return Sqlite(sqlite_path(url))
        case "postgresql" | "postgres":
            return Postgres(url, _limits(settings))
        case scheme:
            raise ValueError(f"a journal's URL begins with sqlite:/// or postgresql://, not with {scheme}:")


def _limits(settings: JournalSettings) -> Limits:
    return Limits(
        pool_size=settings.pool_size,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_s=settings.statement_timeout_s,
    )


def sqlite_path(url: str) -> str:
    """Return the file that a `sqlite:///` URL names; raise ValueError when it names none."""
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) <= 1:
        raise ValueError(
            "a SQLite journal's URL is sqlite:/// and a path, as in sqlite:///giftcard-gateway.db"
        )
    return parts.path[1:]
