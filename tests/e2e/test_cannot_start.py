"""What keeps a command from its work is said in a sentence each, with exit code 2 and no traceback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from giftcard_gateway.journal.schema import Steps
from giftcard_gateway.journal.sqlite import schema
from tests.e2e.processes import PROGRAM, free_port, run, started
from tests.e2e.sandboxes import GR4VY, WEBHOOKS, Sandbox, sandbox
from tests.patience import PATIENCE_S
from tests.world.app import HASH_KEY, KEY

TOML = f"""
[server]
listen = "127.0.0.1:PORT"

[journal]
url = "sqlite:///journal.db"

[seal]
active = "one"
hash_key = "{HASH_KEY}"
keys = {{ one = "{KEY}" }}

[providers.shop]
adapter = "giftcard_adapters.gatepay:GatePay"

[providers.shop.settings]
base_url = "http://127.0.0.1:9"
client_id = "shop"
api_secret = {{ env = 'SHOP_SECRET' }}
"""


def write(folder: Path, changes: Mapping[str, str]) -> None:
    """Write a configuration that is right but for the changes."""
    text = TOML.replace("PORT", str(free_port()))
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "gateway.toml").write_text(text, encoding="utf-8")


def complaints(done: CompletedProcess[str]) -> list[str]:
    """Return what a command that could not start complained of, after looking at how it said so."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert KEY not in done.stderr
    assert done.stdout == ""
    return [line for line in done.stderr.splitlines() if line.lower().startswith("error: ")]


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Listen on a port, so that nobody else can."""
    with socket.create_server(("127.0.0.1", port)):
        yield


FAULTY = [
    ({"[server]": "[server"}, ["gateway.toml is not TOML: "]),
    (
        {"listen": "listem", "[journal]": "[journal]\npool_size = 0", "client_id": "client_number"},
        [
            "server.listem is not known; did you mean listen?",
            "journal.pool_size must be a whole number from 1 to 500",
            "providers.shop.settings.api_secret has no value: environment variable SHOP_SECRET is not set",
        ],
    ),
    (
        {
            KEY: "c2hvcnQ=",
            'active = "one"': 'active = "two"',
            "[server]": "[server]\nworkers = 2",
            "api_secret = { env = 'SHOP_SECRET' }": "api_secret = 'x'",
        },
        [
            "server.workers must be 1 with a SQLite journal: one process writes it; PostgreSQL takes more",
            "seal.active must be the id of one of seal.keys",
            "seal.keys.one must be 32 bytes in base64; `openssl rand -base64 32` makes one",
        ],
    ),
    (
        {"gatepay:GatePay": "gatepay:GetPay", "api_secret = { env = 'SHOP_SECRET' }": "api_secret = 'x'"},
        ["providers.shop.settings: "],
    ),
    (
        {
            "gatepay:GatePay": "gr4vy:Gr4vy",
            "client_id = \"shop\"\napi_secret = { env = 'SHOP_SECRET' }": "private_key = 'none'",
            "[server]": "[server]\nkeepalive_s = 0.001\nmax_connection_age_s = 0.01",
        },
        [
            "server.keepalive_s must be a number from 1 to 864000",
            "server.max_connection_age_s must be a number from 10 to 864000",
        ],
    ),
    (
        {
            "gatepay:GatePay": "gr4vy:Gr4vy",
            "client_id = \"shop\"\napi_secret = { env = 'SHOP_SECRET' }": "private_key = 'none'",
            "sqlite:///journal.db": "postgresql://gateway:secret@localhost",
        },
        [
            "journal.url must name the database, as in postgresql://USER:PASSWORD@HOST/DATABASE",
            "providers.shop.settings: key 'private_key': expected the PEM of an EC P-521 private key",
        ],
    ),
    (
        {
            "sqlite:///journal.db": "sqlite:////proc/nowhere/j.db",
            "api_secret = { env = 'SHOP_SECRET' }": "api_secret = 'x'",
        },
        ["the journal cannot be used: /proc/nowhere/j.db.lock: No such file or directory"],
    ),
]


@pytest.mark.parametrize(("changes", "sentences"), FAULTY)
def test_every_fault_of_a_configuration_is_told(
    tmp_path: Path, changes: dict[str, str], sentences: list[str]
) -> None:
    """What a configuration cannot mean is told at once, a sentence each, by the path of the setting."""
    write(tmp_path, changes)
    said = complaints(run("serve", "--config", "gateway.toml", folder=tmp_path))
    assert len(said) == len(sentences), said
    for one, sentence in zip(sorted(said), sorted(sentences), strict=True):
        assert one.startswith(f"error: {sentence}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve"], "Give --config gateway.toml, or --sandbox to try things out."),
        (["serve", "--config", "nowhere.toml"], "nowhere.toml cannot be read: no such file or directory"),
        (["serve", "--sandbox", "--config", "x"], "--sandbox brings its own settings: leave --config out."),
        (
            ["serve", "--sandbox", "--data", "/proc/nowhere"],
            "the sandbox cannot keep its data in /proc/nowhere",
        ),
        (["serve", "--sandbox", "--workers", "2"], "server.workers must be 1 with a SQLite journal"),
        (["serve", "--config", "gateway.toml", "--port", "1"], "--port is for --sandbox"),
        (["simulate", "..:x"], "simulator '..:x' cannot be found; it is named as module:Class"),
        (
            ["transactions", "purge", "--sandbox", "--older-than", "9999999"],
            "Invalid value for '--older-than': 9999999 is not in the range 1<=x<=36500.",
        ),
        (["demo", "--address", "nowhere"], "Invalid value for '--address': it must be host:port."),
        (["transactions", "--address", "127.0.0.1:9", "list"], "UNAVAILABLE"),
        *(
            (["transactions", "--address", address, "list"], "--address must be a host and a port")
            for address in ("", "[", "127.0.0.1", "http://127.0.0.1:9")
        ),
        (["transactions", "--address", "127.0.0.1:9", "list", "--tenant", "ü"], "--tenant must be"),
        (["transactions", "--address", "127.0.0.1:9", "list", "--reference", "\udcff"], "argument 6 is not"),
    ],
)
def test_a_bad_argument_is_told(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """What the arguments cannot mean together, and what is not there, is said in one sentence."""
    done = run(*arguments, folder=tmp_path)
    (said,) = complaints(done)
    assert sentence in said


@pytest.mark.parametrize(
    "variable",
    [
        "OTEL_TRACES_EXPORTER=zipkin",
        "OTEL_METRICS_EXPORTER=statsd",
        "OTEL_EXPORTER_OTLP_PROTOCOL=thrift",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=many",
    ],
)
def test_a_bad_variable_of_opentelemetry_is_named(tmp_path: Path, variable: str) -> None:
    """An OTEL_ variable that cannot be followed keeps the gateway from starting, and is named."""
    name, _, value = variable.partition("=")
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", name: value}
    done = run("serve", "--sandbox", "--port", str(free_port()), folder=tmp_path, environ=environ)
    (said,) = complaints(done)
    assert name in said


@pytest.mark.parametrize(
    ("above", "sentence"),
    [
        (0, "cannot listen on 127.0.0.1:{port}: the port is taken or the address is not ours"),
        (WEBHOOKS, "cannot listen for webhooks on 127.0.0.1:{port}: the port is taken or not ours"),
        (GR4VY, "the gr4vy simulator cannot listen on 127.0.0.1:{port}: the port is taken"),
    ],
)
def test_a_taken_port_is_named(tmp_path: Path, above: int, sentence: str) -> None:
    """A port that somebody else has is named, whether it was for calls, for webhooks or for a simulator."""
    port = free_port()
    with taken(port + above):
        done = run("serve", "--sandbox", "--port", str(port), folder=tmp_path)
    assert complaints(done) == [f"error: {sentence.format(port=port + above)}"]


def test_a_second_process_on_the_journal_is_refused(shared: Sandbox) -> None:
    """A SQLite journal has one process: another is told who has it, and the first is not disturbed."""
    done = run(
        "serve", "--sandbox", "--port", str(free_port()), "--data", "data", folder=shared.running.folder
    )
    (said,) = complaints(done)
    holder = shared.running.process.pid
    assert said.startswith(f"error: process {holder} already writes the journal journal.db, ")
    with shared.client() as client:
        assert client.list_providers().providers


def test_a_sandbox_brings_its_own_journal_up_to_date(tmp_path: Path) -> None:
    """A sandbox on a folder of an earlier version serves; any other command says what to run."""
    old = tmp_path / "data" / "journal.db"
    old.parent.mkdir()
    schema.upgrade_file(str(old), Steps(Path(schema.__file__).parent, until="0001"))
    refused = run(
        "transactions", "purge", "--older-than", "500", "--sandbox", "--data", "data", folder=tmp_path
    )
    (said,) = complaints(refused)
    assert "run: giftcard-gateway migrate" in said
    with sandbox(tmp_path) as running, running.client() as client:
        assert client.list_providers().providers


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", "sch\u00fcssel".encode(), b"a b"])
def test_a_file_without_a_token_is_named(tmp_path: Path, content: bytes) -> None:
    """A token file that no header can carry is one sentence that names it and shows nothing of it."""
    (tmp_path / "token").write_bytes(content)
    done = run("transactions", "--address", "127.0.0.1:9", "--token-file", "token", "list", folder=tmp_path)
    assert complaints(done) == ["error: token holds no token: it must be one line of ASCII without spaces"]


def test_a_file_without_an_authority_is_named(tmp_path: Path) -> None:
    """A file that holds no certificate is one sentence that names it, and gRPC's core adds nothing."""
    (tmp_path / "ca").write_text("-----BEGIN PRIVATE KEY-----")
    done = run("transactions", "--address", "127.0.0.1:9", "--ca", "ca", "list", folder=tmp_path)
    assert complaints(done) == ["error: ca holds no certificate in PEM"]


def test_a_closed_output_is_no_fault() -> None:
    """A command that a program started without any output ends as ever."""
    command = 'exec "$@" >&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", *PROGRAM, "transactions", "--address", "127.0.0.1:9", "list"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A journal in a folder this user may not write is one sentence that names the file."""
    if os.getuid() == 0:
        pytest.skip("everything can be written by root")
    (tmp_path / "closed").mkdir(mode=0o500)
    done = run("serve", "--sandbox", "--data", "closed", folder=tmp_path)
    (said,) = complaints(done)
    assert "closed" in said


@pytest.mark.parametrize(
    "moment", ["| click", "| giftcard_gateway.cli.options", "| giftcard_gateway.process.serving"]
)
def test_ctrl_c_during_the_start_is_quiet(tmp_path: Path, moment: str) -> None:
    """Ctrl-C while the program still imports ends it without a traceback, with a shell's exit code."""
    words = ("serve", "--sandbox", "--port", str(free_port()), "--data", "data")
    # Python tells each import on standard error, so the moment is one of the program and not of a clock.
    with started(*words, folder=tmp_path, environ={"PYTHONPROFILEIMPORTTIME": "1"}) as running:
        running.wait_until(lambda: moment in " ".join(running.complained.split()))
        running.send(signal.SIGINT)
        code = running.ended()
    assert code in {0, 130}, running.complained
    assert "Traceback" not in running.complained


_INTERRUPTED_IN_A_CALLBACK = """
import os, signal, weakref
from giftcard_gateway.loading import loading

class Module: pass

with loading():
    module = Module()
    callback = weakref.ref(module, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del module
"""


def test_ctrl_c_in_a_callback_of_an_import_is_not_lost(tmp_path: Path) -> None:
    """Ctrl-C ends a loading program even where Python cannot raise: in a callback of the import system."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_IN_A_CALLBACK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


_INTERRUPTED_BETWEEN = """
import os, signal, sys
from contextlib import contextmanager
import giftcard_gateway.loading as real

@contextmanager
def loading():
    yield
    os.kill(os.getpid(), signal.SIGINT)

real.loading = loading
from giftcard_gateway.__main__ import main
sys.argv[1:] = ["--help"]
main()
"""


def test_ctrl_c_after_an_import_is_quiet(tmp_path: Path) -> None:
    """Ctrl-C that comes when what was imported is about to run ends the program without a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_BETWEEN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
