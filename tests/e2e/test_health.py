"""The command that supervisors ask by, against gateways that serve, drain, and are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.processes import environment, free_port, run
from tests.e2e.sandboxes import sandbox
from tests.e2e.test_secure import KEYS, listening
from tests.world.certificates import Authority

TOML = '[server]\nlisten = "{listen}"\n\n[journal]\nurl = {{ env = "NOT_THERE" }}\n'


@pytest.mark.parametrize("name", ["gateway.internal", "*.giftcards.example", "10.9.8.7"])
def test_health_of_a_gateway_with_tls(tmp_path: Path, name: str) -> None:
    """Health trusts the listener's own certificate, whatever it is called, and needs nobody to sign in."""
    environ = listening(Authority(tmp_path).issue("server", name)) | KEYS
    with sandbox(tmp_path, environ=environ) as running:
        (tmp_path / "gateway.toml").write_text(TOML.format(listen=running.address), encoding="utf-8")
        told = run("health", "--config", "gateway.toml", folder=tmp_path, environ=environ)
        assert (told.returncode, told.stdout) == (0, f"{running.address}: SERVING\n"), told.stderr
        plain = run("health", "--address", running.address, "--timeout", "2", folder=tmp_path)
        assert plain.returncode == 1
        assert plain.stdout == f"{running.address}: UNAVAILABLE\n"


def test_health_though_the_files_were_spoilt(tmp_path: Path) -> None:
    """A gateway that goes on with the certificate before is healthy: one bad secret takes no replica out."""
    pair = Authority(tmp_path).issue("server", "gateway.internal")
    environ = listening(pair) | KEYS
    with sandbox(tmp_path, environ=environ) as running:
        (tmp_path / "gateway.toml").write_text(TOML.format(listen=running.address), encoding="utf-8")
        pair.key.write_bytes(
            Authority(tmp_path, "other").issue("another", "gateway.internal").key.read_bytes()
        )
        told = run("health", "--config", "gateway.toml", folder=tmp_path, environ=environ)
        assert (told.returncode, told.stdout) == (0, f"{running.address}: SERVING\n"), told.stderr
        assert "server.tls.key_file holds the key of another certificate" in told.stderr
        assert running.running.stop() == 0
        gone = run("health", "--config", "gateway.toml", folder=tmp_path, environ=environ)
        assert (gone.returncode, gone.stdout) == (2, "")
        assert "server.tls.key_file" in gone.stderr


def test_health_of_a_gateway_that_demands_certificates(tmp_path: Path) -> None:
    """Health shows the gateway's own certificate to a listener that lets nobody in without one."""
    authority = Authority(tmp_path)
    environ = (
        listening(authority.issue("server", "gateway.internal"), client_ca_file=str(authority.file)) | KEYS
    )
    with sandbox(tmp_path, environ=environ) as running:
        (tmp_path / "gateway.toml").write_text(TOML.format(listen=running.address), encoding="utf-8")
        told = run("health", "--config", "gateway.toml", folder=tmp_path, environ=environ)
        assert (told.returncode, told.stdout) == (0, f"{running.address}: SERVING\n"), told.stderr


def test_health_of_services(tmp_path: Path) -> None:
    """A service that is there is told apart from one that is not, and a proxy for others is not asked."""
    with sandbox(tmp_path) as running:
        environ = {
            "http_proxy": "http://127.0.0.1:9",
            "GIFTCARD_GATEWAY__SERVER__LISTEN": f"0.0.0.0:{running.port}",
        }
        (tmp_path / "gateway.toml").write_text(TOML.format(listen="127.0.0.1:9"), encoding="utf-8")
        for service, ending in (("", (0, "SERVING")), ("giftcard.v1.Nothing", (1, "NOT_FOUND"))):
            told = run(
                *("health", "--config", "gateway.toml", "--service", service),
                folder=tmp_path,
                environ=environ,
            )
            assert (told.returncode, told.stdout) == (ending[0], f"{running.address}: {ending[1]}\n")


def test_health_where_nobody_listens(tmp_path: Path) -> None:
    """Nobody there is 1 with a word; wrong settings, or none, are 2 with a sentence."""
    address = f"127.0.0.1:{free_port()}"
    told = run("health", "--address", address, folder=tmp_path)
    assert (told.returncode, told.stdout) == (1, f"{address}: UNAVAILABLE\n")
    (tmp_path / "gateway.toml").write_text(TOML.format(listen="nowhere"), encoding="utf-8")
    assert "GIFTCARD_GATEWAY_CONFIG" not in environment()
    for arguments, sentence in (
        ((), "Give --config"),
        (("--config", "gateway.toml"), "server.listen"),
        (("--config", "no.toml"), "no.toml"),
    ):
        wrong = run("health", *arguments, folder=tmp_path)
        assert wrong.returncode == 2
        assert sentence in wrong.stderr
