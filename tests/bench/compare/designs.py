"""The designs that are compared, and how each is started: those by hand, and the gateway on both journals."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from tests.bench.compare.rig import PYTHON, Rig, Serving
from tests.e2e.processes import environment
from tests.world.app import HASH_KEY, KEY

BY_HAND = ("noop", "strong", "naive", "usual")
GATEWAYS = ("gateway-sqlite", "gateway-postgres")
ALL = (*BY_HAND, *GATEWAYS)
GATEWAY = (str(PYTHON), "-m", "giftcard_gateway")
EVERYTHING = {"OTEL_TRACES_SAMPLER": "parentbased_always_on"}
"""Every span, all metrics, lines and the audit."""
_PATH = "/giftcard/v3"
_CONFIGURATION = """
[server]
listen = "127.0.0.1:{port}"
workers = {workers}
[access]
api_keys = true
[journal]
url = "{journal}"
{journal_lines}
[seal]
active = "bench"
keys = {{ bench = "{key}" }}
hash_key = "{hash_key}"
[telemetry]
log_format = "json"
[limits]  # budgets are kept, and wide enough for a machine that is one caller
calls_in_flight = 4096
calls_per_s = 100000
money_per_s = 100000
[routing]
default = "electrum"
[providers.electrum]
adapter = "giftcard_adapters.electrum:Electrum"
prefixes = ["60450"]
limits = {{ connections = 256 }}
terms = {{ confirm_by_s = 86400 }}
[providers.electrum.settings]
base_url = "{provider}"
institution_id = "70000001"
institution_name = "Bench"
password = "x"
terminal_id = "12345678"
merchant_id = "123456789012345"
merchant_category_code = "5411"
merchant_name = "Bench Store"
merchant_city = "Cape Town"
merchant_region = "WC"
merchant_country = "ZA"
"""


def start(rig: Rig, design: str) -> Serving:
    """Start a design."""
    if design in GATEWAYS:
        return gateway(rig, design, design.removeprefix("gateway-"))
    return by_hand(rig, design)


def by_hand(rig: Rig, design: str) -> Serving:
    """Start a server written by hand."""
    port = rig.port()
    journal = rig.database() if design == "usual" else ""
    address = f"{rig.origin}{_PATH}"
    database = [journal.replace("postgresql://", "postgresql+asyncpg://")] if journal else []
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "tests.bench.compare.servers",
        design,
        str(port),
        address,
        *database,
    ]
    began = time.monotonic()
    process = rig.spawn(design, command, {"OTEL_EXPORTER_OTLP_ENDPOINT": rig.origin})
    rig.wait(design, process, "serves")
    took = time.monotonic() - began
    return Serving(design, port, process, journal, started_s=took, heard=rig.folder / f"{design}.ids")


def gateway(
    rig: Rig,
    name: str,
    journal: str,
    *,
    workers: int = 1,
    program: tuple[str, ...] = GATEWAY,
    variables: Mapping[str, str] = EVERYTHING,
    through: Callable[[str], tuple[str, str]] | None = None,
) -> Serving:
    """Start a gateway with all on: API keys, budgets, sealing, and to a collector what `variables` say.

    `through` gives for its database's URL the one to use, and further lines of `[journal]`.
    """
    port = rig.port()
    url = rig.database() if journal == "postgres" else f"sqlite:///{rig.folder}/{name}.db"
    used, journal_lines = through(url) if through else (url, "")
    file = rig.folder / f"{name}.toml"
    file.write_text(
        _CONFIGURATION.format(
            port=port,
            workers=workers,
            journal=used,
            journal_lines=journal_lines,
            key=KEY,
            hash_key=HASH_KEY,
            provider=f"{rig.origin}{_PATH}",
        ),
        encoding="utf-8",
    )
    _run(program, "migrate", file=file)
    key = _run(program, "keys", "create", "bench", "--scope", "money", "--scope", "read", file=file)
    told = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": rig.origin,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        **variables,
    }
    began = time.monotonic()
    process = rig.spawn(name, [*program, "serve", "--config", str(file)], told)
    rig.wait(name, process, "serves on", workers)
    took = time.monotonic() - began
    return Serving(name, port, process, url, key.strip(), took, rig.folder / f"{name}.ids")


def _run(program: tuple[str, ...], *arguments: str, file: Path) -> str:
    command = [*program, *arguments, "--config", str(file)]
    ran = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if ran.returncode:
        raise click.ClickException(f"{' '.join(arguments)}: {ran.stderr}")
    return ran.stdout
