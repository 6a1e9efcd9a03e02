"""Keys wrapped by a real token, as an operator makes and uses them; neither they nor the PIN are told."""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from giftcard import Client, new_transaction_id
from giftcard_gateway.config import load
from giftcard_gateway.process.sealing import with_open_keys
from tests.e2e.processes import free_port, run, started
from tests.e2e.test_workers import workers_of
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer
from tests.softhsm import KEY, LABEL, PIN, Token, library, make_token

pytestmark = pytest.mark.softhsm
KMS = f"""
[kms.hsm]
module = "{library()}"
token = "{LABEL}"
key = "{KEY}"
pin = {{ file = "pin" }}
"""
REST = """
journal.url = "sqlite:///journal.db"
server.listen = "127.0.0.1:PORT"
telemetry.log_level = "debug"

[seal]
active = "one"
hash_key = { file = "hash" }
keys = { one = { file = "one" } }

[providers.shop]
adapter = "giftcard_adapters.gatepay:GatePay"
settings = { base_url = "http://127.0.0.1:9", client_id = "shop", api_secret = "made-up" }
"""
CLEAR = base64.b64encode(bytes(range(60, 92))).decode()


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    """Make a token outside the folder of the gateway, and lead this process and its children to it."""
    made = make_token(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", made.environ["SOFTHSM2_CONF"])
    return made


@pytest.fixture
def folder(tmp_path: Path, token: Token) -> Path:
    """Do what running.md says: a file with the service alone, two keys made by it, and the rest."""
    del token
    home = tmp_path / "gateway"
    home.mkdir()
    put(home, "pin", PIN)
    (home / "gateway.toml").write_text(KMS, encoding="utf-8")
    for name, setting in (("one", "seal.keys.one"), ("hash", "seal.hash_key")):
        put(home, name, command(home, "seal", "new-key", "--kms", "hsm", setting))
    text = REST.replace("PORT", str(free_port()))
    (home / "gateway.toml").write_text(f"{text}{KMS}", encoding="utf-8")
    command(home, "migrate")
    return home


def put(folder: Path, name: str, text: str) -> None:
    """Write a secret into a file for nobody else."""
    (folder / name).touch(mode=0o600)
    (folder / name).write_text(text, encoding="utf-8")


def command(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> str:
    """Run a command that has to do its work, and return what it printed."""
    done = run(*words, "--config", "gateway.toml", folder=folder, environ=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def secrets(folder: Path) -> Iterator[str]:
    """Give the PIN and the opened keys, in base64 and in hexadecimal digits."""
    yield PIN
    opened = with_open_keys(load(folder / "gateway.toml", {}))
    for key in opened.seal.by_setting().values():
        yield key.reveal()
        yield base64.b64decode(key.reveal()).hex()


def test_a_gateway_serves_on_when_its_token_is_away(folder: Path, token: Token) -> None:
    """The token opens the keys at the start and is not asked again; a start without it is refused."""
    with started("serve", "--config", "gateway.toml", folder=folder) as running:
        running.wait_until(lambda: "serves on" in running.complained)
        token.tokens.rename(token.folder / "away")
        address = running.complained.partition("serves on ")[2].split()[0]
        with Client(address, plaintext=True) as client:
            asked = client.issue(
                transaction_id=new_transaction_id(),
                provider="shop",
                amount="1.00",
                currency="EUR",
                title="x",
                template_id="1",
                deadline_s=PATIENCE_S,
            )
            assert client.get_transaction(asked.transaction_id).transaction_id == asked.transaction_id
        assert running.stop() == 0
    token.tokens.mkdir()
    refused = run("serve", "--config", "gateway.toml", folder=folder)
    assert refused.returncode == 2
    assert refused.stderr == f"error: kms.hsm cannot be used: the token '{LABEL}' is not there\n"
    token.tokens.rmdir()
    (token.folder / "away").rename(token.tokens)
    assert "one active 1 0 0" in " ".join(command(folder, "seal", "status").split())
    told = [(folder / name).read_bytes() for name in ("stdout", "stderr", "journal.db")]
    assert not [secret for secret in secrets(folder) if any(secret.encode() in text for text in told)]


@pytest.mark.postgres
async def test_a_worker_is_replaced_while_the_token_is_away(
    folder: Path, token: Token, postgres_server: PostgresServer
) -> None:
    """Keys are opened once for all workers, and for those that take the place of one that died."""
    environ = {"GIFTCARD_GATEWAY__JOURNAL__URL": await postgres_server.create_database()}
    command(folder, "migrate", environ=environ)
    words = ("serve", "--workers", "2", "--config", "gateway.toml")
    with started(*words, folder=folder, environ=environ) as running:
        running.wait_until(lambda: running.complained.count("serves on") == 2)
        token.tokens.rename(token.folder / "away")
        os.kill(min(workers_of(running)), signal.SIGKILL)
        running.wait_until(lambda: running.complained.count("serves on") == 3)
        assert running.stop() == 0


@pytest.mark.parametrize(
    "words",
    [
        ("check-config",),
        ("seal", "status"),
        ("seal", "rotate", "--rounds", "1"),
        ("keys", "create", "till", "--scope", "read"),
        ("keys", "list"),
        ("seal", "wrap-key", "--kms", "hsm", "seal.keys.one"),
        ("seal", "new-key", "--kms", "hsm", "seal.keys.two"),
    ],
)
def test_every_command_works_and_tells_no_secret(folder: Path, words: tuple[str, ...]) -> None:
    """A command that needs the keys has them opened; none prints the PIN or a key in the clear."""
    done = run(*words, "--config", "gateway.toml", folder=folder)
    assert done.returncode == 0, done.stderr
    assert not [secret for secret in secrets(folder) if secret in done.stdout + done.stderr]


def test_the_audit_is_checked_with_a_wrapped_hash_key(folder: Path) -> None:
    """What was recorded under a wrapped key is found whole, and the life of an API key goes on as ever."""
    text = command(folder, "keys", "create", "till", "--scope", "read").strip()
    command(folder, "keys", "revoke", text)
    assert command(folder, "audit", "verify").startswith("2 records in 2 chains")


def test_a_clear_key_becomes_a_wrapped_one(folder: Path) -> None:
    """`wrap-key` wraps the key that is in use: what is under it still opens, and nothing is sealed anew."""
    put(folder, "one", CLEAR)
    command(folder, "keys", "create", "till", "--scope", "read")
    text = command(folder, "seal", "wrap-key", "--kms", "hsm", "seal.keys.one")
    put(folder, "one", text)
    assert CLEAR not in text
    assert CLEAR in set(secrets(folder))
    again = command(folder, "seal", "wrap-key", "--kms", "hsm", "seal.keys.one")
    assert again != text
    told = command(folder, "audit", "export")
    assert told.count("key_wrapped") == 2
    assert "seal.keys.one by kms.hsm" in told


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"KMS__HSM__MODULE": "/nowhere.so"},
            "the module /nowhere.so is not there, or is no library that speaks PKCS#11",
        ),
        ({"KMS__HSM__TOKEN": "another"}, "the token 'another' is not there"),
        ({"KMS__HSM__PIN": "9081726354"}, f"the PIN is not that of the token '{LABEL}'"),
        ({"KMS__HSM__KEY": "another"}, f"the token '{LABEL}' has no AES key 'another'"),
    ],
)
def test_a_service_that_cannot_be_used_is_told(folder: Path, environ: dict[str, str], sentence: str) -> None:
    """A start without what the service needs is one sentence and exit code 2."""
    changes = {f"GIFTCARD_GATEWAY__{name}": value for name, value in environ.items()}
    done = run("serve", "--config", "gateway.toml", folder=folder, environ=changes)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: kms.hsm cannot be used: {sentence}\n"


def test_a_wrapped_key_that_does_not_open_is_told(folder: Path) -> None:
    """An altered key, and one for another setting, are each named by their setting, with exit code 2."""
    wrapped = (folder / "one").read_text(encoding="utf-8").strip()
    last = "A" if wrapped[-6] != "A" else "B"
    put(folder, "one", f"{wrapped[:-6]}{last}{wrapped[-5:]}")
    put(folder, "hash", wrapped)
    done = run("serve", "--config", "gateway.toml", folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(":")[1].strip() for line in done.stderr.splitlines()] == [
        "seal.keys.one is not opened by kms.hsm",
        "seal.hash_key is not opened by kms.hsm",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("new-key", "--kms", "nobody", "seal.keys.two"), "there is no [kms.nobody] in the configuration"),
        (
            ("new-key", "--kms", "hsm", "seal.active"),
            "SETTING is seal.keys.ID, seal.hash_key or seal.hash_keys.ID.",
        ),
        (
            ("wrap-key", "--kms", "hsm", "seal.keys.two"),
            "there is no key in seal.keys.two; there are seal.keys.one, seal.hash_key",
        ),
    ],
)
def test_a_bad_argument_is_told(folder: Path, words: tuple[str, ...], sentence: str) -> None:
    """A setting or a service that is not there is one sentence and exit code 2."""
    done = run("seal", *words, "--config", "gateway.toml", folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
