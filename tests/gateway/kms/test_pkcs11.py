"""Keys are wrapped and opened by a real PKCS#11 token, SoftHSM's; what it refuses is one sentence."""

from __future__ import annotations

import traceback
from pathlib import Path

import pkcs11
import pytest

from giftcard_gateway.kms.contract import KmsFault
from giftcard_gateway.kms.services import open_service
from tests.softhsm import KEY, LABEL, PIN, Token, library, make_token

pytestmark = pytest.mark.softhsm
PLAIN = bytes(range(100, 132))
SETTING = "seal.keys.one"


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    """Make a token, and lead this process to it."""
    made = make_token(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", made.environ["SOFTHSM2_CONF"])
    return made


def test_a_wrapped_key_is_opened_in_another_session(token: Token) -> None:
    """What was wrapped opens later; it does not hold the key in the clear, and is never made alike twice."""
    with open_service(token.settings()) as service:
        first, second = service.wrap(PLAIN, SETTING), service.wrap(PLAIN, SETTING)
    assert first != second
    assert PLAIN not in first
    with open_service(token.settings()) as service:
        assert [service.unwrap(one, SETTING) for one in (first, second)] == [PLAIN, PLAIN]


def test_what_was_changed_stays_closed(token: Token) -> None:
    """A changed bit anywhere, a piece cut off or added, another name: nothing of the key comes out."""
    with open_service(token.settings()) as service:
        wrapped = service.wrap(PLAIN, SETTING)
        flipped = [
            wrapped[:place] + bytes([wrapped[place] ^ 1]) + wrapped[place + 1 :]
            for place in range(len(wrapped))
        ]
        for changed in (*flipped, wrapped[:-1], wrapped[:20], wrapped[:1], b"", wrapped + b"\0"):
            with pytest.raises(KmsFault):
                service.unwrap(changed, SETTING)
        with pytest.raises(KmsFault, match="wrapped for another setting"):
            service.unwrap(wrapped, "seal.keys.two")
        assert service.unwrap(wrapped, SETTING) == PLAIN


def test_another_key_does_not_open(token: Token) -> None:
    """A key opens only under the token's key that it was wrapped by."""
    token.add_key("another", bytes(range(50, 82)))
    with open_service(token.settings()) as service:
        wrapped = service.wrap(PLAIN, SETTING)
    with (
        open_service(token.settings(key="another")) as service,
        pytest.raises(KmsFault, match="by another key"),
    ):
        service.unwrap(wrapped, SETTING)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"module": "/nowhere/lib.so"},
            "the module /nowhere/lib.so is not there, or is no library that speaks PKCS#11",
        ),
        ({"module": __file__}, f"the module {__file__} is not there, or is no library that speaks PKCS#11"),
        ({"token": "nobody"}, "the token 'nobody' is not there"),
        ({"pin": "7351902846"}, f"the PIN is not that of the token '{LABEL}'"),
        ({"key": "none"}, f"the token '{LABEL}' has no AES key 'none'"),
    ],
)
def test_what_is_not_there_is_named(token: Token, changes: dict[str, str], sentence: str) -> None:
    """Module, token, PIN and key that are not right are one sentence each, with no PIN in its traceback."""
    with pytest.raises(KmsFault) as told, open_service(token.settings(**changes)):
        pass
    assert str(told.value) == sentence
    shown = "".join(traceback.format_exception(told.value))
    assert not any(pin in shown for pin in (PIN, "7351902846"))


def test_a_module_that_does_not_begin_is_told(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is there and misses a configuration of its own is not said to be missing."""
    monkeypatch.setenv("SOFTHSM2_CONF", str(token.folder / "nowhere.conf"))
    with pytest.raises(KmsFault, match="does not begin"), open_service(token.settings()):
        pass


def test_a_token_that_goes_away_meanwhile_has_done_its_work(token: Token) -> None:
    """What was opened stays opened, though the session cannot be left as it should."""
    with open_service(token.settings()) as service:
        wrapped = service.wrap(PLAIN, SETTING)
        # Somebody else in the process ends the module's work: no call finds its session any more.
        pkcs11.lib(library()).finalize()
    assert wrapped


def test_what_is_there_twice_is_refused(token: Token) -> None:
    """No key is taken by chance from two of one label, and no token."""
    token.add_key(KEY, bytes(range(50, 82)))
    with (
        pytest.raises(KmsFault, match=f"the token '{LABEL}' has several AES keys '{KEY}'"),
        open_service(token.settings()),
    ):
        pass
    token.add_token()
    with pytest.raises(KmsFault, match=f"there are several tokens '{LABEL}'"), open_service(token.settings()):
        pass


def test_the_token_is_let_go(token: Token) -> None:
    """After the block no session is left: a gateway that serves has no tie to its token."""
    with open_service(token.settings()) as service:
        wrapped = service.wrap(PLAIN, SETTING)
    with pytest.raises(KmsFault):
        service.unwrap(wrapped, SETTING)
