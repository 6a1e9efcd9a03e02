"""Several processes on one port and one PostgreSQL journal: whole gateways, replaced when they die."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from giftcard import v1
from giftcard.stubs import Stubs
from giftcard_simulators.catalogue import SANDBOXES
from tests.e2e.processes import Running, free_port, run, started
from tests.e2e.sandboxes import ELECTRUM, Sandbox, redemption
from tests.e2e.test_cannot_start import complaints
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres
PAN = "6045000000000111"
SHOP = """
[seal]
active = "one"
hash_key = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
keys = {{ one = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=" }}

[providers.shop]
adapter = "giftcard_adapters.electrum:Electrum"
prefixes = ["60450"]

[providers.shop.settings]
base_url = "http://127.0.0.1:{simulator}/giftcard/v3"
"""
"""A seal, and a shop at the simulators of a sandbox."""
TOML = (
    """
[server]
listen = "127.0.0.1:{port}"
workers = 2

[journal]
url = "{journal}"

"""
    + SHOP
)


def configure(folder: Path, port: int, journal: str) -> None:
    """Write a configuration for two processes on `port`, with the simulators of a sandbox beside it."""
    text = TOML.format(port=port, simulator=port + ELECTRUM, journal=journal)
    settings = (f"{key} = {json.dumps(value)}\n" for key, value in SANDBOXES[0].settings().items())
    (folder / "gateway.toml").write_text(text + "".join(settings), encoding="utf-8")


@contextmanager
def simulators(folder: Path, port: int) -> Iterator[Running]:
    """Start the simulators alone, as for a gateway on `port`."""
    (folder / "simulators").mkdir()
    with started("sandbox", "--port", str(port), folder=folder / "simulators") as running:
        running.wait_until(lambda: "/_sandbox/reset" in running.said)
        yield running


def workers_of(running: Running) -> set[int]:
    """Return the ids of a supervisor's workers; Linux tells them."""
    supervisor = running.process.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text(encoding="ascii").split()
    commands = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return {child for child, command in commands.items() if b"spawn_main" in command}


def redeem(address: str) -> v1.Transaction:
    """Redeem one rand on a connection of its own."""
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        return (
            Stubs(channel)
            .gift_cards.Redeem(redemption(PAN), timeout=PATIENCE_S, wait_for_ready=True)
            .transaction
        )


async def test_two_processes_share_a_port_and_a_journal(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Two serve, one that is killed is replaced, each sees what all wrote, and SIGTERM drains them."""
    port = free_port()
    configure(tmp_path, port, await postgres_server.create_database())
    migrated = run("migrate", "--config", "gateway.toml", folder=tmp_path)
    assert migrated.returncode == 0, migrated.stderr
    serving = started("serve", "--config", "gateway.toml", folder=tmp_path)
    with simulators(tmp_path, port) as playing, serving as running:
        gateway = Sandbox(running, port)
        running.wait_until(lambda: running.complained.count(f"serves on {gateway.address}") == 2)
        done = [redeem(gateway.address) for _ in range(4)]
        os.kill(min(workers_of(running)), signal.SIGKILL)
        running.wait_until(lambda: running.complained.count("serves on") == 3)
        done += [redeem(gateway.address) for _ in range(4)]
        with gateway.client() as client:
            listed = client.list_transactions(page_size=50).transactions
        assert {one.transaction_id for one in listed} == {one.transaction_id for one in done}
        assert running.stop() == 0
        assert "Traceback" not in running.complained
        assert playing.stop() == 0


async def test_a_lame_duck_s_other_processes_are_not_hurried(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """One killed after SIGTERM is not replaced, and what is left serves on, until a second SIGTERM."""
    port = free_port()
    configure(tmp_path, port, await postgres_server.create_database())
    assert run("migrate", "--config", "gateway.toml", folder=tmp_path).returncode == 0
    environ = {"GIFTCARD_GATEWAY__SERVER__LAME_DUCK_S": "3600"}
    serving = started("serve", "--config", "gateway.toml", folder=tmp_path, environ=environ)
    with simulators(tmp_path, port), serving as running:
        running.wait_until(lambda: running.complained.count("serves on") == 2)
        running.send(signal.SIGTERM)
        running.wait_until(lambda: running.complained.count("calls are served for 3600 s yet") == 2)
        os.kill(min(workers_of(running)), signal.SIGKILL)
        running.wait_until(lambda: len(workers_of(running)) == 1)
        redeem(f"127.0.0.1:{port}")
        assert len(workers_of(running)) == 1
        assert running.stop() == 0
        assert "Traceback" not in running.complained


async def test_a_journal_that_does_not_fit_is_told_once(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Workers whose journal has no schema yet, or is away, end with exit code 2 and a sentence."""
    for journal, word in (
        (await postgres_server.create_database(), "migrate"),
        ("postgresql://nobody@127.0.0.1:9/nowhere", "journal"),
    ):
        configure(tmp_path, free_port(), journal)
        said = complaints(run("serve", "--config", "gateway.toml", folder=tmp_path))
        assert said
        assert all(word in one for one in said), said
