"""deploy/compose.yaml: what it says is well made, and its services run from exactly that."""

from __future__ import annotations

import json
import re
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from giftcard import Client, new_transaction_id, v1
from giftcard_simulators.catalogue import SANDBOXES
from tests.deploy.composed import OTHERS, RECIPE, SANDBOX, Composed, mounts, services
from tests.deploy.tools import DEPLOY, ran, tool
from tests.e2e.collectors import collector_program
from tests.e2e.processes import Running
from tests.patience import PATIENCE_S

PAN = "6045000000000061"
OURS = {"giftcard-gateway", "giftcard-sandbox"}
APPROVED = {"TRANSACTION_STATE_APPROVED"}


def of_prometheus(port: int, path: str) -> Any:  # noqa: ANN401 - plain JSON has no narrower type
    """Return what Prometheus answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=PATIENCE_S) as answer:
        return json.load(answer)["data"]


def healths(port: int) -> dict[str, str]:
    """Return how Prometheus finds each address that it asks."""
    try:
        return {
            one["labels"]["instance"]: one["health"]
            for one in of_prometheus(port, "targets")["activeTargets"]
        }
    except OSError:
        return {}


def answers(running: Running, port: int) -> Iterator[str]:
    """Yield what ten redemptions by Envoy came to, once it finds a gateway well."""
    with Client(f"127.0.0.1:{port}", plaintext=True) as client:
        running.wait_until(lambda: _is_well(port))
        for _ in range(10):
            redeemed = client.redeem(
                transaction_id=new_transaction_id(), card=PAN, amount="1.00", currency="ZAR"
            )
            yield v1.TransactionState.Name(redeemed.state)


def _is_well(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_it_has_the_form_of_compose() -> None:
    """Compose's own schema takes it."""
    words = ("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(RECIPE))
    done = ran(sys.executable, *words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_reached_from_elsewhere() -> None:
    """All share one network, whose ports are open to this machine alone."""
    made = services()
    assert {one["network_mode"] for name, one in made.items() if name != "room"} == {"service:room"}
    assert [name for name, one in made.items() if "ports" in one] == ["room"]
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", one) for one in made["room"]["ports"])


def test_images_are_pinned_and_files_are_there() -> None:
    """Each image of others has a version, and no registry's name; what is mounted is in the checkout."""
    for service in services().values():
        if service["image"] not in OURS:
            assert re.fullmatch(r"([a-z]+/)?[a-z-]+:v?\d+\.\d+(\.\d+)?", service["image"])
        for source in mounts(service).values():
            assert not source.startswith("./") or (DEPLOY / source).exists()


def test_the_provider_is_the_simulator_s() -> None:
    """The gateways' provider has the settings and cards of the simulated one."""
    text = (DEPLOY / "compose/gateway.toml").read_text(encoding="utf-8")
    (name, provider), *_ = tomllib.loads(text)["providers"].items()
    sandbox = SANDBOXES[0]
    assert (name, provider["prefixes"]) == (sandbox.provider_id, list(sandbox.prefixes))
    assert provider["settings"].pop("base_url") == f"http://127.0.0.1:{sandbox.port}{sandbox.base_path}"
    assert provider["settings"] == sandbox.settings()


def test_every_port_is_moved() -> None:
    """No port of a service is one that a test would leave as it is."""
    told = RECIPE.read_text(encoding="utf-8")
    told += "".join(one.read_text(encoding="utf-8") for one in (DEPLOY / "compose").glob("*.*ml"))
    ports = {int(one) for one in re.findall(r":(\d{4,5})\b", told)}
    assert ports <= {*OTHERS, *range(SANDBOX, SANDBOX + 30)}


def test_grafana_is_given_what_is_there() -> None:
    """Its data source is where Prometheus listens, and the dashboards are where it is told to look."""
    inside = mounts(services()["grafana"])
    sources, boards = (
        yaml.safe_load((DEPLOY / "compose" / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("datasources", "dashboards")
    )
    listens = next(one for one in services()["prometheus"]["command"] if "listen-address" in one)
    assert sources["datasources"][0]["url"].rpartition(":")[2] == listens.rpartition(":")[2]
    folder = DEPLOY / inside[boards["providers"][0]["options"]["path"]]
    assert len(list(folder.glob("*.json"))) == 4


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """Promtool reads it with its rules, where the service has them."""
    here = Composed(tmp_path)
    (config, *_) = here.words("prometheus")
    done = ran(tool("promtool"), "check", "config", config.partition("=")[2])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.postgres
def test_it_runs(tmp_path: Path) -> None:
    """Redemptions by Envoy are approved by both gateways, which Prometheus finds up, and Envoy too."""
    here = Composed(tmp_path)
    with here.all() as running:
        assert set(answers(running["envoy"], here.ports[8080])) == APPROVED
        asked = {f"127.0.0.1:{here.ports[port]}": "up" for port in (9464, 9465, 9901)}
        running["prometheus"].wait_until(lambda: healths(here.ports[9090]) == asked)
        query = "query?query=sum%20by%20(instance)%20(rpc_server_call_duration_seconds_count)"
        both = {f"127.0.0.1:{here.ports[port]}" for port in (9464, 9465)}

        def seen() -> set[str]:
            # Envoy may have found one gateway well before the other: by now both have their share.
            client.balance(card=PAN)
            return {one["metric"]["instance"] for one in of_prometheus(here.ports[9090], query)["result"]}

        with Client(f"127.0.0.1:{here.ports[8080]}", plaintext=True) as client:
            running["prometheus"].wait_until(lambda: seen() == both)
        groups = of_prometheus(here.ports[9090], "rules")["groups"]
        assert groups
        assert [rule["lastError"] for one in groups for rule in one["rules"] if rule.get("lastError")] == []


def test_spans_reach_jaeger_s_place(tmp_path: Path) -> None:
    """The collector hands spans to where Jaeger takes them: there another collector writes them down."""
    here, program = Composed(tmp_path), collector_program()
    written = tmp_path / "spans.jsonl"
    settings = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{here.ports[4317]}"}}}},
        "exporters": {"file": {"path": str(written)}},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
        },
    }
    with (
        here.process("jaeger", program, f"--config=yaml:{json.dumps(settings)}") as jaeger,
        here.process("collector", program, *here.words("collector")) as middle,
    ):
        for one in (jaeger, middle):
            one.wait_until(lambda one=one: "Everything is ready" in one.complained)  # type: ignore[misc]  # mypy: a default in a lambda
        with here.all() as running:
            assert set(answers(running["envoy"], here.ports[8080])) == APPROVED
            middle.wait_until(
                lambda: written.exists() and "GiftCardService/Redeem" in written.read_text(encoding="utf-8")
            )
