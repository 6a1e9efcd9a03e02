"""Which class keeps the journal that the settings name. What a journal does is in `contract`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from giftcard_adapters.stanza import find_class
from giftcard_gateway.journal.contract import Journal

if TYPE_CHECKING:
    from giftcard_gateway.journal.settings import JournalSettings

_SQLITE = "giftcard_gateway.journal.sqlite.journal:Sqlite"
_POSTGRES = "giftcard_gateway.journal.postgres.journal:Postgres"

BY_SCHEME = {"sqlite": _SQLITE, "postgresql": _POSTGRES, "postgres": _POSTGRES}
"""The class for each kind of URL, unless `journal.store` names another."""


def find_journal(settings: JournalSettings) -> type[Journal]:
    """Return the class that the settings mean.

    Raises SettingsError for a `journal.store` that names none, ValueError for a URL that is of none.
    """
    if settings.store:
        return find_class("journal.store", settings.store, Journal)  # type: ignore[type-abstract]  # any subclass
    name = BY_SCHEME.get(_scheme(settings.url.reveal()))
    if name is None:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return find_class("journal.url's class", name, Journal)  # type: ignore[type-abstract]  # any subclass


def open_journal(settings: JournalSettings) -> Journal:
    """Return the journal that the settings name, not started yet; raise as `find_journal` does."""
    return find_journal(settings).at(settings)


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        # The words of the fault could hold a piece of the password.
        raise ValueError("is not a URL") from None
