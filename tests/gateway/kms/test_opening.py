"""Wrapped keys are opened once, before anything runs, by whichever service the settings name."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config import ConfigError, describe, load_kms
from giftcard_gateway.config.settings import Settings
from giftcard_gateway.kms.contract import KeyService, KmsFault, WrappedKey
from giftcard_gateway.kms.settings import Pkcs11Settings
from giftcard_gateway.process import sealing
from giftcard_gateway.process.sealing import with_open_keys
from tests.gateway.configuration import GOOD, faults_of, load
from tests.world.app import HASH_KEY, KEY

PLAIN, OTHER, CLEAR = (base64.b64encode(bytes([fill]) * 32).decode() for fill in (21, 22, 23))
KMS = """
[kms.hsm]
module = "made-up.so"
token = "t"
key = "k"
pin = "48392017556612"
"""


@dataclass
class MadeUpService:
    """A service whose wrapping is the name before the key, and which can be away."""

    label: str

    def wrap(self, key: bytes, name: str) -> bytes:
        """Put the service and the name before the key."""
        return f"{self.label}|{name}|".encode() + key

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """Take them away again."""
        before = f"{self.label}|{name}|".encode()
        if not wrapped.startswith(before):
            raise KmsFault("it is another's")
        return wrapped.removeprefix(before)


@dataclass
class Services:
    """Opens made-up services, and counts how often."""

    opened: list[str] = field(default_factory=list)
    away: tuple[str, ...] = ()

    @contextmanager
    def open(self, settings: Pkcs11Settings) -> Iterator[KeyService]:
        """Open the service whose token the settings name."""
        self.opened.append(settings.token)
        if settings.token in self.away:
            raise KmsFault("it is away")
        yield MadeUpService(settings.token)


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    """Put made-up services in the place of real ones."""
    made = Services()
    monkeypatch.setattr(sealing, "open_service", made.open)
    return made


def wrapped(key: str, setting: str, *, kms: str = "hsm", token: str = "t") -> str:
    """Return a key as a made-up service wraps it, for the settings."""
    return WrappedKey(kms, MadeUpService(token).wrap(base64.b64decode(key), setting)).text()


def settings(folder: Path, keys: dict[str, str], hash_key: str = HASH_KEY, more: str = "") -> Settings:
    """Load a configuration with these seal keys, and a key service."""
    table = ", ".join(f'"{key_id}" = "{text}"' for key_id, text in keys.items())
    text = GOOD.replace(f'keys = {{ 2026 = "{KEY}" }}', f"keys = {{ {table} }}").replace(HASH_KEY, hash_key)
    return load(folder, text + KMS + more)


def test_wrapped_keys_are_opened_and_clear_ones_stay(tmp_path: Path, services: Services) -> None:
    """Wrapped and clear keys stand beside each other; a service is opened once for all its keys."""
    given = settings(
        tmp_path,
        {"2026": wrapped(PLAIN, "seal.keys.2026"), "clear": CLEAR},
        wrapped(OTHER, "seal.hash_key"),
    )
    opened = with_open_keys(given)
    assert opened.seal.keys == {"2026": Secret(PLAIN), "clear": Secret(CLEAR)}
    assert opened.seal.hash_key == Secret(OTHER)
    assert opened.providers == given.providers
    assert services.opened == ["t"]


def test_two_services_serve_while_one_replaces_the_other(tmp_path: Path, services: Services) -> None:
    """Each key is opened by the service that it names."""
    old = '[kms.old]\nmodule = "m"\ntoken = "old"\nkey = "k"\npin = "1"'
    keys = {
        "2026": wrapped(PLAIN, "seal.keys.2026"),
        "2025": wrapped(OTHER, "seal.keys.2025", kms="old", token="old"),
    }
    opened = with_open_keys(settings(tmp_path, keys, more=old))
    assert opened.seal.keys == {"2026": Secret(PLAIN), "2025": Secret(OTHER)}
    assert sorted(services.opened) == ["old", "t"]


def test_without_wrapped_keys_no_service_is_asked(tmp_path: Path, services: Services) -> None:
    """A service that is configured and opens nothing may be away."""
    with_open_keys(settings(tmp_path, {"2026": KEY}))
    assert services.opened == []


def test_each_key_that_stays_closed_is_named(tmp_path: Path, services: Services) -> None:
    """Every fault is told at once; what a service that is away would open is told by the service."""
    services.away = ("old",)
    old = '[kms.old]\nmodule = "m"\ntoken = "old"\nkey = "k"\npin = "1"'
    keys = {
        "2026": wrapped(PLAIN, "seal.keys.other"),
        "two": wrapped(OTHER, "seal.hash_key"),
        "old": wrapped(CLEAR, "seal.keys.old", kms="old"),
    }
    with pytest.raises(ConfigError) as told:
        with_open_keys(settings(tmp_path, keys, more=old))
    assert set(told.value.faults) == {
        "seal.keys.2026 is not opened by kms.hsm: it is another's",
        "seal.keys.two is not opened by kms.hsm: it is another's",
        "kms.old cannot be used: it is away",
    }


def test_what_comes_out_must_be_a_key_of_its_own(tmp_path: Path, services: Services) -> None:
    """A key that is another one as well, or is not 32 bytes long, is found after it was opened too."""
    assert not services.opened
    short = base64.b64encode(b"short").decode()
    keys = {
        "2026": wrapped(PLAIN, "seal.keys.2026"),
        "twice": PLAIN,
        "short": wrapped(short, "seal.keys.short"),
    }
    with pytest.raises(ConfigError) as told:
        with_open_keys(settings(tmp_path, keys))
    assert set(told.value.faults) == {
        "seal.keys.twice must not be seal.keys.2026 as well",
        "seal.keys.short must be 32 bytes in base64; `openssl rand -base64 32` makes one",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (wrapped(PLAIN, "x", kms="nobody"), "is wrapped by a key service that is not under kms"),
        *(
            (text, "begins as a wrapped key and is none; `giftcard-gateway seal new-key` makes one")
            for text in ("wrapped:", "wrapped:hsm", "wrapped:hsm:", "wrapped:hsm:??", "wrapped::AAAA")
        ),
    ],
)
def test_no_wrapped_key_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    """What only begins as a wrapped key, or names no service, is told with the rest of the settings."""
    assert faults_of(tmp_path, GOOD.replace(KEY, text) + KMS) == (f"seal.keys.2026 {sentence}",)


def test_nothing_secret_is_shown(tmp_path: Path, services: Services) -> None:
    """Neither the PIN nor an opened key is in what `check-config` prints, or in any repr."""
    opened = with_open_keys(settings(tmp_path, {"2026": wrapped(PLAIN, "seal.keys.2026")}))
    assert services.opened
    for shown in (describe(opened), repr(opened), repr(opened.seal), repr(opened.kms)):
        assert "48392017556612" not in shown
        assert PLAIN not in shown
    assert "kms.hsm.pin = (hidden)" in describe(opened)


def test_a_service_is_read_before_there_is_any_key(tmp_path: Path) -> None:
    """The first key is made with a file that has nothing but its service; what is wrong with that is told."""
    file = tmp_path / "gateway.toml"
    file.write_text(KMS, encoding="utf-8")
    environ = {"GIFTCARD_GATEWAY__KMS__HSM__TOKEN": "another"}
    assert load_kms(file, environ)["hsm"].token == "another"
    file.write_text(KMS.replace("token", "tokem").replace("[kms.hsm]", "[kms.HSM]"), encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        load_kms(file, {})
    assert [fault.split(";")[0] for fault in told.value.faults] == [
        "kms.HSM has a bad name",
        "kms.HSM.tokem is not known",
        "kms.HSM.token is missing",
    ]
