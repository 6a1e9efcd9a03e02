"""Load by ghz, a program of others, on two gateways of which one is killed: through Envoy, and directly.

Directly it spreads its calls itself over a name with two addresses, as a headless service has them. It
repeats nothing. Its reports stay in build/deploy; every redemption is held against the provider's books.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from giftcard import CallError, Client, is_final
from tests.conftest import ROOT
from tests.deploy.names import NAME, name_server
from tests.deploy.tools import tool
from tests.e2e.envoys import door
from tests.e2e.processes import environment
from tests.e2e.test_two_gateways import APPROVED, FEW, RICH, Pair, pair
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(sys.platform != "linux", reason="only 127.0.0.1 is this machine elsewhere"),
]
CALLS, A_SECOND, AT_ONCE = 480, 60, 8
NOTICED_S = 6.0
"""Within this deploy/envoy notices, by its page; who spreads calls himself notices at once."""
LOST = AT_ONCE + 3
"""Calls that may fail: those under way, and those that Envoy's outlier detection counts."""
ID = "%08x-0000-4000-8000-000000000000"
"""Ids by the number that ghz gives each call, so that a test knows them without its report."""
REDEEM = json.dumps(
    {
        "transaction_id": f"{{{{printf `{ID}` .RequestNumber}}}}",
        "card": {"number": {"pan": RICH}},
        "amount": {"currency_code": "ZAR", "units": "1"},
    }
)


def load(contract: Path, target: str) -> subprocess.Popen[str]:
    """Start ghz at a target."""
    words = ["--insecure", "--protoset", str(contract), "--call", "giftcard.v1.GiftCardService.Redeem"]
    words += [
        "-d",
        REDEEM,
        "-n",
        str(CALLS),
        "--rps",
        str(A_SECOND),
        "-c",
        str(AT_ONCE),
        "-t",
        "60s",
        "-O",
        "json",
    ]
    command = [tool("ghz"), *words, "--lb-strategy", "round_robin", target]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def settled(running: Pair, address: str) -> int:
    """Return how many of the redemptions moved money in the end, by the gateway that is left."""
    with Client(address, plaintext=True) as client:

        def approved(transaction_id: str) -> bool | None:
            try:
                now = client.get_transaction(transaction_id=transaction_id)
            except CallError as fault:
                # Of one that nobody heard of, no money was moved: the books tell.
                assert fault.code == grpc.StatusCode.NOT_FOUND  # noqa: PT017 - any other is a fault of the test
                return False
            return now.state == APPROVED if now.state == APPROVED or is_final(now) else None

        ids = [ID % number for number in range(CALLS + 1)]
        for one in ids:
            running.gateways[0].wait_until(lambda one=one: approved(one) is not None)  # type: ignore[misc]  # mypy: a default in a lambda
        return sum(bool(approved(one)) for one in ids)


def kept(report: dict[str, Any], way: str) -> None:
    """Keep what ghz measured, without each call, where who writes the page finds it."""
    folder = ROOT / "build" / "deploy"
    folder.mkdir(parents=True, exist_ok=True)
    told = {name: one for name, one in report.items() if name not in {"details", "options", "histogram"}}
    told["missed_s"] = missed_s(report)
    (folder / f"ghz-{way}.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


def missed_s(report: dict[str, Any]) -> float:
    """Return how long calls failed, from the first that did to the last; 0.0 if none did."""
    failed = [one["timestamp"] for one in report["details"] if one["status"] != "OK"]
    times = [datetime.fromisoformat(one) for one in failed]
    return (max(times) - min(times)).total_seconds() if times else 0.0


@pytest.mark.parametrize("way", ["envoy", "directly"])
async def test_one_of_two_is_killed(tmp_path: Path, postgres_server: PostgresServer, way: str) -> None:
    """Each had its share; calls under way where it was killed fail, the rest go on, and the books agree."""
    tool("ghz")
    journal = await postgres_server.create_database()
    with ExitStack() as stack:
        running = stack.enter_context(pair(tmp_path, journal, 0.0, hosts=("127.0.0.1", "127.0.0.2")))
        # The direct way has of Envoy's files the contract alone.
        front = stack.enter_context(
            door(tmp_path / "door", running.ports[0], f"127.0.0.2:{running.ports[1]}")
        )
        names = stack.enter_context(name_server(["127.0.0.1", "127.0.0.2"]))
        direct = f"dns://127.0.0.1:{names}/{NAME}.:{running.ports[0]}"
        target = direct if way == "directly" else f"127.0.0.1:{front.ports['plain']}"
        before, (staying, lost) = running.balance(), running.gateways
        asking = stack.enter_context(load(front.folder / "contract.binpb", target))
        try:
            staying.wait_until(lambda: asking.poll() is not None or min(running.redeemed()) > FEW)
            lost.send(signal.SIGKILL)
            lost.ended()
            said, complained = asking.communicate(timeout=PATIENCE_S)
        finally:
            asking.kill()
        assert asking.returncode == 0, complained
        report = json.loads(said)
        kept(report, way)
        ended = Counter(one["status"] for one in report["details"])
        assert set(ended) <= {"OK", "Unavailable"}, ended
        assert missed_s(report) < NOTICED_S
        assert ended["Unavailable"] <= LOST
        assert {one["status"] for one in report["details"][-FEW:]} == {"OK"}
        moved = settled(running, f"127.0.0.1:{running.ports[0]}")
        assert ended["OK"] <= moved <= CALLS
        assert running.balance() == before - 100 * moved
