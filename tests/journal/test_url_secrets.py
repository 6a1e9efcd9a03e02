"""What is said of a PostgreSQL URL that cannot be read: never a piece of its password (rule 16)."""

from __future__ import annotations

import pytest

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.sessions import SessionLimits, Sessions


@pytest.mark.parametrize("password", ["pearl/harbour", "pearl@har:bour"])
async def test_password_that_breaks_the_url_is_not_repeated(password: str) -> None:
    """A password with a character that must be escaped makes a URL nobody can read, and stays unsaid."""
    url = f"postgresql://somebody:{password}@localhost/gateway"
    with pytest.raises(JournalClosed, match="%2F") as serving:
        await Sessions(url, SessionLimits()).open()
    with pytest.raises(JournalClosed, match="%2F") as migrating:
        await Postgres(url).schema()
    for said in (str(serving.value), str(migrating.value)):
        assert not any(piece in said for piece in ("pearl", "har", "bour"))
