"""What signing in costs: the gateway's CPU time for a redemption, plain, over TLS, and with each credential.

The simulators and the caller are processes of their own, so only the gateway is counted. The ways take turns,
so that what else the machine does falls on all of them. Run it as `python -m tests.bench.signed_in`.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from giftcard import Client, new_transaction_id, tls_credentials
from giftcard_simulators.catalogue import PORT
from giftcard_simulators.electrum import SANDBOX
from tests.e2e.processes import Running, free_port, run, started
from tests.gateway.access.issuing import AUDIENCE, ISSUER, Issuing
from tests.world.app import HASH_KEY, KEY
from tests.world.certificates import Authority

PAN = "6045000000000061"
CALLS, ROUNDS = 500, 7
TILL = "spiffe://shop.example/till-7"


class Way:
    """One way to call, and the gateway that takes it."""

    def __init__(self, running: Running, client: Client) -> None:
        """Begin with nothing measured."""
        self._client = client
        self._pid = running.process.pid
        self.costs_us: list[float] = []

    def measure(self) -> None:
        """Redeem many times and note what one cost the gateway."""
        before_s = self._cpu_s()
        for _ in range(CALLS):
            self._client.redeem(transaction_id=new_transaction_id(), card=PAN, amount="0.01", currency="ZAR")
        self.costs_us.append((self._cpu_s() - before_s) / CALLS * 1e6)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def configuration(folder: Path, simulators: int, *tables: str) -> tuple[Path, str]:
    """Write a gateway's configuration; return the file and where it will listen."""
    folder.mkdir()
    address, file = f"127.0.0.1:{free_port()}", folder / "gateway.toml"
    provider = f"""
[server]
listen = "{address}"
[journal]
url = "sqlite:///{folder}/journal.db"
[telemetry]
log_level = "error"
[seal]
active = "k"
keys = {{ k = "{KEY}" }}
hash_key = "{HASH_KEY}"
[providers.electrum]
adapter = "{SANDBOX.adapter}"
prefixes = ["60450"]
[providers.electrum.settings]
base_url = "http://127.0.0.1:{simulators + SANDBOX.port - PORT}{SANDBOX.base_path}"
"""
    settings = "\n".join(f"{key} = {_toml(value)}" for key, value in SANDBOX.settings().items())
    file.write_text("\n".join([provider, settings, *tables]), encoding="utf-8")
    return file, address


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def ways(folder: Path, stack: ExitStack) -> dict[str, Way]:
    """Start a gateway for each way to call."""
    simulators, authority = free_port(), Authority(folder)
    server, till = authority.issue("server", "127.0.0.1"), authority.issue("till", TILL)
    (folder / "simulators").mkdir()
    running = stack.enter_context(started("sandbox", "--port", str(simulators), folder=folder / "simulators"))
    running.wait_until(lambda: "_sandbox/cards" in running.said)
    issuing = Issuing(folder)
    tls = f'[server.tls]\ncertificate_file = "{server.certificate}"\nkey_file = "{server.key}"'
    keys = "[access]\napi_keys = true"
    issuer = f'[access.issuers.i]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\njwks_file = "{issuing.file}"'
    mutual = f'{tls}\nclient_ca_file = "{authority.file}"'
    grant = f'[access.certificates."{TILL}"]\nname = "till-7"\nscopes = ["giftcard.money"]'
    trusted = authority.file.read_bytes()
    plain = tls_credentials(trusted)
    shown = tls_credentials(trusted, certificate=till.certificate.read_bytes(), key=till.key.read_bytes())
    token = issuing.token(exp=int(issuing.clock.now().timestamp()) + 7200)
    found: dict[str, Way] = {}
    for name, tables, credentials, shows in (
        ("plain, nobody signs in", (), None, ""),
        ("TLS, nobody signs in", (tls,), plain, ""),
        ("TLS and an API key", (tls, keys), plain, "key"),
        ("TLS and a token", (tls, issuer), plain, token),
        ("mutual TLS, by certificate", (mutual, grant), shown, ""),
    ):
        place = folder / name.replace(" ", "-").replace(",", "")
        file, address = configuration(place, simulators, *tables)
        gateway = stack.enter_context(started("serve", "--config", str(file), folder=place))
        gateway.wait_until(lambda: "serves on" in gateway.complained)  # noqa: B023 - asked at once
        made = ("keys", "create", "till-7", "--scope", "money", "--config", str(file))
        credential = run(*made, folder=place).stdout.strip() if shows == "key" else shows
        client = Client(
            address, credentials=credentials, plaintext=credentials is None, token=credential or None
        )
        found[name] = Way(gateway, stack.enter_context(client))
    return found


def main() -> int:
    """Measure every way in turn and print a table."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        measured = ways(Path(folder), stack)
        for _ in range(ROUNDS + 1):
            for way in measured.values():
                way.measure()
        # The first round warms up.
        costs = {name: statistics.median(way.costs_us[1:]) for name, way in measured.items()}
    first = next(iter(costs.values()))
    sys.stdout.write("| way | CPU a redemption, µs | ratio |\n|---|---|---|\n")
    for name, cost_us in costs.items():
        sys.stdout.write(f"| {name} | {cost_us:.0f} | {cost_us / first:.2f} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
