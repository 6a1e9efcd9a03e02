"""Settings that cannot be meant together, and the sentence that says so."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from giftcard_adapters.contract import traits
from giftcard_adapters.errors import SettingsError
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.values.traits import Ending, Guarantee
from tests.gateway.configuration import GOOD, HERE, MadeUp, MadeUpSettings, faults_of, load
from tests.world.app import HASH_KEY, KEY
from tests.world.certificates import Authority

OTHER_KEY = base64.b64encode(bytes([9]) * 32).decode()
ADDRESS = (
    "providers.spar-za.settings: base_url must be http:// or https://, a host, and no user, query or fragment"
)
CONTRADICTIONS = {
    "a value for a table": (("\n[seal]", "server = 1\n[seal]"), "server must be a table"),
    "active": (('active = "2026"', 'active = "2027"'), "seal.active must be the id of one of seal.keys"),
    "short key": (
        (KEY, "c2hvcnQ="),
        "seal.keys.2026 must be 32 bytes in base64; `openssl rand -base64 32` makes one",
    ),
    "no base64": (
        (HASH_KEY, "??"),
        "seal.hash_key must be 32 bytes in base64; `openssl rand -base64 32` makes one",
    ),
    "one key for both": ((HASH_KEY, KEY), "seal.hash_key must not be seal.keys.2026 as well"),
    "no hash key": ((f'hash_key = "{HASH_KEY}"', ""), "seal.hash_key is missing; it must be a text"),
    "a hash key that is not there": (
        ("hash_key =", 'hash_active = "second"\nhash_key ='),
        "seal.hash_active must be the id of one of seal.hash_keys, or first for seal.hash_key",
    ),
    "a hash key under two ids": (
        ("hash_key =", f'hash_keys.second = "{HASH_KEY}"\nhash_key ='),
        "seal.hash_keys.second must not be seal.hash_key as well",
    ),
    "a second first": (
        ("hash_key =", f'hash_keys.first = "{OTHER_KEY}"\nhash_key ='),
        "seal.hash_keys must not have the id first: it is that of seal.hash_key",
    ),
    "no http": (
        ("https://provider", "ftp://provider"),
        ADDRESS,
    ),
    "a user in the address": (
        ("https://provider", "https://me:pw@provider"),
        ADDRESS,
    ),
    "no time at all": (
        ("base_url =", "timeout_s = nan\nbase_url ="),
        "providers.spar-za.settings: key 'timeout_s': Expected `float` >= 0.1",
    ),
    "years": (
        ("base_url =", "timeout_s = 1e9\nbase_url ="),
        "providers.spar-za.settings: key 'timeout_s': Expected `float` <= 3600.0",
    ),
    "a relative module": (
        (HERE, "..:x"),
        "providers.spar-za.settings: adapter '..:x' cannot be found; it is named as module:Class",
    ),
    "no time": (
        ("base_url =", "timeout_s = -1\nbase_url ="),
        "providers.spar-za.settings: key 'timeout_s': Expected `float` >= 0.1",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradiction(tmp_path: Path, name: str) -> None:
    """Values that cannot be meant are said in a sentence."""
    (old, new), sentence = CONTRADICTIONS[name]
    assert old in GOOD
    assert faults_of(tmp_path, GOOD.replace(old, new)) == (sentence,)


NO_SERVER = "journal.url must be postgresql:// with hosts and ports that can be, for a PostgreSQL journal"
NO_DATABASE = "journal.url must name the database, as in postgresql://USER:PASSWORD@HOST/DATABASE"
ORIGIN = "console.origin must be https:// and a host, or http:// on loopback, and nothing behind it"
TRACES = "console.trace_url must be http:// or https:// with one {trace_id} behind the host"
BARE = "console.listen is not loopback and has no TLS"
ADDED = {
    "port": ('[server]\nlisten = "127.0.0.1:70000"', "server.listen has a port above 65535"),
    "a proxy that is no network": (
        '[server]\ntrusted_proxies = ["10.0.0.1/24"]',
        "server.trusted_proxies[0] must be a network, such as 10.0.0.0/24, or an address",
    ),
    "everybody a proxy": (
        '[server]\ntrusted_proxies = ["10.0.0.7", "::/0"]',
        "server.trusted_proxies[1] must not be everybody: whoever is trusted may say that he is any machine",
    ),
    "one address": (
        '[webhooks]\nlisten = "127.0.0.1:50051"',
        "webhooks.listen must differ from server.listen: they speak different protocols",
    ),
    "one address of the console": (
        '[console]\nlisten = "127.0.0.1:50051"',
        "console.listen must differ from server.listen: they speak different protocols",
    ),
    "one address of what is scraped": (
        '[telemetry]\nprometheus = "127.0.0.1:50051"',
        "telemetry.prometheus must differ from server.listen: they speak different protocols",
    ),
    "a console in the open": (
        '[access]\napi_keys = true\n[console]\nlisten = "0.0.0.0:50059"',
        f"{BARE}: set console.tls, or console.origin to the address of a proxy that ends it",
    ),
    "a console for everybody": (
        '[console]\nlisten = "0.0.0.0:50059"\norigin = "https://console.example"',
        "console.listen is reached from elsewhere, and nobody signs in: set access",
    ),
    "a console behind a proxy for everybody": (
        '[console]\nlisten = "127.0.0.1:50059"\norigin = "https://console.example"',
        "console.listen is reached from elsewhere, and nobody signs in: set access",
    ),
    "a console's sessions": (
        "[console]\nsession_s = 120",
        "console.session_s must not be below console.idle_s",
    ),
    "a console's origin": ('[console]\norigin = "http://console.example"', ORIGIN),
    "a console's path": ('[console]\norigin = "https://console.example/"', ORIGIN),
    "a console's user": ('[console]\norigin = "https://u@console.example"', ORIGIN),
    "traces nowhere": ('[console]\ntrace_url = "https://traces.example/"', TRACES),
    "traces by another name": ('[console]\ntrace_url = "https://t.example/{trace_id}/{x}"', TRACES),
    "traces by script": ('[console]\ntrace_url = "javascript:alert({trace_id})"', TRACES),
    "traces anywhere": ('[console]\ntrace_url = "https://{trace_id}.example/"', TRACES),
    "journal": ('[journal]\nurl = "mysql://h/d"', "journal.url must begin with sqlite:/// or postgresql://"),
    "journal without a file": (
        '[journal]\nurl = "sqlite://x"',
        "journal.url must name a file, as in sqlite:///giftcard-gateway.db",
    ),
    "journal in memory": (
        '[journal]\nurl = "sqlite:///:memory:"',
        "journal.url must name a file, as in sqlite:///giftcard-gateway.db",
    ),
    "PostgreSQL on a file": (
        '[journal]\nstore = "giftcard_gateway.journal.postgres.journal:Postgres"',
        NO_SERVER,
    ),
    "journal's port": ('[journal]\nurl = "postgresql://u:p@h:99999/d"', NO_SERVER),
    "port to listen at": (
        '[journal]\nurl = "postgresql://localhost/d"\nlisten_url = "postgresql://h:99999/d"',
        NO_SERVER.replace("url", "listen_url", 1),
    ),
    "port of a second host": ('[journal]\nurl = "postgresql://u:p@h:1,k:99999/d"', NO_SERVER),
    "journal class": (
        '[journal]\nstore = "nowhere:Journal"',
        "journal.store 'nowhere:Journal' cannot be found; it is named as module:Class",
    ),
    "relative journal class": (
        '[journal]\nstore = ".x:Y"',
        "journal.store '.x:Y' cannot be found; it is named as module:Class",
    ),
    "journal without sense": ('[journal]\nurl = "postgresql://[x"', "journal.url is not a URL"),
    "workers": (
        "[server]\nworkers = 2",
        "server.workers must be 1 with a SQLite journal: one process writes it; PostgreSQL takes more",
    ),
    "default": ('[routing]\ndefault = "x"', "routing.default names no provider; known are spar-za"),
    "rule's provider": (
        '[[routing.rules]]\nprovider = "x"',
        "routing.rules[0].provider names no provider; known are spar-za",
    ),
    "rule without provider": (
        '[[routing.rules]]\nprovider = ""',
        "routing.rules[0].provider must be a provider's id",
    ),
    "rule's prefix": (
        '[[routing.rules]]\nprovider = "spar-za"\nprefix = "60*"',
        "routing.rules[0].prefix must be digits",
    ),
    "rule's currency": (
        '[[routing.rules]]\nprovider = "spar-za"\ncurrency = "XXY"',
        "routing.rules[0].currency must be an ISO 4217 code such as EUR",
    ),
    "failover to itself": (
        '[[routing.rules]]\nprovider = "spar-za"\noperation = "ISSUE"\nfailover = "spar-za"',
        "routing.rules[0].failover must be another provider",
    ),
    "terms": (
        "[providers.spar-za.terms]\nretry_cap_s = 0.5",
        "providers.spar-za.terms.retry_cap_s must not be below retry_base_s",
    ),
    "more requests than connections": (
        "[providers.spar-za.terms]\nmax_in_flight = 100000",
        (
            "providers.spar-za.terms.max_in_flight must be at most 1000, 10 for each of limits.connections"
            " (100): what is further back in the queue waits in vain"
        ),
    ),
    "more advices than connections": (
        "[providers.spar-za.terms]\nadvice_concurrency = 101",
        (
            "providers.spar-za.terms.advice_concurrency must not be above limits.connections (100):"
            " each confirmation and reversal needs one"
        ),
    ),
    "a garbled authority": (
        f'[providers.spar-za.tls]\nca_file = "{__file__}"',
        "providers.spar-za.tls.ca_file holds no PEM of the kind",
    ),
    "journal without a database": ('[journal]\nurl = "postgresql://u:p@localhost:5432"', NO_DATABASE),
    "journal with a slash alone": ('[journal]\nurl = "postgresql:///?host=/run"', NO_DATABASE),
    "two words for a database": ('[journal]\nurl = "postgresql://localhost/a/b"', NO_DATABASE),
    "no database to listen at": (
        '[journal]\nurl = "postgresql:///d"\nlisten_url = "postgresql://localhost"',
        NO_DATABASE.replace("url", "listen_url", 1),
    ),
    "journal's other port": ('[journal]\nurl = "postgresql://localhost/d?port=x"', NO_SERVER),
    "journal's TLS": ('[journal]\nurl = "postgresql://localhost/d?sslmode=silly"', NO_SERVER),
    "a file that is listened to": (
        '[journal]\nlisten_url = "postgresql://localhost/d"',
        "journal.listen_url is for PostgreSQL: a SQLite journal has one process",
    ),
    "a file that is looked at": (
        "[journal]\npoll_s = 0.5",
        "journal.poll_s is for PostgreSQL: a SQLite journal has one process",
    ),
    "a file behind a pooler": (
        "[journal]\npooled = true",
        "journal.pooled is for PostgreSQL: a SQLite journal has one process",
    ),
    "a pooler that nobody listens through": (
        '[journal]\nurl = "postgresql://localhost/d"\npooled = true',
        "journal.pooled needs journal.listen_url or journal.poll_s: no pooler can listen",
    ),
    "listening and looking": (
        '[journal]\nurl = "postgresql://localhost/d"\nlisten_url = "postgresql://localhost/d"\npoll_s = 1',
        "journal.listen_url is not used with journal.poll_s: leave one of them out",
    ),
    "looking all the time": (
        '[journal]\nurl = "postgresql://localhost/d"\npoll_s = 0.001',
        "journal.poll_s must be 0 or at least 0.05",
    ),
    "key alone": (
        f'[providers.spar-za.tls]\nkey_file = "{__file__}"',
        "providers.spar-za.tls.key_file needs certificate_file beside it",
    ),
    "no such authority": (
        '[providers.spar-za.tls]\nca_file = "/nowhere"',
        "providers.spar-za.tls.ca_file names a file that cannot be read",
    ),
    "same conditions": (
        '[[routing.rules]]\nprovider = "spar-za"\nprefix = "60"\n' * 2,
        "routing has two rules for the same conditions (60)",
    ),
}


@pytest.mark.parametrize("name", ADDED)
def test_added_contradiction(tmp_path: Path, name: str) -> None:
    """Tables that contradict each other are said in a sentence."""
    text, sentence = ADDED[name]
    assert faults_of(tmp_path, GOOD + text) == (sentence,)


NO_HOSTS = (
    "https://",
    "https://exa mple.com",
    "https://..",
    "https://-x",
    "https://127.0.0.1.5",
    "https://h:99999",
    "https://h:0",
    "https://[::1",
    "https://h/ a",
    "https://h/?q",
    "https://é..é",
    "https://" + "a." * 130,
)


@pytest.mark.parametrize("url", NO_HOSTS)
def test_what_is_no_address(tmp_path: Path, url: str) -> None:
    """A URL that leads to no machine is refused for a provider and for an issuer's keys."""
    issuer = f'[access.issuers.shop]\nissuer = "i"\naudience = "a"\njwks_url = "{url}"\n'
    faults = faults_of(tmp_path, GOOD.replace("https://provider.example/api", url) + issuer)
    assert len(faults) == 2
    assert faults[0].startswith("access.issuers.shop.jwks_url must be https://")
    assert faults[1] == ADDRESS


@pytest.mark.parametrize(
    "url", ["http://a_b", "https://[::1]:8443/v1", "https://é.example/", "http://10.0.0.7"]
)
def test_what_is_an_address(tmp_path: Path, url: str) -> None:
    """Names of a container network, IP addresses and names in other scripts are addresses."""
    settings = load(tmp_path, GOOD.replace("https://provider.example/api", url))
    assert settings.providers["spar-za"].settings.base_url == url


class Choosy(MadeUp):
    """A provider that looks at its settings when it is opened, as Gr4vy does at its key."""

    def __init__(self, settings: MadeUpSettings, exchange: Exchange) -> None:
        super().__init__(settings, exchange)
        if settings.password.reveal() != "good":
            raise SettingsError(["key 'password': expected another"])


def test_an_adapters_own_judgement_is_told_early(tmp_path: Path) -> None:
    """What an adapter refuses when it is opened is told with all the rest, not by a traceback at start."""
    text = GOOD.replace(HERE, f"{__name__}:Choosy")
    assert faults_of(tmp_path, text + "[server]\nlisten = '127.0.0.1:70000'") == (
        "server.listen has a port above 65535",
        "providers.spar-za.settings: key 'password': expected another",
    )
    assert load(tmp_path, text.replace("pass-word-1", "good")).providers.keys() == {"spar-za"}


def test_certificates_for_a_provider(tmp_path: Path) -> None:
    """A certificate to show is refused without its key; nobody is asked for a key's password."""
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("ours", "localhost"), authority.issue("theirs", "localhost")
    key = load_pem_private_key(ours.key.read_bytes(), password=None)
    locked = tmp_path / "locked"
    locked.touch(mode=0o600)
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    sentence = "holds no PEM of a key without a password that fits certificate_file"
    table = f'{GOOD}[providers.spar-za.tls]\ncertificate_file = "{ours.certificate}"\n'
    for other in (theirs.key, locked):
        text = f'{table}key_file = "{other}"\n'
        assert faults_of(tmp_path, text) == (f"providers.spar-za.tls.key_file {sentence}",)
    ours.certificate.chmod(0o600)
    assert faults_of(tmp_path, table) == (f"providers.spar-za.tls.certificate_file {sentence}",)
    good = load(tmp_path, f'{table}key_file = "{ours.key}"\n')
    assert good.providers["spar-za"].tls.key_file == str(ours.key)


def test_failover_of_a_card(tmp_path: Path) -> None:
    """Only an issue can go to a second provider: a card that exists lives at one."""
    rule = '[[routing.rules]]\nprovider = "spar-za"\nfailover = "b"\noperation = "REDEEM"'
    second = f'[providers.b]\nadapter = "{HERE}"\nsettings = {{ base_url = "http://h", password = "p" }}\n'
    assert faults_of(tmp_path, GOOD + second + rule) == (
        "routing.rules[0].failover needs operation = ISSUE: a card that exists lives at one provider",
    )


def test_no_provider(tmp_path: Path) -> None:
    """A gateway without providers serves nobody."""
    text = GOOD.partition("[providers")[0] + "[providers]"
    assert faults_of(tmp_path, text) == ("providers is empty; at least one [providers.ID] is needed",)


def test_ids_outlive_reversal_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retention shorter than a provider takes reversals is refused, so that no purge can reach into it."""
    window = traits(Guarantee.NATIVE, Ending.REVERSE, reversal_window_s=500 * 24 * 3600.0)
    monkeypatch.setattr(MadeUp, "redeem", window(lambda: None), raising=False)
    sentence = "journal.retention_days must be above 500: for so long spar-za takes reversals"
    assert faults_of(tmp_path, GOOD) == (sentence,)


def test_a_connections_age_ends_no_call(tmp_path: Path) -> None:
    """A connection's grace that a provider's answer may outlast is refused (rule 15)."""
    slow = GOOD.replace("base_url =", "timeout_s = 120\nbase_url =")
    (sentence,) = faults_of(tmp_path, slow)
    assert sentence.startswith("server.max_connection_age_grace_s must be above 120: a call may wait so long")
    patient = load(tmp_path, "[server]\nmax_connection_age_grace_s = 121\n" + slow)
    assert patient.server.max_connection_age_grace_s == 121
