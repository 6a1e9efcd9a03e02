"""Writes the dashboards beside it anew, from what `boards` says: where a panel stands is counted.

python -m deploy.grafana
"""

from __future__ import annotations

import json
from pathlib import Path

from deploy.grafana.boards import BOARDS
from deploy.grafana.lines import Board, Panel

HERE = Path(__file__).resolve().parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _ACROSS, _HEIGHT = 8, 24, 8


def drawn(board: Board) -> dict[str, object]:
    """Return a dashboard as Grafana keeps it."""
    panels: list[dict[str, object]] = []
    top = 0
    for heading, row in board.rows:
        place = {"x": 0, "y": top, "w": _ACROSS, "h": 1}
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": heading,
                "collapsed": False,
                "panels": [],
                "gridPos": place,
            }
        )
        top += 1
        for number, panel in enumerate(row):
            line, column = divmod(number * _WIDTH, _ACROSS)
            where = {"x": column, "y": top + line * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
            panels.append(_panel(panel, len(panels) + 1, where))
        top += -(-len(row) * _WIDTH // _ACROSS) * _HEIGHT
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["giftcard"],
        "timezone": "",
        "editable": True,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _variables(board)},
        "links": [
            {
                "type": "dashboards",
                "tags": ["giftcard"],
                "title": "Gift cards",
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "",
                "tooltip": "",
                "url": "",
            }
        ],
        "annotations": {"list": []},
        "panels": panels,
    }


def _variables(board: Board) -> list[dict[str, object]]:
    variables: list[dict[str, object]] = [
        {"name": "datasource", "type": "datasource", "label": "Prometheus", "query": "prometheus"}
    ]
    if any("$provider" in line for _, row in board.rows for panel in row for line, _ in panel.lines):
        variables.append(
            {
                "name": "provider",
                "type": "query",
                "label": "Provider",
                "datasource": SOURCE,
                "query": "label_values(giftcard_circuit_state, giftcard_provider)",
                "refresh": 2,
                "multi": True,
                "includeAll": True,
                "allValue": ".+",
                "current": {"text": ["All"], "value": ["$__all"]},
            }
        )
    return variables


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, object]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + row), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for row, (expression, legend) in enumerate(panel.lines)
        ],
    }


def texts() -> dict[str, str]:
    """Return each file's name with what it is to hold."""
    return {
        f"{one.uid.removeprefix('giftcard-')}.json": json.dumps(drawn(one), indent=1) + "\n" for one in BOARDS
    }


if __name__ == "__main__":
    for name, text in texts().items():
        (HERE / name).write_text(text, encoding="utf-8")
