"""The rules by which prometheus-adapter serves what the chart scales on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from giftcard_gateway.telemetry import catalogue
from tests.deploy.tools import DEPLOY, ran, tool

CHART = DEPLOY / "helm" / "giftcard-gateway"
ADAPTER = CHART / "ci" / "prometheus-adapter.yaml"
SCALED_ON = {"custom": catalogue.IN_FLIGHT, "external": catalogue.BACKLOG}
FILLED = {"LabelMatchers": 'namespace="shop"', "GroupBy": "pod"}


def adapter_rules(kind: str) -> list[dict[str, Any]]:
    """Return the adapter's rules of a kind, `custom` or `external`."""
    made: list[dict[str, Any]] = yaml.safe_load(ADAPTER.read_text(encoding="utf-8"))["rules"][kind]
    return made


def filled(rule: dict[str, Any]) -> str:
    """Return a rule's query as the adapter asks it."""
    words = {**FILLED, "Series": rule["seriesQuery"].partition("{")[0]}
    return re.sub(r"<<\.(\w+)>>", lambda one: words[one[1]], rule["metricsQuery"])


def test_the_adapter_serves_metrics_that_exist() -> None:
    """Each rule reads a metric of the catalogue, under its name, with labels that the metric has."""
    for kind, instrument in SCALED_ON.items():
        (rule,) = adapter_rules(kind)
        name = instrument.name.replace(".", "_")
        assert rule["seriesQuery"].partition("{")[0] == name
        assert rule["name"] == {"matches": f"^{name}$", "as": name}
        labels = {label.replace(".", "_") for label in instrument.labels}
        assert set(re.findall(r"\bgiftcard_\w+", filled(rule))) <= labels | {name}


def test_the_adapter_serves_all_that_the_chart_asks_for() -> None:
    """The autoscaler's metrics of pods and from outside are those of the adapter's rules."""
    words = ("template", "shop", str(CHART), "-f", str(CHART / "ci/postgresql-values.yaml"))
    done = ran(tool("helm"), *words, "--kube-version", "1.37.0")
    assert done.returncode == 0, done.stderr
    made = [one for one in yaml.safe_load_all(done.stdout) if one]
    (scaler,) = (one["spec"]["metrics"] for one in made if one["kind"] == "HorizontalPodAutoscaler")
    asked = {
        (one["type"], one[one["type"].lower()]["metric"]["name"]) for one in scaler if "resource" not in one
    }
    served = {("Pods", one["name"]["as"]) for one in adapter_rules("custom")}
    assert asked == served | {("External", one["name"]["as"]) for one in adapter_rules("external")}


def test_the_backlog_is_counted_once(tmp_path: Path) -> None:
    """Two replicas that tell the same backlog count once, without UNRESOLVED; lanes of a pod are added up."""
    (external,), (custom,) = adapter_rules("external"), adapter_rules("custom")
    backlog = 'giftcard_backlog_transactions{namespace="shop",giftcard_provider="p",'
    lane = 'giftcard_call_in_flight{namespace="shop",pod="a",giftcard_lane='
    series = {
        backlog + 'giftcard_state="PENDING",pod="a"}': "7",
        backlog + 'giftcard_state="PENDING",pod="b"}': "7",
        backlog + 'giftcard_state="UNRESOLVED",pod="a"}': "90",
        lane + '"money"}': "2",
        lane + '"reads"}': "3",
    }
    expected = [(filled(external), "{}", 7), (filled(custom), '{pod="a"}', 5)]
    played = {
        "input_series": [{"series": name, "values": value} for name, value in series.items()],
        "promql_expr_test": [
            {"expr": expr, "eval_time": "0m", "exp_samples": [{"labels": labels, "value": value}]}
            for expr, labels, value in expected
        ],
    }
    play = tmp_path / "play.yaml"
    play.write_text(yaml.safe_dump({"tests": [played]}), encoding="utf-8")
    done = ran(tool("promtool"), "test", "rules", str(play))
    assert done.returncode == 0, done.stdout + done.stderr
