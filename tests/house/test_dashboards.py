"""Dashboards show metrics that exist, by labels that they have, in expressions that Prometheus reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import texts
from giftcard_gateway.telemetry.catalogue import INSTRUMENTS
from tests.conftest import ROOT
from tests.house.tables import scraped_name
from tests.house.test_alerts import promtool, rules

FOLDER = ROOT / "deploy" / "grafana"
BOARDS = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
UNITS = {"bytes", "none", "ops", "percentunit", "reqps", "s"}
"""Those of Grafana's that we use; a wrong one is shown as its own name."""
_TARGETS = {"instance", "job", "le"}
"""Labels that Prometheus adds, and a histogram's."""
_SELECTOR = re.compile(r"([a-z_][\w:]*)(?:\{([^}]*)\})?(?=[\[)\s]|$)")
_WORDS = {"by", "sum", "max", "min", "rate", "increase", "histogram_quantile"}


def told() -> dict[str, set[str]]:
    """Return the labels of each metric and recorded series, under the names that Prometheus has."""
    series: dict[str, set[str]] = {}
    for one in INSTRUMENTS:
        labels = {label.replace(".", "_") for label in one.labels}
        endings = ("_bucket", "_count", "_sum") if one.kind == "histogram" else ("",)
        series |= {scraped_name(one) + ending: labels | _TARGETS for ending in endings}
    recorded = {rule["record"] for rule in rules("recording.yaml")}
    series |= {name: {"slo"} if ":slo:" in name else {"giftcard_provider", *_TARGETS} for name in recorded}
    return series


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the panels that show something."""
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def expressions() -> list[tuple[str, str, str]]:
    """Return each line of each panel: where, the expression, and what the line is called."""
    return [
        (f"{file}: {panel['title']}", target["expr"], target["legendFormat"])
        for file, board in BOARDS.items()
        for panel in panels(board)
        for target in panel["targets"]
    ]


def test_files_are_as_drawn() -> None:
    """Each file holds what `boards` says, and there is no other."""
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert kept == texts(), "python -m deploy.grafana"


@pytest.mark.parametrize(("place", "expression", "legend"), expressions())
def test_what_is_shown_exists(place: str, expression: str, legend: str) -> None:
    """A line is about series that are told, and names labels that they have."""
    series = told()
    bare = re.sub(r"by \([^)]*\)", " ", expression)
    used = [(name, labels) for name, labels in _SELECTOR.findall(bare) if name not in _WORDS]
    assert used, place
    grouped = {word for group in re.findall(r"by \(([^)]*)\)", expression) for word in group.split(", ")}
    for name, labels in used:
        assert name in series, f"{place}: nobody tells {name}"
        wanted = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels)) | grouped
        assert wanted <= series[name], f"{place}: {name} has no {wanted - series[name]}"
        shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
        assert shown <= (grouped or series[name]), f"{place}: {shown} is not in the result"


def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    """The real promtool parses all of them, with Grafana's variables filled in."""
    filled = [one.replace("$__rate_interval", "5m").replace("$provider", ".+") for _, one, _ in expressions()]
    assert not [text for text in filled if "$" in text]
    loaded = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(filled)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": loaded}]}))
    promtool("check", "rules", "panels.yaml", folder=tmp_path)


@pytest.mark.parametrize("file", BOARDS)
def test_a_dashboard_is_well_formed(file: str) -> None:
    """Ids are its own, units are Grafana's, the data source is a variable, no panel lies on another."""
    board = BOARDS[file]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    used = set(re.findall(r"\$(\w+)", json.dumps([one["targets"] for one in panels(board)])))
    assert used <= {*variables, "__rate_interval"}
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in panels(board):
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(one == {"type": "prometheus", "uid": "${datasource}"} for one in sources)
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_dashboards_are_apart() -> None:
    """Each has an id of its own, and what an alert is about is shown somewhere."""
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)
    shown = " ".join(expression for _, expression, _ in expressions())
    alerted = " ".join(rule["expr"] for rule in rules("alerts.yaml"))
    for one in INSTRUMENTS:
        assert scraped_name(one) not in alerted or scraped_name(one) in shown, one.name
