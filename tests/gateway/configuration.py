"""A small, good configuration to make bad ones from, with a made-up provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from giftcard_adapters.contract import Provider, Settings
from giftcard_adapters.values.secret import Secret
from giftcard_gateway import config
from giftcard_gateway.config import ConfigError
from tests.world.app import HASH_KEY, KEY


class MadeUpSettings(Settings, frozen=True, kw_only=True):
    """The settings of a provider nobody knows."""

    password: Secret
    retries: int = 3
    regions: tuple[str, ...] = ()


class MadeUp(Provider):
    """A provider nobody knows."""

    settings_type = MadeUpSettings


HERE = f"{__name__}:MadeUp"
GOOD = f"""
[seal]
active = "2026"
keys = {{ 2026 = "{KEY}" }}
hash_key = "{HASH_KEY}"

[providers.spar-za]
adapter = "{HERE}"
[providers.spar-za.settings]
base_url = "https://provider.example/api"
password = "pass-word-1"
"""


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> config.Settings:
    """Load a configuration written to a file."""
    file = folder / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return config.load(file, environ or {})


def faults_of(folder: Path, text: str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    """Load a bad configuration and return its faults."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ)
    return caught.value.faults
