"""SIGHUP takes a changed configuration while processes serve, whole or not at all; no call fails of it."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import grpc
import pytest

from giftcard import v1
from giftcard.stubs import Stubs
from giftcard_simulators.catalogue import SANDBOXES
from tests.e2e.processes import Running, free_port, run, started
from tests.e2e.sandboxes import ELECTRUM, Sandbox, redemption
from tests.e2e.test_workers import simulators, workers_of
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

PAN = "6045000000000111"
SETTINGS = SANDBOXES[0].settings()
TAKEN = "is in force"
REFUSED = "refused: the one before stays"
ROUNDS = 12
TOML = """
[server]
listen = "127.0.0.1:{port}"
workers = {workers}
watch_s = {watch_s}

[journal]
url = "{journal}"

[seal]
active = "one"
hash_key = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
keys = {{ one = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=" }}

[routing]
default = "{route}"
"""
PROVIDER = """
[providers.{name}]
adapter = "giftcard_adapters.electrum:Electrum"
enabled = {enabled}
[providers.{name}.terms]
retry_base_s = 0.05
retry_cap_s = 0.05
circuit_threshold = 10000
[providers.{name}.settings]
base_url = "http://127.0.0.1:{simulator}/giftcard/v3"
timeout_s = {timeout_s}
password = {{ file = "secrets/password" }}
"""


class Written:
    """A configuration with the providers `one` and `two`, both at one simulator, that is written anew."""

    def __init__(
        self, folder: Path, port: int, journal: str, *, workers: int = 1, watch_s: float = 0
    ) -> None:
        self.folder = folder
        self.port = port
        self._fixed = {"journal": journal, "workers": workers, "watch_s": watch_s}
        self._numbers = count()

    def write(
        self,
        *,
        route: str = "one",
        timeout_s: float = 60,
        names: tuple[str, ...] = ("one", "two"),
        **more: str,
    ) -> None:
        """Replace the file at once, as whoever deploys does."""
        text = TOML.format(port=self.port, route=route, **self._fixed)
        others = "".join(
            f"{key} = {json.dumps(value)}\n" for key, value in SETTINGS.items() if key != "password"
        )
        for name in names:
            text += PROVIDER.format(
                name=name,
                simulator=self.port + ELECTRUM,
                timeout_s=timeout_s,
                enabled=more.get(f"{name}_enabled", "true"),
            )
            text += others
        fresh = self.folder / "gateway.toml.new"
        fresh.write_text(text + more.get("tail", ""), encoding="utf-8")
        fresh.replace(self.folder / "gateway.toml")

    def password(self, text: str) -> None:
        """Change the secret as Kubernetes does: a new folder, and then the link to it turned round."""
        version = self.folder / f"v{next(self._numbers)}"
        version.mkdir()
        (version / "password").write_text(text, encoding="utf-8")
        (version / "password").chmod(0o600)
        link = self.folder / "secrets.new"
        link.symlink_to(version.name)
        link.replace(self.folder / "secrets")


@contextmanager
def serving(written: Written) -> Iterator[Running]:
    """Serve what is written, beside the simulators."""
    with (
        simulators(written.folder, written.port),
        started("serve", "--config", "gateway.toml", folder=written.folder) as running,
    ):
        running.wait_until(lambda: "serves on" in running.complained)
        yield running


def reload(running: Running, word: str = TAKEN, *, times: int = 1) -> None:
    """Send SIGHUP, and wait until as many more processes have said this word of it."""
    before = running.complained.count(word)
    running.send(signal.SIGHUP)
    running.wait_until(lambda: running.complained.count(word) >= before + times)


def redeem(stubs: Stubs) -> v1.Transaction:
    """Redeem one rand wherever it is routed to."""
    return stubs.gift_cards.Redeem(redemption(PAN), timeout=PATIENCE_S).transaction


@contextmanager
def till(written: Written) -> Iterator[Stubs]:
    """Give a caller that repeats nothing by itself."""
    with grpc.insecure_channel(f"127.0.0.1:{written.port}", [("grpc.enable_retries", 0)]) as channel:
        yield Stubs(channel)


def prepared(folder: Path) -> Written:
    """Write a configuration over a SQLite journal."""
    written = Written(folder, free_port(), "sqlite:///journal.db")
    written.password(str(SETTINGS["password"]))
    written.write()
    migrated = run("migrate", "--config", "gateway.toml", folder=folder)
    assert migrated.returncode == 0, migrated.stderr
    return written


def test_no_call_fails_because_of_a_reload(tmp_path: Path) -> None:
    """Four tills redeem and confirm while routes, secrets' files and wires change under them: all succeed."""
    written = prepared(tmp_path)
    done: list[v1.Transaction] = []
    is_over = threading.Event()

    def shop(stubs: Stubs) -> None:
        while not is_over.is_set():
            redeemed = redeem(stubs)
            confirm = v1.ConfirmRedeemRequest(transaction_id=redeemed.transaction_id)
            done.append(stubs.gift_cards.ConfirmRedeem(confirm, timeout=PATIENCE_S).transaction)

    with serving(written) as running, till(written) as stubs, ThreadPoolExecutor(4) as hands:
        shops = [hands.submit(shop, stubs) for _ in range(4)]
        try:
            for number in range(ROUNDS):
                running.wait_until(partial(_goes_on, done, len(done), shops))
                written.password(str(SETTINGS["password"]))
                written.write(route=("two", "one")[number % 2], timeout_s=30 + number)
                reload(running)
        finally:
            is_over.set()
        assert [one.exception() for one in shops] == [None] * 4
        assert {one.state for one in done} == {v1.TransactionState.TRANSACTION_STATE_CONFIRMED}
        assert {one.provider for one in done} == {"one", "two"}
        assert running.stop() == 0
        assert "Traceback" not in running.complained


def test_a_promise_goes_on_with_the_new_secret(tmp_path: Path) -> None:
    """A confirmation that the provider refuses for our old password is delivered under the one reloaded."""
    written = prepared(tmp_path)
    with serving(written) as running, till(written) as stubs:
        gateway = Sandbox(running, written.port)
        redeemed = redeem(stubs)
        written.password("a-wrong-password")
        reload(running)
        confirm = v1.ConfirmRedeemRequest(transaction_id=redeemed.transaction_id)
        promised = stubs.gift_cards.ConfirmRedeem(confirm, timeout=PATIENCE_S).transaction
        assert promised.state == v1.TransactionState.TRANSACTION_STATE_CONFIRMING
        written.password(str(SETTINGS["password"]))
        reload(running)
        with gateway.client() as client:
            running.wait_until(
                lambda: (
                    client.get_transaction(transaction_id=redeemed.transaction_id).state
                    == v1.TransactionState.TRANSACTION_STATE_CONFIRMED
                )
            )


def test_what_is_wrong_changes_nothing(tmp_path: Path) -> None:
    """A fault, a setting that needs a restart, or a provider with open work is one sentence; all stays."""
    written = prepared(tmp_path)
    with serving(written) as running, till(written) as stubs:
        assert redeem(stubs).provider == "one"
        written.write(route="nobody")
        reload(running, REFUSED)
        assert "routing.default names no provider" in running.complained
        fixed = Written(tmp_path, written.port + 1, "sqlite:///other.db")
        fixed.write(route="two")
        reload(running, REFUSED)
        for name in ("server.listen", "journal.url"):
            assert f"{name} cannot change while serving" in running.complained
        assert redeem(stubs).provider == "one"
        written.write(route="two", names=("two",))
        reload(running, REFUSED)
        assert "providers.one cannot leave while it is switched on" in running.complained
        written.write(route="two", one_enabled="false")
        reload(running)
        written.write(route="two", names=("two",))
        reload(running, REFUSED)
        assert "providers.one cannot leave while something of it is open (2 now)" in running.complained
        assert redeem(stubs).provider == "two"
        for one in stubs.transactions.ListTransactions(v1.ListTransactionsRequest()).transactions:
            confirm = v1.ConfirmRedeemRequest(transaction_id=one.transaction_id)
            stubs.gift_cards.ConfirmRedeem(confirm, timeout=PATIENCE_S)
        reload(running)
        assert [
            one.provider for one in stubs.providers.ListProviders(v1.ListProvidersRequest()).providers
        ] == ["two"]
        assert str(SETTINGS["password"]) not in running.complained
        assert running.stop() == 0
    audited = run("audit", "export", "--config", "gateway.toml", folder=tmp_path)
    acts = re.findall(r'"act":\s*"(config_\w+)"', audited.stdout)
    assert acts == ["config_refused"] * 3 + ["config_reloaded", "config_refused", "config_reloaded"]


@pytest.mark.postgres
async def test_every_worker_hears_of_it(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """SIGHUP reaches each of two workers, and one that replaces a dead one has what was taken last.

    So does a change of the secret's link alone, where the files are watched.
    """
    written = Written(tmp_path, free_port(), await postgres_server.create_database(), workers=2, watch_s=0.2)
    written.password(str(SETTINGS["password"]))
    written.write()
    assert run("migrate", "--config", "gateway.toml", folder=tmp_path).returncode == 0
    with serving(written) as running:
        running.wait_until(lambda: running.complained.count("serves on") == 2)
        written.write(route="two")
        reload(running, times=2)
        first = min(workers_of(running))
        os.kill(first, signal.SIGKILL)
        running.wait_until(lambda: running.complained.count("serves on") == 3)
        assert {_routed(written) for _ in range(6)} == {"two"}
        said = running.complained.count(TAKEN)
        written.password("a-wrong-password")
        running.wait_until(lambda: running.complained.count(TAKEN) == said + 2)
        assert running.stop() == 0
        assert "Traceback" not in running.complained


def _goes_on(done: Sequence[object], before: int, shops: Sequence[Future[None]]) -> bool:
    """Tell whether a till got further, or failed."""
    return len(done) > before or any(one.done() for one in shops)


def _routed(written: Written) -> str:
    """Return where a call on a connection of its own is routed to."""
    with grpc.insecure_channel(
        f"127.0.0.1:{written.port}", [("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        return redeem(Stubs(channel)).provider
