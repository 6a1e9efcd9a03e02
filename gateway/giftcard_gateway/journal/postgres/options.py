"""What the settings ask of a PostgreSQL journal, checked before anything is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_adapters.errors import SettingsError
from giftcard_gateway.journal.postgres.hosts import check_url
from giftcard_gateway.journal.postgres.sessions import SessionLimits

if TYPE_CHECKING:
    from giftcard_gateway.journal.settings import JournalSettings

_LEAST_POLL_S = 0.05


def limits_of(settings: JournalSettings) -> SessionLimits:
    """Return how many sessions there may be, and of which kind.

    Raises ValueError for a `url` that cannot be followed, SettingsError for settings that do not go together.
    """
    check_url(settings.url.reveal())
    listen_url = settings.listen_url.reveal()
    if listen_url:
        try:
            check_url(listen_url)
        except ValueError as fault:
            raise SettingsError([f"journal.listen_url {fault}"]) from None
    if listen_url and settings.poll_s:
        raise SettingsError(["journal.listen_url is not used with journal.poll_s: leave one of them out"])
    if 0 < settings.poll_s < _LEAST_POLL_S:
        raise SettingsError([f"journal.poll_s must be 0 or at least {_LEAST_POLL_S}"])
    if settings.pooled and not listen_url and not settings.poll_s:
        raise SettingsError(
            ["journal.pooled needs journal.listen_url or journal.poll_s: no pooler can listen"]
        )
    return SessionLimits(
        pool_size=settings.pool_size,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_s=settings.statement_timeout_s,
        is_pooled=settings.pooled or bool(listen_url),
    )
