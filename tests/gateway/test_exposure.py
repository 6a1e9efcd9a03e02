"""What is open to the network is protected, or the operator said that it is not; databases too."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from giftcard_gateway.access.signing_in import Shown
from giftcard_gateway.config import exposure
from giftcard_gateway.journal.postgres.hosts import check_url
from tests.gateway.configuration import GOOD, faults_of, load
from tests.world.app import open_app
from tests.world.certificates import Authority
from tests.world.clock import ShiftedClock
from tests.world.journal import Unsteady

_NOTHING = Shown()
KEYS = "[access]\napi_keys = true\n"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a table with a certificate."""
    files = Authority(tmp_path_factory.mktemp("tls")).issue("server", "localhost")
    return f'tls = {{ certificate_file = "{files.certificate}", key_file = "{files.key}" }}\n'


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
def test_loopback_needs_no_ceremony(tmp_path: Path, address: str) -> None:
    """A listener that this machine alone reaches may be plain, and nothing is said of it."""
    settings = load(tmp_path, f'{GOOD}[server]\nlisten = "{address}"')
    assert not list(exposure.warnings(settings))


@pytest.mark.parametrize(
    "address", ["0.0.0.0:1", "[::]:1", "10.0.0.7:1", "gateway.example:1", "localhost.example:1"]
)
@pytest.mark.parametrize("has_tls", [False, True])
@pytest.mark.parametrize("has_access", [False, True])
def test_an_open_listener_needs_both(
    tmp_path: Path, tls: str, address: str, has_tls: bool, has_access: bool
) -> None:
    """A listener that others reach needs TLS and a way to sign in; the sentence names what is missing."""
    text = f'{GOOD}[server]\nlisten = "{address}"\n{tls if has_tls else ""}{KEYS if has_access else ""}'
    if has_tls and has_access:
        assert not list(exposure.warnings(load(tmp_path, text)))
        return
    (fault,) = faults_of(tmp_path, text)
    assert fault.startswith("server.listen is not loopback and has ")
    assert ("no TLS" in fault) is not has_tls
    assert ("nobody signs in" in fault) is not has_access
    assert "server.insecure = true" in fault
    settings = load(tmp_path, text.replace("[server]\n", "[server]\ninsecure = true\n"))
    (warning,) = exposure.warnings(settings)
    assert warning.startswith(f"server.insecure = true: {address} is open to the network")


def test_an_open_webhook_port_needs_tls(tmp_path: Path, tls: str) -> None:
    """The port for providers' events needs TLS, or the words; who brings one signs it."""
    bare = f'{GOOD}[webhooks]\nlisten = "0.0.0.0:8080"\n'
    (fault,) = faults_of(tmp_path, bare)
    assert "set webhooks.tls, or webhooks.insecure = true" in fault
    load(tmp_path, bare + tls)
    (warning,) = exposure.warnings(load(tmp_path, f"{bare}insecure = true"))
    assert "0.0.0.0:8080" in warning


async def test_it_is_said_at_every_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is open by the operator's words is a warning each time the gateway starts."""
    settings = load(tmp_path, f'{GOOD}[server]\nlisten = "0.0.0.0:0"\ninsecure = true')
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            async with open_app(settings, ShiftedClock(), journal=Unsteady()) as app:
                assert (await app.signing_in.identify(_NOTHING)).name == "anonymous"
        assert any("server.insecure = true" in line.message for line in caplog.records)


FILES = {
    "no file": (
        "certificate_file",
        "nowhere.pem",
        "server.tls.certificate_file names a file that cannot be read",
    ),
    "no certificate": ("certificate_file", "garbage", "server.tls.certificate_file holds no PEM of the kind"),
    "no key": ("key_file", "garbage", "server.tls.key_file holds no PEM of the kind"),
    "a folder": ("key_file", "", "server.tls.key_file names a file that cannot be read"),
    "another's key": ("key_file", "other.key", "server.tls.key_file holds the key of another certificate"),
    "no authority": ("client_ca_file", "garbage", "server.tls.client_ca_file holds no PEM of the kind"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_do_not_fit(tmp_path: Path, name: str) -> None:
    """A certificate that cannot be used is a sentence that names the setting, before anything starts."""
    key, file, sentence = FILES[name]
    authority = Authority(tmp_path)
    good = authority.issue("server", "localhost")
    authority.issue("other", "localhost")
    (tmp_path / "garbage").write_text("no PEM", encoding="utf-8")
    files = {"certificate_file": good.certificate, "key_file": good.key, key: tmp_path / file}
    rows = "\n".join(f'{name} = "{path}"' for name, path in files.items())
    assert faults_of(tmp_path, f"{GOOD}[server.tls]\n{rows}") == (sentence,)


ISSUER = '[access.issuers.shop]\nissuer = "i"\naudience = "a"\n'
WAYS = {
    "no keys": (ISSUER, "access.issuers.shop.jwks_file or jwks_url must be given, and not both"),
    "keys on an open road": (
        f'{ISSUER}jwks_url = "http://id.example/jwks"',
        (
            "access.issuers.shop.jwks_url must be https://, or http:// on loopback:"
            " who changes keys on their way signs in"
        ),
    ),
    "no keys in the file": (
        f'{ISSUER}jwks_file = "{__file__}"',
        "access.issuers.shop.jwks_file holds no JSON Web Keys",
    ),
    "no authorities in the file": (
        f'{ISSUER}jwks_url = "https://id.example/jwks"\nca_file = "{__file__}"',
        "access.issuers.shop.ca_file holds no PEM of the kind",
    ),
    "no file": (
        f'{ISSUER}jwks_file = "no"',
        "access.issuers.shop.jwks_file names a file that cannot be read",
    ),
    "a shared secret": (
        f'{ISSUER}jwks_url = "https://id.example"\nalgorithms = ["HS256"]',
        (
            "access.issuers.shop.algorithms[0] must be one of ES256, ES384, ES512, Ed25519,"
            " PS256, PS384, PS512, RS256, RS384, RS512"
        ),
    ),
    "certificates nobody asks for": (
        '[access.certificates."till.example"]\nname = "till"\nscopes = ["giftcard.read"]',
        "access.certificates needs server.tls.client_ca_file: without it nobody shows a certificate",
    ),
    "a scope there is not": (
        '[access.certificates."till.example"]\nname = "till"\nscopes = ["giftcard.all"]',
        (
            "access.certificates.till.example.scopes[0] must be one of giftcard.money, giftcard.read,"
            " giftcard.secrets, giftcard.vault, giftcard.reports, giftcard.operate, giftcard.tenants"
        ),
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_ways_to_sign_in_that_cannot_be_meant(tmp_path: Path, name: str) -> None:
    """A way to sign in that would let in nobody, or anybody, is a sentence."""
    text, sentence = WAYS[name]
    assert sentence in faults_of(tmp_path, f"{GOOD}{text}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///d",
        "postgresql://localhost/d",
        "postgresql://127.0.0.1:5/d",
        "postgresql://[::1]/d",
        "postgresql:///d?host=/run/postgresql",
        "postgresql://db.example/d?sslmode=require",
        "postgresql://a.example,b.example/d?sslmode=verify-full",
    ],
)
def test_a_database_nobody_reads_along_with(url: str) -> None:
    """A PostgreSQL on this machine may be plain, and one elsewhere is spoken to over TLS."""
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example/d",
        "postgresql://10.0.0.7/d?sslmode=prefer",
        "postgresql://localhost,db.example/d",
        "postgresql://localhost/d?host=db.example",
        "postgresql://db.example/d?sslmode=require&sslmode=disable",
    ],
)
def test_a_database_over_an_open_road(url: str) -> None:
    """A PostgreSQL elsewhere is refused unless its URL demands TLS."""
    with pytest.raises(ValueError, match="sslmode=require"):
        check_url(url)
