"""An adapter from another package works by its name alone: in the suite, and in a real gateway."""

from __future__ import annotations

import base64
import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from giftcard import Client, is_approved, is_confirmed, is_reversed, new_transaction_id, v1
from tests.e2e.processes import Running, run, started
from tests.kit.packages import EXAMPLE, copy_example, install, run_tests
from tests.patience import PATIENCE_S

SIMULATOR = "giftcard_acme_cards.simulator:AcmeCardsSimulator"
FUNDED, POOR = "9870000000000001", "9870000000000002"
KEYS = [base64.b64encode(bytes([fill]) * 32).decode() for fill in (1, 2)]
PAGE = (EXAMPLE / "README.md").read_text(encoding="utf-8")
STANZA = PAGE.partition("```toml\n")[2].partition("```")[0]
CONFIGURATION = f"""
[server]
listen = "127.0.0.1:0"

[seal]
active = "test"
keys = {{ test = "{KEYS[0]}" }}
hash_key = "{KEYS[1]}"

[routing]
default = "acme-cards"

{STANZA}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the example out of the tree."""
    return copy_example(tmp_path_factory.mktemp("outside"))


@pytest.fixture(scope="module")
def environ(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the example, and know its secret."""
    found = install(package, tmp_path_factory.mktemp("site"))
    return {**found, "ACME_CARDS_SIGNING_KEY": "sandbox-signing-key-of-nobody"}


@contextmanager
def simulator(folder: Path, environ: dict[str, str]) -> Iterator[str]:
    """Play AcmeCards on a port of its own, and give its URL."""
    folder.mkdir()
    with started("simulate", SIMULATOR, "--port", "0", folder=folder, environ=environ) as running:
        yield said(running, r"is played on (\S+)")


@contextmanager
def gateway(folder: Path, url: str, environ: dict[str, str]) -> Iterator[Client]:
    """Serve a gateway configured by hand, and give a client of it."""
    folder.mkdir()
    configure(folder, url)
    with (
        started("serve", "--config", "gateway.toml", folder=folder, environ=environ) as running,
        Client(said(running, r"serves on (\S+)"), plaintext=True) as client,
    ):
        yield client


def configure(folder: Path, url: str) -> None:
    """Write a configuration with the stanza of the example's page, as its simulator wants it."""
    changed = CONFIGURATION.replace("https://acme-cards.example", url).replace("shop-7", "sandbox-shop")
    (folder / "gateway.toml").write_text(changed, encoding="utf-8")


def said(running: Running, pattern: str) -> str:
    """Wait until a process says where it serves."""
    found: list[str] = []

    def is_said() -> bool:
        found.extend(re.findall(pattern, running.said + running.complained))
        return bool(found)

    running.wait_until(is_said)
    return found[0]


def effects(url: str) -> list[str]:
    """Return which money effects the simulator counted."""
    with urllib.request.urlopen(f"{url}/_sandbox/effects", timeout=PATIENCE_S) as answer:  # noqa: S310 - the simulator's address
        return [effect["kind"] for effect in json.load(answer)["effects"]]


def drop_answer(url: str) -> None:
    """Let the next answer be lost on its way."""
    body = b'[{"fault": "drop_answer"}]'
    fault = urllib.request.Request(f"{url}/_sandbox/faults", data=body)  # noqa: S310 - the simulator's address
    urllib.request.urlopen(fault, timeout=PATIENCE_S).close()  # noqa: S310 - the simulator's address


def test_it_passes_its_own_tests(package: Path, environ: dict[str, str]) -> None:
    """The conformance suite and the golden runner are imported and passed, outside the tree."""
    ended = run_tests(package, environ)
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"\d\d passed", ended.stdout)


def redeem(client: Client, card: str) -> v1.Transaction:
    """Redeem fifty euros."""
    return client.redeem(transaction_id=new_transaction_id(), card=card, amount="50.00", currency="EUR")


def test_the_gateway_serves_it(tmp_path: Path, environ: dict[str, str]) -> None:
    """Redeems go by gRPC to a gateway and by HTTP to its provider: confirmed, declined, undone."""
    with simulator(tmp_path / "acme", environ) as url, gateway(tmp_path / "gateway", url, environ) as client:
        held = redeem(client, FUNDED)
        assert is_approved(held)
        assert held.provider == "acme-cards"
        balances = client.lookup(card=FUNDED).balances
        assert (balances.book.units, balances.available.units) == (1000, 950)
        assert is_confirmed(client.confirm_redeem(transaction_id=held.transaction_id))
        assert redeem(client, POOR).decline.reason == v1.DeclineReason.DECLINE_REASON_FUNDS_INSUFFICIENT
        drop_answer(url)
        lost = redeem(client, FUNDED)
        assert is_reversed(client.get_transaction(transaction_id=lost.transaction_id, wait_s=PATIENCE_S))
        assert effects(url) == ["redeem", "confirm", "redeem", "reverse"]


def test_an_operator_sees_it(tmp_path: Path, environ: dict[str, str]) -> None:
    """`providers` tells its row and its facts like those of any other."""
    configure(tmp_path, "https://acme-cards.example")
    told = run("providers", "--config", "gateway.toml", folder=tmp_path, environ=environ)
    assert told.returncode == 0, told.stderr
    assert re.search(r"Redeem +N", told.stdout)
    assert "The provider itself settles and releases" in told.stdout
