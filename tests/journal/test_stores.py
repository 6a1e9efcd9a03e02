"""Which class keeps a journal: by the URL, or named as `module:Class` from any installed package."""

from __future__ import annotations

import pytest

from giftcard_adapters.errors import SettingsError
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.sqlite.journal import Sqlite
from giftcard_gateway.journal.stores import BY_SCHEME, find_journal, open_journal
from tests.journal.samples import opened, row

HERE = f"{__name__}:Elsewhere"


class Elsewhere(Sqlite):
    """A journal from outside the tree, which has URLs of its own."""

    is_shared = True

    @classmethod
    def at(cls, settings: JournalSettings) -> Elsewhere:
        """Return a journal in memory's stead: the path is all that follows the scheme."""
        return cls(settings.url.reveal().removeprefix("elsewhere://"))


@pytest.mark.parametrize(
    ("url", "kind"),
    [("sqlite:///j.db", Sqlite), ("postgresql://h/d", Postgres), ("postgres://h/d", Postgres)],
)
def test_the_url_chooses_a_journal_of_ours(url: str, kind: type) -> None:
    """Without `journal.store` the URL's scheme says which class it is."""
    assert find_journal(JournalSettings(url=Secret(url))) is kind


def test_a_class_that_the_url_chose_is_blamed_on_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the URL's own class cannot be loaded, the sentence names the setting that somebody wrote."""
    monkeypatch.setitem(BY_SCHEME, "postgresql", "nowhere:Postgres")
    with pytest.raises(SettingsError, match=r"journal\.url") as refused:
        find_journal(JournalSettings(url=Secret("postgresql://h/d")))
    assert "journal.store" not in str(refused.value)


async def test_a_journal_from_outside_the_tree_serves(tmp_path: object) -> None:
    """A class named in `journal.store` is opened with the settings and keeps rows."""
    settings = JournalSettings(url=Secret(f"elsewhere://{tmp_path}/journal.db"), store=HERE)
    journal = open_journal(settings)
    await journal.start()
    (first,) = await opened(journal, row())
    assert type(journal) is Elsewhere
    assert await journal.get(first.transaction_id) == first
    await journal.close()


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ("nowhere.at_all:Journal", "cannot be found; it is named as module:Class"),
        ("giftcard_gateway.journal.contract:Row", "is not a giftcard_gateway.journal.contract.Journal"),
        ("giftcard_gateway.journal.contract", "cannot be found; it is named as module:Class"),
    ],
)
def test_a_name_of_no_journal_is_refused_in_a_sentence(store: str, sentence: str) -> None:
    """A name that leads nowhere, or to something else, is refused with the setting it stands in."""
    with pytest.raises(SettingsError, match=r"journal\.store") as refused:
        find_journal(JournalSettings(store=store))
    assert sentence in str(refused.value)
