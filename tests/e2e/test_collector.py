"""A gateway whose telemetry goes to the real OpenTelemetry collector: all of it arrives, and no secret."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.collectors import SIGNALS, collector, plain
from tests.e2e.processes import run
from tests.e2e.sandboxes import SIMULATORS, sandbox
from tests.e2e.test_seen import PAN, TRACE, bad_calls, redeem, secrets_of, settings_secrets


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_gets_everything_but_secrets(tmp_path: Path, protocol: str) -> None:
    """Spans, metrics and the audit, as `audit export` prints it, arrive; no number, PIN, key or password."""
    with collector(tmp_path) as there:
        with sandbox(tmp_path, environ=there.environ(protocol)) as running:
            redeem(running, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
            story = run("demo", "--address", running.address, folder=tmp_path)
            assert story.returncode == 0, story.stderr
            list(bad_calls(running))
            cards = [card for one in SIMULATORS for card in running.get(one, "cards")]
            assert running.running.stop() == 0
            keys = json.loads((running.data / "keys.json").read_bytes()).values()
            exported = run("audit", "export", "--sandbox", "--data", str(running.data), folder=tmp_path)
            assert exported.returncode == 0, exported.stderr
        there.stop()
    lines = [one for one in there.received("logs") if not one.get("eventName")]
    assert "transaction ended" in {plain(one["body"]) for one in lines}
    assert any(one.get("traceId") for one in lines)
    logs = [one for one in there.received("logs") if one.get("eventName")]
    assert {one["eventName"] for one in logs} == {"giftcard.audit"}
    assert not any(one.get("traceId") for one in logs)
    told = [plain(one["body"]) for one in logs]
    assert told == [json.loads(line) for line in exported.stdout.splitlines()]
    assert "Redeem" in json.dumps(told)
    spans = [one for one in there.received("traces") if one["traceId"] == TRACE]
    assert {"giftcard.v1.GiftCardService/Redeem"} <= {one["name"] for one in spans}
    assert "rpc.server.call.duration" in {one["name"] for one in there.received("metrics")}
    pattern = re.compile("|".join([*secrets_of(cards), *settings_secrets(), *map(re.escape, keys)]))
    for signal in SIGNALS:
        assert pattern.search(there.text(signal)) is None, f"a secret is among the {signal}"
    assert pattern.search(PAN), "the search finds what is there"
