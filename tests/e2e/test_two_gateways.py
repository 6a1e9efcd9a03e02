"""Two gateways over one PostgreSQL journal lose one under load: callers go on, and the money is counted.

Once by clients that spread their calls themselves, once through the real Envoy. What is lost is killed, or
told to stop; the provider's books tell afterwards what every redemption came to.
"""

from __future__ import annotations

import json
import signal
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from giftcard import CHANNEL_OPTIONS, CallError, Client, is_final, new_transaction_id, v1
from giftcard.v1.gift_card_service_pb2_grpc import GiftCardServiceStub
from giftcard_simulators.catalogue import SANDBOXES
from tests.e2e.envoys import door, wait_until
from tests.e2e.processes import Running, free_port, run, started
from tests.e2e.sandboxes import ELECTRUM, Sandbox, redemption
from tests.e2e.test_workers import TOML, simulators
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres
RICH = "6045000000000111"
CALLERS = 4
PACE_S = 0.05
"""Between two redemptions of a caller: together they stay below what the door gives an address a second."""
FEW = 20
"""Redemptions that must have been answered before something happens, and again after it."""
TERMS = """
[providers.shop.terms]
lease_margin_s = 1.0
settling_s = 2.0
retry_base_s = 0.05
retry_cap_s = 0.5
"""
"""What a gateway that died held is free within seconds."""
APPROVED = v1.TransactionState.TRANSACTION_STATE_APPROVED


@dataclass
class Pair:
    """Two gateways that serve, and the provider behind them."""

    gateways: list[Running]
    ports: list[int]
    scraped: list[int]
    provider: Sandbox

    @property
    def target(self) -> str:
        """Both, as a name that resolves to several addresses gives them."""
        return f"ipv4:{','.join(f'127.0.0.1:{port}' for port in self.ports)}"

    def redeemed(self) -> list[int]:
        """Return how many redemptions each gateway has answered, by its own metrics."""
        return [redemptions_in(scrape(port)) for port in self.scraped]

    def balance(self) -> int:
        """Return what the card has left by the provider's own books, in minor units."""
        (card,) = (one for one in self.provider.get(ELECTRUM, "cards") if RICH in one.values())
        amount = card["available_minor"]
        assert isinstance(amount, int)
        return amount


def scrape(port: int) -> str:
    """Return what a gateway tells Prometheus."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
        text: bytes = answer.read()
    return text.decode()


def redemptions_in(text: str) -> int:
    """Return how many calls of Redeem are counted, however they ended."""
    lines = (one for one in text.splitlines() if one.startswith("rpc_server_call_duration_seconds_count{"))
    return sum(int(float(one.rpartition(" ")[2])) for one in lines if "GiftCardService/Redeem" in one)


@contextmanager
def pair(
    folder: Path, journal: str, lame_duck_s: float, hosts: tuple[str, str] = ("127.0.0.1", "127.0.0.1")
) -> Iterator[Pair]:
    """Start the provider and two gateways that share a journal; on two hosts they have the same port."""
    first, ports = free_port(), [free_port(), free_port()]
    scraped = [port + 1 for port in ports]
    if hosts[0] != hosts[1]:
        ports[1] = ports[0]
    text = TOML.format(port=first, simulator=first + ELECTRUM, journal=journal).replace("workers = 2", "")
    own = "".join(f"{key} = {json.dumps(value)}\n" for key, value in SANDBOXES[0].settings().items())
    (folder / "gateway.toml").write_text(text + own + TERMS, encoding="utf-8")
    migrated = run("migrate", "--config", "gateway.toml", folder=folder)
    assert migrated.returncode == 0, migrated.stderr
    with ExitStack() as stack:
        playing = stack.enter_context(simulators(folder, first))
        gateways = []
        for number, port in enumerate(ports):
            own_folder = folder / f"gateway-{number}"
            own_folder.mkdir()
            environ = {
                "GIFTCARD_GATEWAY__SERVER__LISTEN": f"{hosts[number]}:{port}",
                "GIFTCARD_GATEWAY__SERVER__LAME_DUCK_S": str(lame_duck_s),
                "GIFTCARD_GATEWAY__TELEMETRY__PROMETHEUS": f"127.0.0.1:{scraped[number]}",
            }
            words = ("serve", "--config", str(folder / "gateway.toml"))
            gateways.append(stack.enter_context(started(*words, folder=own_folder, environ=environ)))
        for running in gateways:
            running.wait_until(lambda running=running: "serves on" in running.complained)  # type: ignore[misc]  # mypy: a default in a lambda
        yield Pair(gateways, ports, scraped, Sandbox(playing, first))


@dataclass
class Load:
    """Callers that redeem one rand again and again."""

    stopped: threading.Event = field(default_factory=threading.Event)
    told: list[v1.Transaction] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    codes: Counter[grpc.StatusCode] = field(default_factory=Counter)

    def by_client(self, target: str) -> None:
        """Redeem by the client, which repeats what may be repeated."""
        with Client(target, plaintext=True) as client:
            while not self.stopped.wait(PACE_S):
                transaction_id = new_transaction_id()
                try:
                    self.told.append(
                        client.redeem(transaction_id=transaction_id, card=RICH, amount="1.00", currency="ZAR")
                    )
                except CallError as fault:
                    self.unanswered.append(transaction_id)
                    self.codes[fault.code] += 1

    def by_stub(self, target: str) -> None:
        """Redeem by plain gRPC, which repeats nothing that moves money."""
        options = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(target, options=options) as channel:
            stub = GiftCardServiceStub(channel)
            while not self.stopped.wait(PACE_S):
                asked = redemption(RICH)
                try:
                    self.told.append(stub.Redeem(asked, timeout=PATIENCE_S).transaction)
                except grpc.RpcError as fault:
                    self.unanswered.append(asked.transaction_id)
                    self.codes[fault.code()] += 1

    def more(self, running: Running) -> None:
        """Wait for a few more answers."""
        seen = len(self.told)
        running.wait_until(lambda: len(self.told) >= seen + FEW)


def agree(running: Pair, load: Load, before: int) -> None:
    """Hold what every redemption came to in the end against the provider's books."""
    with Client(f"127.0.0.1:{running.ports[1]}", plaintext=True) as client:

        def look(transaction_id: str) -> v1.Transaction | None:
            try:
                return client.get_transaction(transaction_id=transaction_id)
            except CallError as fault:
                # Of one that nobody heard of, no money was moved: the books below tell.
                assert fault.code == grpc.StatusCode.NOT_FOUND  # noqa: PT017 - any other is a fault of the test
                return None

        def has_ended(transaction_id: str) -> bool:
            now = look(transaction_id)
            return now is None or now.state == APPROVED or is_final(now)

        asked = [one.transaction_id for one in load.told] + load.unanswered
        for transaction_id in asked:
            running.gateways[1].wait_until(lambda one=transaction_id: has_ended(one))  # type: ignore[misc]  # as above
        ended = {one: look(one) for one in asked}
    approved = [one for one, now in ended.items() if now is not None and now.state == APPROVED]
    assert {one.transaction_id for one in load.told if one.state == APPROVED} <= set(approved)
    assert len(approved) >= 2 * FEW
    assert running.balance() == before - 100 * len(approved)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_clients_that_spread_their_calls(
    tmp_path: Path, postgres_server: PostgresServer, number: signal.Signals
) -> None:
    """By the shipped service config each has its share of calls; when one is gone they go to the other."""
    load = Load()
    journal = await postgres_server.create_database()
    with pair(tmp_path, journal, 0.0) as running, ThreadPoolExecutor(CALLERS) as hands:
        before, (lost, kept) = running.balance(), running.gateways
        lives = [hands.submit(load.by_client, running.target) for _ in range(CALLERS)]
        try:
            load.more(kept)
            assert min(shares := running.redeemed()) > sum(shares) / 4
            lost.send(number)
            assert lost.ended() == (0 if number == signal.SIGTERM else -signal.SIGKILL)
            load.more(kept)
        finally:
            load.stopped.set()
        for life in lives:
            life.result(PATIENCE_S)
        assert not load.codes
        agree(running, load, before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_behind_envoy(tmp_path: Path, postgres_server: PostgresServer, number: signal.Signals) -> None:
    """Told to stop, a gateway is missed by no caller; killed, by those alone whose calls were under way."""
    load = Load()
    journal = await postgres_server.create_database()
    with (
        pair(tmp_path, journal, 10.0) as running,
        door(tmp_path / "door", *running.ports) as front,
        ThreadPoolExecutor(CALLERS) as hands,
    ):
        before, (lost, kept) = running.balance(), running.gateways
        lives = [hands.submit(load.by_stub, f"127.0.0.1:{front.ports['plain']}") for _ in range(CALLERS)]
        try:
            load.more(kept)
            lost.send(number)
            lost.ended()
            load.more(kept)
        finally:
            load.stopped.set()
        for life in lives:
            life.result(PATIENCE_S)
        wait_until(front, lambda: front.ask("/healthz").status == 200)
        if number == signal.SIGTERM:
            assert not load.codes
        else:
            assert set(load.codes) <= {grpc.StatusCode.UNAVAILABLE}
        agree(running, load, before)
