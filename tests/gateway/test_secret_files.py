"""Secrets lie in files that nobody else may read, or a start refuses with the file's name and the cure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from giftcard_gateway import config
from giftcard_gateway.config import ConfigError, secret_files
from tests.gateway.configuration import GOOD, load
from tests.world.app import KEY
from tests.world.certificates import Authority

US, ANOTHER, ROOT = 1000, 1001, 0
ISSUER = '[access.issuers.shop]\nissuer = "https://i"\naudience = "a"\nalgorithms = ["RS256"]\n'


@pytest.mark.parametrize(
    ("mode", "owner", "reader", "cure"),
    [
        (0o600, US, US, ""),
        (0o400, US, US, ""),
        (0o640, US, US, "chmod 600"),
        (0o604, US, US, "chmod 600"),
        (0o620, US, US, "chmod 600"),
        (0o440, ROOT, US, ""),  # Kubernetes: a secret with `fsGroup` and a mode of 0440
        (0o640, ROOT, US, ""),
        (0o644, ROOT, US, "chmod 640"),
        (0o660, ROOT, US, "chmod 640"),
        (0o440, ROOT, ROOT, "chmod 600"),
        (0o600, ANOTHER, US, "chown"),
        (0o600, ANOTHER, ROOT, "chown"),
    ],
)
def test_who_may_have_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, reader: int, cure: str
) -> None:
    """A file of our own is for us alone; one of root's may be read by a group, ours; others' are refused."""
    file = tmp_path / "secret"
    file.touch()
    file.chmod(mode)
    real = file.stat()
    monkeypatch.setattr(os, "geteuid", lambda: reader)
    monkeypatch.setattr(
        Path, "stat", lambda _: os.stat_result((real.st_mode, *real[1:4], owner, *real[5:10]))
    )
    why = secret_files.exposed(file)
    assert bool(why) == bool(cure)
    assert cure in why
    assert not why or str(file) in why


def test_what_counts_is_the_file_at_the_end_of_a_link(tmp_path: Path) -> None:
    """Kubernetes mounts a secret as a link to a link, whose own modes say nothing."""
    (tmp_path / "..2026").mkdir()
    file = tmp_path / "..2026" / "key"
    file.touch(mode=0o600)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "key").symlink_to("..data/key")
    assert not secret_files.exposed(tmp_path / "key")
    file.chmod(0o644)
    assert f"chmod 600 {tmp_path / 'key'}" in secret_files.exposed(tmp_path / "key")


def seal_key(folder: Path) -> tuple[Path, str, str]:
    """Put a seal key in a file; return it, the configuration, and the setting that names it."""
    file = folder / "key"
    file.write_text(KEY, encoding="ascii")
    return file, GOOD.replace(f'"{KEY}"', '{ file = "key" }'), "seal.keys.2026"


def password(folder: Path) -> tuple[Path, str, str]:
    """The same with a provider's password."""
    file = folder / "password"
    file.write_text("pass-word-1", encoding="ascii")
    return file, GOOD.replace('"pass-word-1"', '{ file = "password" }'), "providers.spar-za.settings.password"


def journal_url(folder: Path) -> tuple[Path, str, str]:
    """The same with a journal's URL, which has a password."""
    file = folder / "url"
    file.write_text("postgresql://gateway:hush@127.0.0.1/giftcards", encoding="ascii")
    return file, f'{GOOD}[journal]\nurl = {{ file = "url" }}', "journal.url"


def listener_key(folder: Path) -> tuple[Path, str, str]:
    """The same with the private key of a listener."""
    files = Authority(folder).issue("server", "localhost")
    tls = f'tls = {{ certificate_file = "{files.certificate}", key_file = "{files.key}" }}\n'
    return files.key, f"{GOOD}[server]\n{tls}", "server.tls.key_file"


def client_key(folder: Path) -> tuple[Path, str, str]:
    """The same with the private key that is shown to a provider."""
    files = Authority(folder).issue("client", "localhost")
    tls = f'certificate_file = "{files.certificate}"\nkey_file = "{files.key}"\n'
    return files.key, f"{GOOD}[providers.spar-za.tls]\n{tls}", "providers.spar-za.tls.key_file"


def private_jwks(folder: Path) -> tuple[Path, str, str]:
    """The same with an issuer's keys, when the private one is among them."""
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": [{"kty": "EC"}, {"kty": "EC", "d": "secret"}]}), encoding="ascii")
    return file, f'{GOOD}{ISSUER}jwks_file = "{file}"', "access.issuers.shop.jwks_file"


def pgpass(folder: Path) -> tuple[Path, str, str]:
    """The same with a password file that the journal's URL names."""
    file = folder / "pgpass"
    file.write_text("*:*:*:*:hush", encoding="ascii")
    url = f"postgresql://gateway@127.0.0.1/giftcards?passfile={file}"
    return file, f'{GOOD}[journal]\nurl = "{url}"', "journal.url: passfile"


def kms_pin(folder: Path) -> tuple[Path, str, str]:
    """The same with the PIN of a key service."""
    file = folder / "pin"
    file.write_text("48392017", encoding="ascii")
    kms = '[kms.hsm]\nmodule = "m"\ntoken = "t"\nkey = "k"\npin = { file = "pin" }'
    return file, f"{GOOD}{kms}", "kms.hsm.pin"


@pytest.mark.parametrize(
    "make", [seal_key, kms_pin, password, journal_url, listener_key, client_key, private_jwks, pgpass]
)
def test_a_secret_that_others_may_read_is_refused(
    tmp_path: Path, make: Callable[[Path], tuple[Path, str, str]]
) -> None:
    """Every file with a secret is refused by its name and with the cure, and not once it is private."""
    file, text, setting = make(tmp_path)
    file.chmod(0o600)
    load(tmp_path, text)
    for mode in (0o640, 0o604):
        file.chmod(mode)
        with pytest.raises(ConfigError) as told:
            load(tmp_path, text)
        (sentence,) = told.value.sentences
        assert sentence == f"{setting} names {file}, which others may read or write: chmod 600 {file}"


def test_what_is_no_secret_may_be_read_by_all(tmp_path: Path) -> None:
    """A certificate, public keys, and a setting that is no secret may lie in files that all may read."""
    files = Authority(tmp_path).issue("server", "localhost")
    files.certificate.chmod(0o644)
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [{"kty": "EC", "x": "public"}]}), encoding="ascii")
    address = tmp_path / "listen"
    address.write_text("127.0.0.1:1", encoding="ascii")
    for file in (jwks, address):
        file.chmod(0o644)
    tls = f'tls = {{ certificate_file = "{files.certificate}", key_file = "{files.key}" }}\n'
    text = f'{GOOD}[server]\nlisten = {{ file = "listen" }}\n{tls}{ISSUER}jwks_file = "{jwks}"'
    assert load(tmp_path, text).server.listen == "127.0.0.1:1"


def test_a_password_file_of_the_environment_is_looked_at(tmp_path: Path) -> None:
    """The driver's own variables count, and only for a PostgreSQL journal."""
    file = tmp_path / "pgpass"
    file.touch()
    file.chmod(0o644)
    (tmp_path / "gateway.toml").write_text(GOOD, encoding="utf-8")
    environ = {"PGPASSFILE": str(file), "PASSWORD": "x"}
    config.load(tmp_path / "gateway.toml", environ)
    environ["GIFTCARD_GATEWAY__JOURNAL__URL"] = "postgresql://gateway@127.0.0.1/giftcards"
    with pytest.raises(ConfigError, match=r"PGPASSFILE names .*chmod 600"):
        config.load(tmp_path / "gateway.toml", environ)
