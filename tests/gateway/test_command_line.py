"""The list of commands, and what each command costs: it imports what it needs and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from giftcard_gateway.cli import COMMANDS, commands, options
from giftcard_simulators import catalogue
from tests.e2e.processes import environment

HEAVY = (
    "aiohttp",
    "asyncpg",
    "giftcard_simulators",
    "giftcard_simulators.electrum.simulator",
    "giftcard_simulators.gr4vy.simulator",
    "grpc",
    "httptools",
    "httpx",
    "importlib.metadata",
    "joserfc",
    "opentelemetry",
    "rich",
)
LOOK = f"""
import sys
from giftcard_gateway.cli import command_line
command_line(sys.argv[1:], {{}})
print("loaded:", *(name for name in {HEAVY!r} if name in sys.modules))
"""
SETTINGS = """
journal.url = "sqlite:///journal.db"

[seal]
active = "one"
hash_key = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
keys = { one = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=" }

[providers.shop]
adapter = "giftcard_adapters.gatepay:GatePay"
settings = { base_url = "http://127.0.0.1:9", client_id = "shop", api_secret = "made-up" }
"""


@pytest.mark.parametrize(
    ("arguments", "shown", "allowed"),
    [
        ("--version", ".", {"importlib.metadata"}),
        ("--help", "check-config", set()),
        ("check-config --config gateway.toml", "providers.shop.adapter", {"httpx", "rich"}),
        ("providers --config gateway.toml", "Issue", {"httpx", "rich"}),
        ("route --config gateway.toml --card 1", "", {"httpx", "rich"}),
        ("health --address 127.0.0.1:9", "", {"grpc"}),
        ("health --config gateway.toml", "", {"grpc", "httpx", "rich"}),
        ("transactions --help", "watch", set()),
        ("transactions --address 127.0.0.1:9 list", "", {"grpc", "importlib.metadata", "rich"}),
        ("transactions purge --help", "older-than", {"httpx", "rich"}),
        ("check-config --sandbox", "providers", {"giftcard_simulators", "httpx", "joserfc", "rich"}),
    ],
)
def test_a_command_imports_what_it_needs(
    tmp_path: Path, arguments: str, shown: str, allowed: set[str]
) -> None:
    """A command loads no server, SDK, driver or simulator that it does not use."""
    (tmp_path / "gateway.toml").write_text(SETTINGS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments.split()],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown in done.stdout, done.stderr
    loaded = done.stdout.rpartition("loaded:")[2].split()
    assert set(loaded) <= allowed


def test_every_command_of_the_list_is_there() -> None:
    """The list of commands is in order, and each is the command that its module has under its name."""
    assert list(COMMANDS) == sorted(COMMANDS)
    for name in COMMANDS:
        found = commands.get_command(click.Context(commands), name)
        assert found is not None
        assert found.name == name


def test_the_sandbox_moves_as_one() -> None:
    """--port counts from where the simulators count from, though neither may import the other."""
    assert options.PORT == catalogue.PORT
