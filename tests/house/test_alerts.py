"""Alerts ring when they should and not otherwise, tell of metrics that exist, and lead to the runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.conftest import ROOT
from tests.house import shelf
from tests.patience import PATIENCE_S

RULES = ROOT / "deploy" / "prometheus"
FILES = ("recording.yaml", "alerts.yaml")
_ENDING = re.compile(r"(_total|_seconds(_(bucket|count|sum))?)$")
"""What Prometheus puts behind a name: of a counter, of a unit, of a histogram."""
_WORD = re.compile(r"\b((?:giftcard|rpc|http)_\w+)(?=[{\[)\s]|$)")


def rules(file: str) -> list[dict[str, Any]]:
    """Return the rules of a file."""
    loaded = yaml.safe_load((RULES / file).read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


ALERTS = {one["alert"]: one for one in rules("alerts.yaml")}
CALLS = "rpc_server_call_duration_seconds_count"
_SLOW = {
    "GiftcardBudgetBurns",
    "GiftcardBudgetBurnsSlowly",
    "GiftcardUnresolvedForLong",
    "GiftcardProviderPaused",
}
"""What takes hours to ring."""
UNRESOLVED = 'giftcard_backlog_transactions{giftcard_provider="shop",giftcard_state="UNRESOLVED"}'
EVENTS = "giftcard_webhook_requests_total"
EXCHANGES = "http_client_request_duration_seconds_bucket"


class Case(NamedTuple):
    """What metrics tell, from the first minute on, and of what the alert is then."""

    rings: Mapping[str, str]
    """Each series with its values, in promtool's words, that ring the alert."""
    silent: Mapping[str, str]
    """The same, which do not."""
    of: Mapping[str, str]
    """The labels of what rings."""


SHOP = {"giftcard_provider": "shop"}
MONEY = {"slo": "money-answered"}


def counted(name: str, **labels: str) -> Case:
    """Return a case of a counter that must not grow."""
    told = ",".join(f'{key}="{value}"' for key, value in labels.items())
    series = f"{name}{{{told}}}"
    return Case({series: "0x20 1x100"}, {series: "4x120"}, {})


def exchanges(slow: float) -> dict[str, str]:
    """Return the buckets of ten exchanges a minute of which a share is slow."""
    return {
        f'{EXCHANGES}{{giftcard_provider="shop",le="5"}}': f"0+{10 * (1 - slow):g}x120",
        f'{EXCHANGES}{{giftcard_provider="shop",le="10"}}': "0+10x120",
        f'{EXCHANGES}{{giftcard_provider="shop",le="+Inf"}}': "0+10x120",
    }


def calls(good: float, bad: float) -> dict[str, str]:
    """Return the counts of calls in a minute."""
    redeem = 'rpc_method="giftcard.v1.GiftCardService/Redeem"'
    return {
        f'{CALLS}{{{redeem},rpc_response_status_code="OK"}}': f"0+{good:g}x400",
        f'{CALLS}{{{redeem},rpc_response_status_code="INTERNAL"}}': f"0+{bad:g}x400",
    }


def lags(late: float) -> dict[str, str]:
    """Return the buckets of a loop that woke up more than a quarter of a second late in a share of times."""
    return {
        'giftcard_loop_lag_seconds_bucket{instance="a",le="0.25"}': f"0+{60 * (1 - late):g}x120",
        'giftcard_loop_lag_seconds_bucket{instance="a",le="1"}': "0+60x120",
        'giftcard_loop_lag_seconds_bucket{instance="a",le="+Inf"}': "0+60x120",
    }


CASES: dict[str, Case] = {
    "GiftcardTransactionUnresolved": counted(
        "giftcard_transaction_unresolved_total", giftcard_operation="REDEEM", **SHOP
    )._replace(of=SHOP),
    "GiftcardUnresolvedForLong": Case(
        {UNRESOLVED: "1x400"},
        {UNRESOLVED: "0x300 1x100"},
        SHOP,
    ),
    "GiftcardAdvicesPileUp": Case(
        {'giftcard_backlog_age_seconds{giftcard_provider="shop",giftcard_state="REVERSING"}': "4000x60"},
        {
            'giftcard_backlog_age_seconds{giftcard_provider="shop",giftcard_state="UNRESOLVED"}': "4000x60",
            'giftcard_backlog_age_seconds{giftcard_provider="shop",giftcard_state="CONFIRMING"}': "60x60",
        },
        SHOP,
    ),
    "GiftcardRecoveryLate": Case(
        {'giftcard_backlog_lag_seconds{giftcard_provider="shop"}': "0x10 90x60"},
        {'giftcard_backlog_lag_seconds{giftcard_provider="shop"}': "0x28 90x3"},
        SHOP,
    ),
    "GiftcardReversalWindowShort": Case(
        {'giftcard_reversal_window_left_seconds{giftcard_provider="shop"}': "1800x60"},
        {'giftcard_reversal_window_left_seconds{giftcard_provider="shop"}': "7200x60"},
        SHOP,
    ),
    "GiftcardJournalAway": Case(
        {"giftcard_journal_away_seconds": "0x20 60x60"}, {"giftcard_journal_away_seconds": "0x20 10x60"}, {}
    ),
    "GiftcardProviderPaused": Case(
        {'giftcard_provider_paused{giftcard_provider="shop"}': "1x400"},
        {'giftcard_provider_paused{giftcard_provider="shop"}': "1x200 0x200"},
        SHOP,
    ),
    "GiftcardJournalForgot": counted("giftcard_journal_forgot_total"),
    "GiftcardLoopLate": Case(lags(0.1), lags(0.001), {"instance": "a"}),
    "GiftcardReversalWindowClosing": counted(
        "giftcard_reversal_window_total", giftcard_severity="critical", **SHOP
    )._replace(of=SHOP),
    "GiftcardReversalLate": counted(
        "giftcard_reversal_window_total", giftcard_severity="warning", **SHOP
    )._replace(of=SHOP),
    "GiftcardRecordAltered": Case(
        {"giftcard_journal_damaged": "0x20 1x100"},
        {"giftcard_journal_damaged": "0x120", 'giftcard_fault_total{giftcard_place="advance"}': "0x20 1x100"},
        {},
    ),
    "GiftcardKeyElsewhere": Case(
        {'giftcard_seal_elsewhere{giftcard_key_id="k2"}': "2x120"},
        {'giftcard_seal_elsewhere{giftcard_key_id="k2"}': "0x20 1x5 0x100"},
        {"giftcard_key_id": "k2"},
    ),
    "GiftcardBudgetBurnsFast": Case(calls(95, 5), calls(999.5, 0.5), MONEY),
    "GiftcardBudgetBurns": Case(calls(99, 1), calls(999.5, 0.5), MONEY),
    "GiftcardBudgetBurnsSlowly": Case(calls(99, 1), calls(999.5, 0.5), MONEY),
    "GiftcardSilent": Case(
        {"up": "1x120"}, {'giftcard_circuit_state{giftcard_provider="shop"}': "0x120"}, {}
    ),
    "GiftcardFault": counted("giftcard_fault_total", giftcard_place="advance")._replace(
        of={"giftcard_place": "advance"}
    ),
    "GiftcardConfigurationRefused": counted(
        "giftcard_config_reloads_total", giftcard_result="refused"
    )._replace(of={"giftcard_result": "refused"}),
    "GiftcardWebhooksRefused": Case(
        {f'{EVENTS}{{giftcard_provider="shop",giftcard_result="refused"}}': "0x20 0+1x100"},
        {f'{EVENTS}{{giftcard_provider="shop",giftcard_result="kept"}}': "0x20 0+9x100"},
        SHOP,
    ),
    "GiftcardCircuitOpen": Case(
        {
            'giftcard_circuit_state{giftcard_provider="shop",instance="a"}': "0x20 2x100",
            'giftcard_circuit_state{giftcard_provider="shop",instance="b"}': "0x120",
        },
        {'giftcard_circuit_state{giftcard_provider="shop",instance="a"}': "0x20 2x3 0x100"},
        SHOP,
    ),
    "GiftcardProviderSlow": Case(exchanges(0.2), exchanges(0.01), SHOP),
}


def test_every_alert_is_played() -> None:
    """There is a case for each alert, and an alert for each case."""
    assert CASES.keys() == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_the_runbook(name: str) -> None:
    """Its link is to a heading that is there, and it says whether somebody is woken."""
    page, _, anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")
    text = (ROOT / page).read_text(encoding="utf-8")
    assert anchor in {slug(heading) for heading in re.findall(r"(?m)^## (.+)$", text)}
    assert ALERTS[name]["labels"]["severity"] in {"page", "ticket"}


def slug(heading: str) -> str:
    """Return the anchor that a heading has on a page."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("file", FILES)
def test_metrics_exist(file: str) -> None:
    """Every rule is about metrics that our code tells, under the names that Prometheus has for them."""
    ours = {name.replace(".", "_") for name in shelf.metrics()}
    ours |= {"rpc_server_call_duration", "http_client_request_duration"}
    recorded = {rule["record"] for rule in rules("recording.yaml")}
    for rule in rules(file):
        expression = re.sub(r"\{[^}]*\}|by \([^)]*\)", " ", rule["expr"])
        expression = re.sub(
            "|".join(map(re.escape, sorted(recorded, key=len, reverse=True))), " ", expression
        )
        named = {_ENDING.sub("", word) for word in _WORD.findall(expression)}
        assert named <= ours, rule


def promtool(*arguments: str, folder: Path) -> None:
    """Run promtool, of Debian's package prometheus; skip where there is none."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not on this machine")
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_can_be_loaded() -> None:
    """Prometheus takes both files."""
    promtool("check", "rules", *FILES, folder=RULES)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_rings_when_it_should(tmp_path: Path, name: str) -> None:
    """Played in promtool, what should ring it does, and what should not leaves it silent."""
    case, alert = CASES[name], ALERTS[name]
    rung = [{"exp_labels": {**case.of, **alert["labels"]}, "exp_annotations": said(alert, case.of)}]
    at = "6h" if name in _SLOW else "31m"
    plays = [(case.rings, rung), (case.silent, [])]
    script = {
        "rule_files": [str(RULES / file) for file in FILES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": key, "values": values} for key, values in series.items()],
                "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": expected}],
            }
            for series, expected in plays
        ],
    }
    (tmp_path / "play.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
    promtool("test", "rules", "play.yaml", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "place", "of"),
    [("GiftcardRecordAltered", "seal", {}), ("GiftcardFault", "advance", {"giftcard_place": "advance"})],
)
def test_the_first_fault_of_a_type_rings(tmp_path: Path, name: str, place: str, of: dict[str, str]) -> None:
    """Its series begins with it: the zero that was there before has no type."""
    told = {
        f'giftcard_fault_total{{instance="a",giftcard_place="{place}"}}': "0x60",
        f'giftcard_fault_total{{instance="a",giftcard_place="{place}",giftcard_type="X"}}': "_x20 1x40",
    }
    rung = {"exp_labels": {**of, **ALERTS[name]["labels"]}, "exp_annotations": said(ALERTS[name], of)}
    script = {
        "rule_files": [str(RULES / file) for file in FILES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": key, "values": values} for key, values in told.items()],
                "alert_rule_test": [{"eval_time": "25m", "alertname": name, "exp_alerts": [rung]}],
            }
        ],
    }
    (tmp_path / "play.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
    promtool("test", "rules", "play.yaml", folder=tmp_path)


def said(alert: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """Return an alert's texts with its labels in them."""
    told = {}
    for key, text in alert["annotations"].items():
        for label, value in labels.items():
            text = text.replace("{{ $labels." + label + " }}", value)  # noqa: PLW2901 - once for each label
        told[key] = text
    return told
