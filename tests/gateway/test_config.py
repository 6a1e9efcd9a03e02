"""The configuration: what a good one becomes, and every way a bad one is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from giftcard_adapters.values.operations import Operation
from giftcard_gateway import config
from giftcard_gateway.config import ConfigError
from giftcard_gateway.config.reading import allowed
from giftcard_gateway.config.settings import Server
from tests.gateway.configuration import GOOD, HERE, MadeUpSettings, faults_of, load
from tests.world.app import HASH_KEY, KEY


def test_good(tmp_path: Path) -> None:
    """The smallest configuration gives settings with defaults for all the rest."""
    settings = load(tmp_path, GOOD)
    provider = settings.providers["spar-za"]
    assert isinstance(provider.settings, MadeUpSettings)
    assert provider.settings.password.reveal() == "pass-word-1"
    assert settings.server == Server()
    assert settings.seal.key_bytes() == {"2026": bytes([1]) * 32}
    assert settings.seal.hash_key_bytes() == {"first": bytes([2]) * 32}
    assert settings.journal.url.reveal().startswith("sqlite:")


def test_everything(tmp_path: Path) -> None:
    """Every table can be written, nested ones and lists too."""
    settings = load(
        tmp_path,
        GOOD
        + """
    [providers.spar-za.terms]
    confirm_by_s = 60
    confirm_by_operation_s = { ISSUE = 120.5 }
    confirms_when_overdue = true
    [providers.spar-za.limits]
    connections = 30
    [providers.spar-za.labels]
    env = "prod"
    [providers.other]
    adapter = "ADAPTER"
    enabled = false
    engine = "httpx"
    prefixes = ["6045", "605"]
    settings = { base_url = "http://localhost:1", password = "p", regions = ["a", "b"] }
    [server]
    listen = "0.0.0.0:0"
    insecure = true
    workers = 2
    reflection = false
    [journal]
    url = "postgresql://gift:pa55@db.example/gift?sslmode=require"
    [webhooks]
    listen = "[::1]:8080"
    [telemetry]
    log_format = "json"
    [routing]
    default = "spar-za"
    [[routing.rules]]
    provider = "spar-za"
    operation = "ISSUE"
    currency = "ZAR"
    failover = "other"
    """.replace("ADAPTER", HERE),
    )
    spar, other = settings.providers["spar-za"], settings.providers["other"]
    assert spar.terms.confirm_by_operation_s == {Operation.ISSUE: 120.5}
    assert spar.terms.confirm_by_s == 60
    assert spar.limits.connections == 30
    assert spar.labels == {"env": "prod"}
    assert (other.enabled, other.engine) == (False, "httpx")
    assert [(rule.provider, rule.prefix, rule.operation) for rule in settings.rules()] == [
        ("spar-za", "", Operation.ISSUE),
        ("other", "6045", None),
        ("other", "605", None),
    ]
    assert settings.journal.url.reveal().startswith("postgresql:")


class TestFile:
    """Files that are no configuration."""

    def test_missing(self, tmp_path: Path) -> None:
        """A missing file is said by its name."""
        with pytest.raises(ConfigError, match=r"gateway\.toml cannot be read: no such file or directory"):
            config.load(tmp_path / "gateway.toml", {})

    def test_folder(self, tmp_path: Path) -> None:
        """A folder is not a file."""
        with pytest.raises(ConfigError, match="cannot be read: is a directory"):
            config.load(tmp_path, {})

    def test_not_toml(self, tmp_path: Path) -> None:
        """A slip in the syntax is said with its line."""
        (fault,) = faults_of(tmp_path, "[server\nlisten = 1")
        assert "gateway.toml is not TOML" in fault
        assert "line 1" in fault

    def test_not_text(self, tmp_path: Path) -> None:
        """A file of other bytes is not text."""
        (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigError, match="is not UTF-8 text"):
            config.load(tmp_path / "gateway.toml", {})

    def test_empty(self, tmp_path: Path) -> None:
        """An empty file lacks what has no default."""
        assert faults_of(tmp_path, "") == (
            "seal is missing; it must be a table",
            "providers is missing; it must be a table",
        )


SETTINGS = 'settings = { base_url = "http://h", password = "p" }'
VALUES = {
    "a text for a number": ('[server]\nworkers = "2"', "server.workers must be a whole number from 1 to 128"),
    "too small": ("[server]\nworkers = 0", "server.workers must be a whole number from 1 to 128"),
    "too large": ("[server]\nworkers = 500", "server.workers must be a whole number from 1 to 128"),
    "a number for a truth": ("[server]\nreflection = 1", "server.reflection must be true or false"),
    "a duration of nothing": (
        "[server]\ndrain_s = 0",
        "server.drain_s must be a number from 0.1 to 3600",
    ),
    "no number": ("[server]\ndrain_s = nan", "server.drain_s must be a number from 0.1 to 3600"),
    "longer than gRPC counts": (
        "[server]\ndrain_s = 1e300",
        "server.drain_s must be a number from 0.1 to 3600",
    ),
    "kept for longer than there were days": (
        "[journal]\nretention_days = 99999999999",
        "journal.retention_days must be a whole number from 30 to 36500",
    ),
    "for ever": ("[server]\ndrain_s = inf", "server.drain_s must be a number from 0.1 to 3600"),
    "no address": ('[server]\nlisten = "localhost"', "server.listen must be host:port"),
    "no choice": (
        '[telemetry]\nlog_level = "loud"',
        "telemetry.log_level must be one of debug, error, info, warning",
    ),
    "a close name": ("[server]\nlisen = 1", "server.lisen is not known; did you mean listen?"),
    "an unknown table": (
        "[zzz]",
        (
            "zzz is not known; "
            "known are access, cells, console, journal, kms, limits, providers, routing, seal, server,"
            " telemetry, tenants, webhooks"
        ),
    ),
    "a value for a list": ('[routing]\nrules = "x"', "routing.rules must be a list"),
    "a bad list item": ("[routing]\nrules = [1]", "routing.rules[0] must be a table"),
    "a missing key in a list": (
        "[[routing.rules]]",
        "routing.rules[0].provider is missing; it must be a text",
    ),
    "an unknown operation": (
        '[[routing.rules]]\nprovider = "spar-za"\noperation = "BURN"',
        "routing.rules[0].operation must be one of ISSUE, ACTIVATE, LOAD, REDEEM, TRANSFER, REPLACE, VOID",
    ),
    "a bad provider id": (
        '[providers.SPAR]\nadapter = "ADAPTER"\n' + SETTINGS,
        "providers.SPAR has a bad name; it must be a lower-case name of up to 63 letters, digits and dashes",
    ),
    "an unset variable": (
        '[journal]\nurl = { env = "DB" }',
        "journal.url has no value: environment variable DB is not set",
    ),
    "a missing file": (
        '[journal]\nurl = { file = "/nowhere/db" }',
        "journal.url has no value: file /nowhere/db cannot be read: no such file or directory",
    ),
    "a bad reference": (
        "[journal]\nurl = { env = 1 }",
        "journal.url has no value: env must name one with a text",
    ),
    "an empty secret": ('[journal]\nurl = ""', "journal.url must be a text"),
    "a bad prefix": (
        '[providers.a]\nadapter = "ADAPTER"\nprefixes = ["60x"]\n' + SETTINGS,
        "providers.a.prefixes[0] must be digits",
    ),
    "a prefix with a line break": (
        '[providers.a]\nadapter = "ADAPTER"\nprefixes = ["6045\\n"]\n' + SETTINGS,
        "providers.a.prefixes[0] must be digits",
    ),
    "an address with a line break": (
        '[server]\nlisten = "127.0.0.1:1\\n"',
        "server.listen must be host:port",
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_bad_value(tmp_path: Path, name: str) -> None:
    """A value of the wrong kind is said with its path and what is allowed."""
    text, sentence = VALUES[name]
    assert faults_of(tmp_path, GOOD + text.replace("ADAPTER", HERE)) == (sentence,)


ADAPTERS = {
    "no such module": (
        ("adapter", "nowhere:X"),
        "adapter 'nowhere:X' cannot be found; it is named as module:Class",
    ),
    "no class": (("adapter", "json"), "adapter 'json' cannot be found; it is named as module:Class"),
    "no adapter": (
        ("adapter", "json:JSONDecoder"),
        "adapter 'json:JSONDecoder' is not a giftcard_adapters.contract.Provider",
    ),
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_bad_adapter(tmp_path: Path, name: str) -> None:
    """An adapter that cannot be used is said under its provider."""
    (_, adapter), sentence = ADAPTERS[name]
    (fault,) = faults_of(tmp_path, GOOD.replace(HERE, adapter))
    assert fault == f"providers.spar-za.settings: {sentence}"


def test_bad_adapter_settings(tmp_path: Path) -> None:
    """The adapter's own keys are checked by its own type, all at once."""
    text = GOOD.replace('password = "pass-word-1"', 'pasword = "x"\nretries = "many"')
    faults = faults_of(tmp_path, text)
    assert [fault.partition(": ")[0] for fault in faults] == ["providers.spar-za.settings"] * 3
    assert "unknown key 'pasword'" in faults[0]
    assert "missing key 'password'" in faults[1]
    assert "retries" in faults[2]


def test_settings_without_adapter(tmp_path: Path) -> None:
    """A provider without an adapter is said so, not guessed."""
    faults = faults_of(tmp_path, GOOD.replace("adapter =", "adaptor ="))
    assert "providers.spar-za.adaptor is not known; did you mean adapter?" in faults
    assert "providers.spar-za.adapter is missing; it must be a text" in faults


def test_all_at_once(tmp_path: Path) -> None:
    """Every fault is told in one go."""
    text = GOOD + "[server]\nworkers = 0\nlisen = 1\n[telemetry]\nlog_level = 1\n[webhooks]\nlisten = 3\n"
    assert len(faults_of(tmp_path, text)) == 4


class TestEnvironment:
    """Values from outside the file."""

    def test_override(self, tmp_path: Path) -> None:
        """A variable stands for a setting, whatever its type, and wins over the file."""
        environ = {
            "GIFTCARD_GATEWAY__SERVER__WORKERS": "1",
            "GIFTCARD_GATEWAY__SERVER__REFLECTION": "false",
            "GIFTCARD_GATEWAY__SERVER__DRAIN_S": "2.5",
            "GIFTCARD_GATEWAY__PROVIDERS__SPAR_ZA__PREFIXES": "60, 61",
            "GIFTCARD_GATEWAY__PROVIDERS__SPAR_ZA__SETTINGS__TIMEOUT_S": "7",
            "GIFTCARD_GATEWAY__PROVIDERS__SPAR_ZA__SETTINGS__RETRIES": "5",
            "GIFTCARD_GATEWAY__PROVIDERS__SPAR_ZA__SETTINGS__PASSWORD": "12345",
            "GIFTCARD_GATEWAY_HOME": "is not one of ours",
        }
        settings = load(tmp_path, GOOD, environ)
        provider = settings.providers["spar-za"]
        assert (settings.server.reflection, settings.server.drain_s) == (False, 2.5)
        assert provider.prefixes == ("60", "61")
        assert isinstance(provider.settings, MadeUpSettings)
        assert (provider.settings.timeout_s, provider.settings.retries) == (7, 5)
        assert provider.settings.password.reveal() == "12345"

    def test_references(self, tmp_path: Path) -> None:
        """Any value may be elsewhere: in a variable, or in a file beside the configuration."""
        (tmp_path / "password").touch(mode=0o600)
        (tmp_path / "password").write_text("from-a-file\n", encoding="utf-8")
        text = GOOD.replace('"pass-word-1"', '{ file = "password" }').replace(f'"{KEY}"', '{ env = "K" }')
        settings = load(tmp_path, text + "[server]\nworkers = { env = 'N' }", {"K": KEY, "N": "1"})
        provider = settings.providers["spar-za"]
        assert isinstance(provider.settings, MadeUpSettings)
        assert provider.settings.password.reveal() == "from-a-file"
        assert settings.seal.key_bytes() == {"2026": bytes([1]) * 32}

    def test_bad_override(self, tmp_path: Path) -> None:
        """A bad value is told with the variable it came from, and without the value."""
        faults = faults_of(tmp_path, GOOD, {"GIFTCARD_GATEWAY__SERVER__WORKERS": "s3cret"})
        origin = "environment variable GIFTCARD_GATEWAY__SERVER__WORKERS"
        assert faults == (f"server.workers must be a whole number from 1 to 128 (from {origin})",)

    def test_unknown_override(self, tmp_path: Path) -> None:
        """A variable that stands for no setting is told, so that a slip of the pen has no silent effect."""
        faults = faults_of(
            tmp_path,
            GOOD,
            {
                "GIFTCARD_GATEWAY__SERVER__LISTEM": "x",
                "GIFTCARD_GATEWAY__SEAL__ACTIVE__X": "x",
                "GIFTCARD_GATEWAY__A____B": "x",
            },
        )
        assert "environment variable GIFTCARD_GATEWAY__SEAL__ACTIVE__X names no setting" in faults
        assert "environment variable GIFTCARD_GATEWAY__A____B names no setting" in faults
        assert any(fault.startswith("server.listem is not known; did you mean listen?") for fault in faults)

    def test_unset_in_adapter_settings(self, tmp_path: Path) -> None:
        """A missing variable is told by its place in the adapter's settings."""
        text = GOOD.replace('"pass-word-1"', '{ env = "PW" }')
        assert faults_of(tmp_path, text) == (
            "providers.spar-za.settings.password has no value: environment variable PW is not set",
        )


class TestDescribe:
    """What `check-config` prints."""

    def test_secrets_are_hidden(self, tmp_path: Path) -> None:
        """No secret is in it, nor in any repr; the journal's place is, without its password."""
        settings = load(
            tmp_path, GOOD + '[journal]\nurl = "postgresql://me:pa55@db:5/gift?password=pa66&sslmode=require"'
        )
        shown = config.describe(settings)
        for secret in ("pass-word-1", KEY, HASH_KEY, "pa55", "pa66"):
            assert secret not in shown
            assert secret not in repr(settings)
        assert "journal.url = postgresql://db:5/gift" in shown
        assert "providers.spar-za.settings.password = (hidden)" in shown

    def test_every_setting_is_named(self, tmp_path: Path) -> None:
        """Every setting in force has a line, rules and defaults too."""
        rule = '[[routing.rules]]\nprovider = "spar-za"\nprefix = "60"\n'
        shown = config.describe(load(tmp_path, GOOD + rule)).splitlines()
        assert "server.listen = 127.0.0.1:50051" in shown
        assert "server.reflection = true" in shown
        assert "routing.rules[0].prefix = 60" in shown
        assert "providers.spar-za.terms.confirm_by_s = 900.0" in shown


def test_no_fault_repeats_a_value(tmp_path: Path) -> None:
    """A secret in the wrong place is not shown by the sentence that refuses it."""
    text = GOOD.replace('password = "pass-word-1"', 'password = ["s3cret"]\nretries = "s3cret"')
    text += '[server]\nlisten = "s3cret"\nworkers = "s3cret"\n[journal]\nurl = "s3cret"\n'
    faults = faults_of(tmp_path, text)
    assert len(faults) == 4
    assert not any("s3cret" in fault for fault in faults)


def test_words() -> None:
    """What is allowed is said in words."""
    assert [allowed(kind) for kind in (int, float, bool, str, dict[str, str], tuple[str, ...])] == [
        "a whole number", "a number", "true or false", "a text", "a table", "a list",
    ]  # fmt: skip
