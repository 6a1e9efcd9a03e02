"""The example configuration, with nothing changed but what only its owner has: accounts, keys, addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse

from giftcard import Client, tls_credentials, v1
from giftcard_simulators.catalogue import SANDBOXES
from tests.conftest import ROOT
from tests.e2e.processes import free_port, run, started
from tests.e2e.sandboxes import ELECTRUM, GR4VY, Sandbox
from tests.world.app import HASH_KEY, KEY
from tests.world.certificates import Authority

_CARDS, _ONLINE = (one.settings() for one in SANDBOXES[:2])


@pytest.fixture
def environ(tmp_path: Path, shared: Sandbox) -> dict[str, str]:
    """Return what an owner of the example has: accounts, keys, a certificate, a journal."""
    files = Authority(tmp_path).issue("gateway", "localhost", "127.0.0.1")
    own = {
        "SERVER__LISTEN": f"127.0.0.1:{free_port()}",
        "SERVER__WORKERS": "1",
        "SERVER__TLS__CERTIFICATE_FILE": str(files.certificate),
        "SERVER__TLS__KEY_FILE": str(files.key),
        "SEAL__HASH_KEY": HASH_KEY,
        "SEAL__KEYS__2026_11": KEY,
        "WEBHOOKS__LISTEN": "127.0.0.1:0",
        "PROVIDERS__SPAR_ZA__SETTINGS__BASE_URL": f"http://127.0.0.1:{shared.port + ELECTRUM}/giftcard/v3",
        "PROVIDERS__SPAR_ZA__SETTINGS__INSTITUTION_ID": str(_CARDS["institution_id"]),
        "PROVIDERS__ONLINE_US__SETTINGS__BASE_URL": f"http://127.0.0.1:{shared.port + GR4VY}",
        "PROVIDERS__ONLINE_US__SETTINGS__PRIVATE_KEY": str(_ONLINE["private_key"]),
    }
    return {f"GIFTCARD_GATEWAY__{name}": value for name, value in own.items()} | {
        "GIFTCARD_GATEWAY_CONFIG": str(ROOT / "deploy" / "gateway.example.toml"),
        "GIFTCARD_JOURNAL_URL": f"sqlite:///{tmp_path / 'journal.db'}",
        "ELECTRUM_PASSWORD": str(_CARDS["password"]),
        "GR4VY_WEBHOOK_SECRET": "made-up",
    }


def first_redemption() -> v1.RedeemRequest:
    """Return what the README has a newcomer send first."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"grpcurl -plaintext -d '([^']+)' \S+ giftcard\.v1\.GiftCardService/Redeem\n", readme)
    assert found is not None
    return Parse(found[1], v1.RedeemRequest())


def test_the_example_serves_the_first_redemption(tmp_path: Path, environ: dict[str, str]) -> None:
    """What the README sends to the sandbox is approved and confirmed by a gateway with the example, too."""
    early = run("check-config", "--connect", folder=tmp_path, environ=environ)
    assert early.returncode == 2
    assert early.stderr.startswith("error: journal: has schema none, this version needs ")
    made = run("migrate", folder=tmp_path, environ=environ)
    assert made.returncode == 0, made.stderr
    tried = run("check-config", "--connect", folder=tmp_path, environ=environ)
    assert (tried.returncode, tried.stderr) == (0, "")
    assert len(re.findall(r"(?m)^works (journal|providers\.(spar-za|online-us)): ", tried.stdout)) == 3
    key = run("keys", "create", "till-7", "--scope", "money", folder=tmp_path, environ=environ)
    assert key.returncode == 0, key.stderr
    request = first_redemption()
    with started("serve", folder=tmp_path, environ=environ) as running:
        running.wait_until(lambda: "giftcard-gateway serves on" in running.complained)
        trust = tls_credentials((tmp_path / "authority.pem").read_bytes())
        address = environ["GIFTCARD_GATEWAY__SERVER__LISTEN"]
        with Client(address, credentials=trust, token=key.stdout.strip()) as client:
            done = client.redeem(
                transaction_id=request.transaction_id,
                card=request.card.number.pan,
                amount=f"{request.amount.units}.00",
                currency=request.amount.currency_code,
            )
            ended = client.confirm_redeem(transaction_id=done.transaction_id)
    assert (done.state, done.provider) == (v1.TransactionState.TRANSACTION_STATE_APPROVED, "spar-za")
    assert ended.state == v1.TransactionState.TRANSACTION_STATE_CONFIRMED
