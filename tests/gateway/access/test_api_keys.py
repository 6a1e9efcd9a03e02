"""API keys: made, checked, revoked, and never kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from unittest import mock

import pytest

from giftcard_gateway.access import api_keys
from giftcard_gateway.access.api_keys import ApiKeys, keys_of, make, revoked, row_of
from giftcard_gateway.access.identities import SignIn
from giftcard_gateway.config.access import Grant, Scope
from giftcard_gateway.errors import CredentialsInvalid, Overloaded
from giftcard_gateway.journal.sqlite.journal import Sqlite
from tests.gateway.access.issuing import TurnedClock

GRANT = Grant(name="till-7", scopes=(Scope.MONEY,), tenant="shop", merchants=("M-1",))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Sqlite]:
    """Give a journal that a gateway serves from."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    yield journal
    await journal.close()


async def test_a_key_lets_its_caller_in(journal: Sqlite, tmp_path: Path) -> None:
    """A key made beside a running gateway signs its caller in at once, with what it was granted."""
    clock = TurnedClock()
    keys = ApiKeys(journal, clock)
    await keys.read()
    key, text = make(GRANT, clock)
    await Sqlite(str(tmp_path / "journal.db")).put_api_key(row_of(key))
    identity = await keys.identify(text)
    assert (identity.name, identity.tenant, identity.sign_in) == ("till-7", "shop", SignIn.API_KEY)
    assert (identity.scopes, identity.merchants) == (frozenset({Scope.MONEY}), frozenset({"M-1"}))


def test_the_journal_cannot_tell_a_key() -> None:
    """Neither the secret nor a quick hash of it is kept."""
    key, text = make(GRANT, TurnedClock())
    secret = text.split("_", 2)[2]  # it may have one of its own
    kept = row_of(key).document
    assert secret.encode() not in kept
    assert keys_of([row_of(key)]) == [key]
    assert len(key.hint) == 2
    assert len(key.scrypt) == 32


async def test_a_revoked_or_expired_key_lets_nobody_in(journal: Sqlite) -> None:
    """A key that worked a moment ago is refused once it is revoked, or at its end."""
    clock = TurnedClock()
    keys = ApiKeys(journal, clock)
    (first, text), (second, other) = (
        make(GRANT, clock),
        make(GRANT, clock, expires_at=clock.now().replace(year=clock.now().year + 1)),
    )
    for key in (first, second):
        await journal.put_api_key(row_of(key))
    await keys.read()
    await keys.identify(text)
    await keys.identify(other)
    await journal.put_api_key(row_of(revoked(first, clock.now())))
    await keys.read()
    clock.skip(days=400)
    for shown, cause in ((text, "revoked"), (other, "expired")):
        with pytest.raises(CredentialsInvalid) as refused:
            await keys.identify(shown)
        assert refused.value.cause == cause


async def test_keys_that_nobody_made_share_one_reading(journal: Sqlite) -> None:
    """A hundred unknown keys shown at once cost the journal one reading."""
    keys = ApiKeys(journal, TurnedClock())
    with mock.patch.object(journal, "api_keys", wraps=journal.api_keys) as read:
        told = await asyncio.gather(
            *(keys.identify(f"gck_{number}_x") for number in range(100)), return_exceptions=True
        )
    assert all(isinstance(one, CredentialsInvalid) for one in told)
    assert read.await_count == 1


async def test_guessing_costs_us_no_hash(journal: Sqlite) -> None:
    """A thousand wrong secrets under a known id are refused, nearly all without the costly hash."""
    clock = TurnedClock()
    keys = ApiKeys(journal, clock)
    key, text = make(GRANT, clock)
    await journal.put_api_key(row_of(key))
    await keys.read()
    with mock.patch.object(api_keys, "_scrypt", wraps=api_keys._scrypt) as hashed:  # noqa: SLF001 - counts its calls
        for number in range(1000):
            with pytest.raises(CredentialsInvalid):
                await keys.identify(f"gck_{key.key_id}_{number}")
        assert hashed.call_count <= 2
        await asyncio.gather(*(keys.identify(text) for _ in range(3)))
        await keys.identify(text)
        assert hashed.call_count <= 5


async def test_who_makes_us_hash_keeps_no_other_key_waiting(journal: Sqlite) -> None:
    """Under one key whose hint is known all places are taken; another's is checked after one hash at most."""
    clock = TurnedClock()
    keys = ApiKeys(journal, clock)
    (attacked, _), (other, text) = make(GRANT, clock), make(GRANT, clock)
    for key in (attacked, other):
        await journal.put_api_key(row_of(key))
    await keys.read()
    order = list[bytes]()

    def hashed(_secret: str, salt: bytes) -> bytes:
        order.append(salt)
        return other.scrypt if salt == other.salt else b""

    with (
        mock.patch.object(
            api_keys, "_hint", lambda _, salt: next(k.hint for k in (attacked, other) if k.salt == salt)
        ),
        mock.patch.object(api_keys, "_scrypt", hashed),
    ):
        wrong = [
            asyncio.ensure_future(keys.identify(f"gck_{attacked.key_id}_{place}")) for place in range(100)
        ]
        await asyncio.sleep(0)
        assert (await keys.identify(text)).name == "till-7"
        assert order.index(other.salt) <= 2
        ended = await asyncio.gather(*wrong, return_exceptions=True)
    refused = Counter(type(one) for one in ended)
    assert refused == {CredentialsInvalid: 64, Overloaded: 36}


async def test_a_key_shown_by_many_at_once_is_hashed_once(journal: Sqlite) -> None:
    """Whoever waits for a key that turns out good is let in with it, as many as there are places."""
    keys = ApiKeys(journal, TurnedClock())
    key, text = make(GRANT, TurnedClock())
    await journal.put_api_key(row_of(key))
    await keys.read()
    with mock.patch.object(api_keys, "_scrypt", wraps=api_keys._scrypt) as hashed:  # noqa: SLF001 - counts its calls
        await asyncio.gather(*(keys.identify(text) for _ in range(60)))
    assert hashed.call_count == 1


@pytest.mark.parametrize("text", ["gck_", "gck__", "gck_nobody_x", "gck_" + "x" * 5000, "gck_ü_ß"])
async def test_a_key_nobody_made(journal: Sqlite, text: str) -> None:
    """What is no key is refused with one sentence, whatever is wrong with it."""
    keys = ApiKeys(journal, TurnedClock())
    key, good = make(GRANT, TurnedClock())
    await journal.put_api_key(row_of(key))
    await keys.read()
    for shown in (text, good + "x", good[:-1]):
        with pytest.raises(CredentialsInvalid, match="The API key is not known here"):
            await keys.identify(shown)
