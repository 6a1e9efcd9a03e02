"""The chart as Helm renders it: valid for Kubernetes, refusing what cannot be, with the rules of here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.custom_resources import KINDS, faults_in
from tests.deploy.tools import DEPLOY, ran, tool

CHART = DEPLOY / "helm" / "giftcard-gateway"
VALUES = sorted(CHART.glob("ci/*-values.yaml"))
KUBERNETES = ("1.35", "1.36", "1.37")
RUNS = {"Deployment", "Job"}


def rendered(values: Path, *more: str) -> str:
    """Return the manifests that values make."""
    words = ("template", "shop", str(CHART), "-f", str(values), "--kube-version", "1.37.0", *more)
    done = ran(tool("helm"), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifests(values: Path) -> list[dict[str, Any]]:
    """Return the same, read."""
    return [one for one in yaml.safe_load_all(rendered(values)) if one]


@pytest.mark.parametrize("values", VALUES, ids=lambda one: one.stem)
def test_manifests_are_valid(values: Path, tmp_path: Path) -> None:
    """Helm's linter is content; manifests fit Kubernetes' schemas in three versions, or the operator's."""
    linted = ran(tool("helm"), "lint", "--strict", str(CHART), "-f", str(values), "--kube-version", "1.37.0")
    assert linted.returncode == 0, linted.stdout
    made = manifests(values)
    assert [fault for one in made if one["kind"] in KINDS for fault in faults_in(one)] == []
    own = [one for one in made if one["kind"] not in KINDS]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(own), encoding="utf-8")
    for version in KUBERNETES:
        words = ("-k", version, "--strict", str(tmp_path / "all.yaml"))
        done = ran(tool("kubernetes-validate"), *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARN" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "place", "name", "value"),
    [
        ("ServiceMonitor", ["spec", "endpoints", 0], "intervall", "30s"),
        ("ServiceMonitor", ["spec", "endpoints", 0], "interval", "half a minute"),
        ("ServiceMonitor", ["spec", "endpoints", 0], "port", 9464),
        ("ServiceMonitor", ["spec", "selector"], "matchLabel", {}),
        ("PrometheusRule", ["spec", "groups", 0], "rule", []),
        ("PrometheusRule", ["spec", "groups", 0, "rules", 0], "exp", "up"),
        ("PrometheusRule", ["spec", "groups", 0, "rules", 0], "for", "a while"),
    ],
)
def test_what_the_operator_does_not_know_is_seen(
    kind: str, place: list[str | int], name: str, value: object
) -> None:
    """A field that prometheus-operator would drop, or cannot read, is told with its place."""
    made = manifests(CHART / "ci/postgresql-values.yaml")
    (manifest,) = (one for one in made if one["kind"] == kind)
    inside: Any = manifest
    for step in place:
        inside = inside[step]
    inside[name] = value
    (fault,) = faults_in(manifest)
    assert name in fault


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("sqlite", "replicas=2", "one pod's alone"),
        ("sqlite", "autoscaling.enabled=true", "one pod's alone"),
        ("postgresql", "insecure=false", "without TLS"),
        ("postgresql", "config=", "config is empty"),
        ("postgresql", "autoscaling.min=30", "above autoscaling.max"),
        ("postgresql", "replica=2", "replica"),
        ("mutual", "tls.secret=", "without TLS"),
        ("mutual", "insecure=true", "set one of them"),
        ("sqlite", "env.GIFTCARD_GATEWAY__SERVER__LISTEN=0.0.0.0:1", "is set by the chart"),
        ("sqlite", "secretEnv.GIFTCARD_GATEWAY__JOURNAL__URL.secret=a", "/secretEnv/"),
        ("postgresql", "env.SEAL_KEY=plain", "SEAL_KEY is in env and in secretEnv"),
        ("postgresql", "disruption.maxUnavailable=some", "/disruption/maxUnavailable"),
        ("postgresql", "disruption.maxUnavailable=-1", "/disruption/maxUnavailable"),
        ("sqlite", "resources.limit.memory=1Gi", "'limit' not allowed"),
        ("sqlite", "resources.limits.memory=lots", "/resources/limits/memory"),
        ("sqlite", "image.repository=Giftcard Gateway", "/image/repository"),
        ("sqlite", "networkPolicy.callers[0].podSelectr.a=b", "'podSelectr' not allowed"),
        ("sqlite", "podAnnotations.checksum/config=mine", "/podAnnotations"),
    ],
)
def test_what_cannot_be_is_refused(name: str, change: str, sentence: str) -> None:
    """Values that make no gateway are refused with a sentence, and so are values nobody knows."""
    values = CHART / "ci" / f"{name}-values.yaml"
    words = ("template", "shop", str(CHART), "-f", str(values), "--kube-version", "1.37.0", "--set", change)
    done = ran(tool("helm"), *words)
    assert done.returncode != 0
    assert sentence in done.stderr


@pytest.mark.parametrize("values", VALUES, ids=lambda one: one.stem)
def test_no_pod_can_do_more_than_it_must(values: Path) -> None:
    """No pod is root, writes to its root or has a token; no secret is made by the chart."""
    made = manifests(values)
    assert "Secret" not in {one["kind"] for one in made}
    pods = [one["spec"]["template"]["spec"] for one in made if one["kind"] in RUNS]
    assert pods
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        for one in (*pod["containers"], *pod.get("initContainers", ())):
            assert one["securityContext"]["readOnlyRootFilesystem"]
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("values", VALUES, ids=lambda one: one.stem)
def test_no_variable_is_set_twice(values: Path) -> None:
    """Each variable of each container has one value: of two, Kubernetes takes the last without a word."""
    for pod in (one["spec"]["template"]["spec"] for one in manifests(values) if one["kind"] in RUNS):
        for one in (*pod["containers"], *pod.get("initContainers", ())):
            names = [each["name"] for each in one["env"]]
            assert names
            assert sorted(set(names)) == sorted(names)


def test_every_pod_goes_where_the_shop_says(tmp_path: Path) -> None:
    """Migrations and `helm test` run on the nodes that the gateway does, and pull by the same secrets."""
    where = {
        "nodeSelector": {"pool": "payments"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "pull"}],
    }
    more = tmp_path / "where.yaml"
    more.write_text(yaml.safe_dump(where), encoding="utf-8")
    text = rendered(CHART / "ci/postgresql-values.yaml", "-f", str(more))
    made = [one for one in yaml.safe_load_all(text) if one]
    pods = [one["spec"]["template"]["spec"] for one in made if one["kind"] in RUNS]
    pods += [one["spec"] for one in made if one["kind"] == "Pod"]
    assert [{key: pod.get(key) for key in where} for pod in pods] == [where] * 3


def test_the_network_lets_in_who_tests() -> None:
    """Where callers are named, the pod of `helm test` may call too, and it is the one that is labelled so."""
    named = "networkPolicy.callers[0].podSelector.matchLabels.app=till"
    made = [
        one for one in yaml.safe_load_all(rendered(CHART / "ci/sqlite-values.yaml", "--set", named)) if one
    ]
    (policy,) = (one["spec"] for one in made if one["kind"] == "NetworkPolicy")
    (test,) = (one["metadata"]["labels"] for one in made if one["kind"] == "Pod")
    till, tester = (one["podSelector"]["matchLabels"] for one in policy["ingress"][0]["from"])
    assert till == {"app": "till"}
    assert tester.items() <= test.items()


def test_a_pod_has_time_to_stop() -> None:
    """The grace period is the lame duck's time, twice the drain and ten seconds, as the gateway is told."""
    words = ("--set", "lameDuckSeconds=7", "--set", "drainSeconds=20")
    made = yaml.safe_load_all(rendered(CHART / "ci/postgresql-values.yaml", *words))
    (pod,) = (one["spec"]["template"]["spec"] for one in made if one and one["kind"] == "Deployment")
    (container,) = pod["containers"]
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert told["GIFTCARD_GATEWAY__SERVER__LAME_DUCK_S"] == "7"
    assert told["GIFTCARD_GATEWAY__SERVER__DRAIN_S"] == "20"
    assert pod["terminationGracePeriodSeconds"] == 7 + 2 * 20 + 10
    assert "lifecycle" not in container


def test_rules_are_those_of_prometheus() -> None:
    """The chart hands on the rules of deploy/prometheus as they are, but for where the runbook is."""
    (made,) = (
        one for one in manifests(CHART / "ci/postgresql-values.yaml") if one["kind"] == "PrometheusRule"
    )
    here: list[Any] = []
    for file in sorted((DEPLOY / "prometheus").glob("*.yaml")):
        text = file.read_text(encoding="utf-8").replace("deploy/runbook.md", "https://wiki.example/giftcards")
        here += yaml.safe_load(text)["groups"]
    assert made["spec"]["groups"] == here


def test_dashboards_are_those_of_grafana() -> None:
    """The chart hands on every dashboard of deploy/grafana, to the byte."""
    made = [
        one["data"] for one in manifests(CHART / "ci/postgresql-values.yaml") if one["kind"] == "ConfigMap"
    ]
    told = {name: text for data in made for name, text in data.items() if name.endswith(".json")}
    assert told
    assert told == {one.name: one.read_text(encoding="utf-8") for one in (DEPLOY / "grafana").glob("*.json")}
