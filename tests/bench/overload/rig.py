"""A gateway in a process of its own beside a provider that costs nothing, and what both know afterwards."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.overload.callers import PAN
from tests.e2e.processes import Running, environment, free_port, started
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
_CONFIGURATION = """
[server]
listen = "127.0.0.1:{port}"
trusted_proxies = ["127.0.0.0/8"]
{server}
[journal]
url = "sqlite:///journal.db"
[seal]
active = "bench"
hash_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
[seal.keys]
bench = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="
[limits]
calls_in_flight = 100000
calls_per_s = 100000
money_per_s = 100000
[routing]
default = "electrum"
[providers.electrum]
adapter = "giftcard_adapters.electrum:Electrum"
prefixes = ["60450"]
[providers.electrum.settings]
base_url = "http://127.0.0.1:{provider}/giftcard/v3"
institution_id = "70000001"
institution_name = "Bench"
password = "bench"
terminal_id = "12345678"
merchant_id = "123456789012345"
merchant_category_code = "5411"
merchant_name = "Bench Store"
merchant_city = "Cape Town"
merchant_region = "WC"
merchant_country = "ZA"
"""


@dataclass
class Rig:
    """A gateway that serves."""

    gateway: Running
    address: str

    def cpu_s(self) -> float:
        """Return the CPU seconds the gateway has used, to the nanosecond."""
        return time.clock_gettime((~self.gateway.process.pid << 3) | 2)


@dataclass
class Known:
    """What is known of transactions after all is over, by their ids."""

    asked: list[str]
    """Those the provider was asked, as often as it was."""
    written: set[str]
    """Those in the journal."""


@contextmanager
def rig(folder: Path, server: str = "") -> Iterator[tuple[Rig, Known]]:
    """Start both in a folder, with more lines for [server]; what is known is filled in at the end."""
    port, known = free_port(), Known([], set())
    (folder / "gateway.toml").write_text(
        _CONFIGURATION.format(port=port, provider=port + 1, server=server), encoding="ascii"
    )
    asked = folder / "asked"
    provider = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.overload.provider", str(port + 1), str(asked)],
        cwd=ROOT,
        env=environment({"PYTHONPATH": str(ROOT)}),
    )
    try:
        with started("serve", "--config", "gateway.toml", folder=folder) as running:
            running.wait_until(lambda: "serves on" in running.said + running.complained)
            yield Rig(running, f"127.0.0.1:{port}"), known
    finally:
        provider.terminate()
        provider.wait(PATIENCE_S)
    known.asked += asked.read_text(encoding="ascii").split()
    with sqlite3.connect(folder / "journal.db") as journal:
        known.written |= {one for (one,) in journal.execute("SELECT transaction_id FROM transactions")}


def machine() -> str:
    """Return what else the machine does, for beside a figure."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


__all__ = ["PAN", "Known", "Rig", "machine", "rig"]
