"""What is promised is measured as the README says, and a budget that burns rings at the right speed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from giftcard_gateway.telemetry.durations import SECONDS
from giftcard_gateway.telemetry.rpc_server import OUR_FAULTS
from tests.house.test_alerts import ALERTS, FILES, RULES, promtool, rules, said

REDEEM, LOOKUP = "giftcard.v1.GiftCardService/Redeem", "giftcard.v1.GiftCardService/Lookup"
_HOURS = {"GiftcardBudgetBurnsFast": 2, "GiftcardBudgetBurns": 8, "GiftcardBudgetBurnsSlowly": 8}
"""When each alert is looked at. What goes on evenly is after hours as after days."""
_BURNING = {"GiftcardBudgetBurnsFast": 20.0, "GiftcardBudgetBurns": 8.0, "GiftcardBudgetBurnsSlowly": 2.0}
"""A speed, in budgets a month, at which each rings and those before it do not."""
SLOS = {
    rule["labels"]["slo"]: float(rule["expr"].removeprefix("vector(").removesuffix(")"))
    for rule in rules("recording.yaml")
    if rule["record"] == "giftcard:slo:budget"
}
Series = Mapping[str, str]


def answered(method: str, share: float) -> Series:
    """Return a thousand answers a minute of which a share is INTERNAL."""
    name = "rpc_server_call_duration_seconds_count"
    told = {"OK": 1000 * (1 - share), "INTERNAL": 1000 * share}
    return {
        f'{name}{{rpc_method="{method}",rpc_response_status_code="{code}"}}': f"0+{count:g}x490"
        for code, count in told.items()
    }


def quick(share: float) -> Series:
    """Return a thousand answers a minute of which a share takes longer than what is promised."""
    labels = f'rpc_method="{REDEEM}",rpc_response_status_code="OK"'
    return {
        f"rpc_server_call_duration_seconds_count{{{labels}}}": "0+1000x490",
        f'rpc_server_call_duration_seconds_bucket{{{labels},le="2.5"}}': f"0+{1000 * (1 - share):g}x490",
    }


def kept(share: float) -> Series:
    """Return a thousand promises a minute of which a share came to a person."""
    states = "giftcard_transaction_states_total"
    return {
        f'{states}{{giftcard_state="CONFIRMED"}}': f"0+{1000 * (1 - share):g}x490",
        f'{states}{{giftcard_state="UNRESOLVED"}}': f"0+{1000 * share:g}x490",
        "giftcard_transaction_unresolved_total": f"0+{1000 * share:g}x490",
        'giftcard_reversal_window_total{giftcard_severity="critical"}': "0x490",
    }


def series_of(slo: str, share: float) -> Series:
    """Return what metrics tell while a share of what an objective counts goes wrong."""
    plays = {
        "money-answered": lambda: answered(REDEEM, share),
        "money-quick": lambda: quick(share),
        "reads-answered": lambda: answered(LOOKUP, share),
        "promises-kept": lambda: kept(share),
    }
    return plays[slo]()


@pytest.mark.parametrize("slo", SLOS)
def test_a_burning_budget_rings(tmp_path: Path, slo: str) -> None:
    """At each speed its own alert rings, and the faster ones do not; within the budget none does."""
    budget = SLOS[slo]
    for speed_of, speed in {**_BURNING, "": 0.8}.items():
        expected = [
            {
                "eval_time": f"{hours}h",
                "alertname": name,
                "exp_alerts": [rung(name, slo)] if speed_of and speed >= _BURNING[name] else [],
            }
            for name, hours in _HOURS.items()
        ]
        series = series_of(slo, budget * speed)
        told = [{"series": key, "values": values} for key, values in series.items()]
        script: dict[str, object] = {"interval": "1m", "input_series": told, "alert_rule_test": expected}
        play(tmp_path, [script], every="5m")


def test_a_fault_that_is_over_stops_ringing(tmp_path: Path) -> None:
    """Ten minutes after the last failure the page is silent, though the hour still has them."""
    name = "GiftcardBudgetBurnsFast"
    labels = f'{{rpc_method="{REDEEM}",rpc_response_status_code='
    series = {
        f'rpc_server_call_duration_seconds_count{labels}"OK"}}': "0+100x240",
        f'rpc_server_call_duration_seconds_count{labels}"UNAVAILABLE"}}': "0x60 1+50x20 1000x160",
    }
    told = [{"series": key, "values": values} for key, values in series.items()]
    looks = [("75m", [rung(name, "money-answered")]), ("95m", [])]
    tests = [{"eval_time": at, "alertname": name, "exp_alerts": expected} for at, expected in looks]
    play(tmp_path, [{"interval": "1m", "input_series": told, "alert_rule_test": tests}])


def test_refusals_of_a_callers_fault_burn_nothing(tmp_path: Path) -> None:
    """A bad request, an exhausted limit and what a provider cannot do are no failure of ours."""
    counts = {
        "OK": 1,
        "INVALID_ARGUMENT": 50,
        "RESOURCE_EXHAUSTED": 50,
        "UNIMPLEMENTED": 50,
        "PERMISSION_DENIED": 9,
    }
    name = "rpc_server_call_duration_seconds_count"
    told = [
        {
            "series": f'{name}{{rpc_method="{REDEEM}",rpc_response_status_code="{code}"}}',
            "values": f"0+{count}x120",
        }
        for code, count in counts.items()
    ]
    tests = [{"eval_time": "2h", "alertname": name, "exp_alerts": []} for name in _HOURS]
    play(tmp_path, [{"interval": "1m", "input_series": told, "alert_rule_test": tests}])


def test_the_codes_and_the_bound_are_those_of_the_code() -> None:
    """Failures are the codes that count as ours, without UNIMPLEMENTED; a bound is a bucket's."""
    expressions = [
        rule["expr"] for rule in rules("recording.yaml") if rule["record"].startswith("giftcard:slo:")
    ]
    listed = [re.findall(r'status_code=~"([^"]+)"', one) for one in expressions]
    for codes in (set(text.split("|")) for texts in listed for text in texts):
        assert codes - {"OK"} == OUR_FAULTS - {"UNIMPLEMENTED"}
    bounds = {float(bound) for one in expressions for bound in re.findall(r'le="([\d.]+)"', one)}
    assert bounds <= set(SECONDS)
    assert bounds


def test_the_readme_tells_every_promise() -> None:
    """Its table has each objective, with the share of it that its budget leaves."""
    text = (RULES / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"\| `([a-z-]+)` \| ([\d.]+) % \|", text))
    assert {slo: pytest.approx(100 * (1 - budget)) for slo, budget in SLOS.items()} == {
        slo: float(share) for slo, share in told.items()
    }


def rung(name: str, slo: str) -> dict[str, object]:
    """Return an alert as it rings for an objective."""
    labels = {"slo": slo}
    return {
        "exp_labels": {**labels, **ALERTS[name]["labels"]},
        "exp_annotations": said(ALERTS[name], labels),
    }


def play(folder: Path, tests: list[dict[str, object]], every: str = "1m") -> None:
    """Have promtool play tests of our rules, which are looked at every so often."""
    script = {
        "rule_files": [str(RULES / file) for file in FILES],
        "evaluation_interval": every,
        "tests": tests,
    }
    (folder / "play.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
    promtool("test", "rules", "play.yaml", folder=folder)
