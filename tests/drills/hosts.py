"""Hosts: gateways on one journal, each with a configuration of its own, beside simulators that outlive them.

A sandbox has one gateway, and its simulators die with it. Drills of keys, backups and standbys need neither.
"""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from giftcard import Client
from giftcard_simulators.catalogue import SANDBOXES
from tests.drills.providers import ONCE
from tests.drills.stage import DrillFailed, Scene, Stage, prometheus
from tests.e2e.processes import Running, free_port, run, started
from tests.e2e.sandboxes import ELECTRUM, Sandbox

PROVIDER = "electrum-sandbox"
TOML = """
[server]
listen = "127.0.0.1:{port}"
drain_s = 5

[journal]
url = "{journal}"

[telemetry]
prometheus = "127.0.0.1:{metrics}"

[seal]
active = "{active}"
hash_key = "{hash_key}"
keys = {{ {keys} }}

[providers.electrum-sandbox]
adapter = "giftcard_adapters.electrum:Electrum"
prefixes = ["60450"]

[providers.electrum-sandbox.terms]
lease_margin_s = 1
retry_cap_s = 1
settling_s = 3

[providers.electrum-sandbox.settings]
base_url = "http://127.0.0.1:{simulator}/giftcard/v3"
timeout_s = 5
"""


def made_up(name: str) -> str:
    """Return a key of 32 bytes in base64 that is the same for the same name."""
    return base64.b64encode(name.encode().ljust(32, b".")).decode()


@dataclass
class Host:
    """One gateway, its folder, and the keys that it is given when it starts."""

    folder: Path
    port: int
    metrics: int
    keys: tuple[str, ...] = ("old",)
    active: str = "old"
    running: Running | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    @property
    def address(self) -> str:
        """Where it is called."""
        return f"127.0.0.1:{self.port}"

    def till(self) -> Client:
        """Return a caller of this host who asks once."""
        return Client(self.address, plaintext=True, policy=ONCE)

    def start(self) -> None:
        """Start it on what is configured, and wait until it serves."""
        self.running = self._open.enter_context(
            started("serve", "--config", "gateway.toml", folder=self.folder)
        )
        running = self.running
        running.wait_until(lambda: "serves on" in running.complained)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.running is None:
            raise DrillFailed("no gateway runs")
        self.running.send(number)

    def stop(self) -> None:
        """Stop it in good order."""
        if self.running is not None and self.running.stop() != 0:
            raise DrillFailed("a gateway did not stop in good order")
        self.running = None
        self._open.close()

    def kill(self) -> None:
        """End it as a machine that loses power does."""
        if self.running is not None:
            self.running.send(signal.SIGKILL)
            self.running.ended()
        self.running = None
        self._open.close()


@dataclass
class Hosts:
    """Hosts that serve over one journal, and the scene around them."""

    stage: Stage
    scene: Scene
    journal: str
    hosts: list[Host]

    def configure(self, host: Host, *, keys: tuple[str, ...] = (), active: str = "") -> None:
        """Write a host's configuration anew; what is left empty stays as it was."""
        host.keys, host.active = keys or host.keys, active or host.active
        text = TOML.format(
            port=host.port,
            metrics=host.metrics,
            journal=self.journal,
            simulator=self.scene.sandbox.port + ELECTRUM,
            active=host.active,
            hash_key=made_up("hash"),
            keys=", ".join(f'{key} = "{made_up(key)}"' for key in host.keys),
        )
        text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in SANDBOXES[0].settings().items())
        (host.folder / "gateway.toml").write_text(text, encoding="utf-8")
        # What is typed, is typed in the drill's folder, with the first host's configuration.
        if host is self.hosts[0]:
            (self.stage.folder / "gateway.toml").write_text(text, encoding="utf-8")

    def roll(self, *, keys: tuple[str, ...] = (), active: str = "") -> None:
        """Give every host a new configuration, one after the other, so that one always serves."""
        for host in self.hosts:
            host.stop()
            self.configure(host, keys=keys, active=active)
            host.start()


@contextmanager
def hosts(stage: Stage, journal: str, *, number: int = 2) -> Iterator[Hosts]:
    """Start simulators, so many gateways on a journal that is migrated first, and a Prometheus for all."""
    ports = [free_port() for _ in range(number)]
    made = [Host(stage.folder / f"host{n}", port, free_port()) for n, port in enumerate(ports, 1)]
    beside = stage.folder / "simulators"
    for folder in (beside, *(host.folder for host in made)):
        folder.mkdir()
    with ExitStack() as stack:
        playing = stack.enter_context(started("sandbox", "--port", str(ports[0]), folder=beside))
        playing.wait_until(lambda: "/_sandbox/reset" in playing.said)
        metrics = [host.metrics for host in made]
        address = stack.enter_context(prometheus(stage.folder, *metrics))
        scene = Scene(stage, Sandbox(playing, ports[0]), address, metrics[0])
        together = Hosts(stage, scene, journal, made)
        for host in made:
            together.configure(host)
        migrated = run("migrate", "--config", "gateway.toml", folder=made[0].folder)
        if migrated.returncode != 0:
            raise DrillFailed(migrated.stderr)
        for host in made:
            stack.callback(host.kill)
            host.start()
        stage.until(
            lambda: len(scene.asked("sum by (instance) (giftcard_circuit_state)")) == number,
            "the first scrape",
        )
        yield together
