"""Connect through the real Envoy, by a real client of it: buf curl, which is connect-go."""

from __future__ import annotations

import base64
import json
import subprocess
import sysconfig
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from giftcard import new_transaction_id, v1
from tests.conftest import ROOT
from tests.e2e.envoys import Door, door, refusing
from tests.e2e.sandboxes import Plain
from tests.patience import PATIENCE_S

BUF = Path(sysconfig.get_path("scripts")) / "buf"
PAN = "6045000000000061"
CARD = {"number": {"pan": PAN}}
CONNECT = {"connect-protocol-version": "1", "content-type": "application/proto"}
SERVICE = "/giftcard.v1.GiftCardService"
WATCH = "/giftcard.v1.TransactionService/WatchTransactions"


def redemption() -> Plain:
    """Return a request for one rand, with an id of its own."""
    money = {"currencyCode": "ZAR", "units": "1"}
    return {"transactionId": new_transaction_id(), "card": CARD, "amount": money}


def curl(opened: Door, path: str, content: object, *words: str) -> list[str | Path]:
    """Return the command that calls by Connect."""
    schema = ("--schema", str(opened.folder / "contract.binpb"), "--protocol", "connect", *words)
    return [BUF, "curl", *schema, "-d", json.dumps(content), f"{opened.url}{path}"]


def asked(opened: Door, path: str, content: object, *words: str) -> subprocess.CompletedProcess[str]:
    """Call by Connect, and return what buf said."""
    return subprocess.run(
        curl(opened, path, content, *words),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def details(error: Plain) -> dict[str, bytes]:
    """Return the details of an error of Connect by the names of their messages."""
    listed = error["details"]
    assert isinstance(listed, list)
    return {one["type"]: base64.b64decode(f"{one['value']}==") for one in listed}


def test_a_call(opened: Door) -> None:
    """A redemption is asked for and repeated; the repeat says so in Connect's own place for trailers."""
    request = redemption()
    first, again = (asked(opened, f"{SERVICE}/Redeem", request, "--verbose") for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert json.loads(first.stdout)["transaction"]["state"] == "TRANSACTION_STATE_APPROVED"
    assert ["Trailer-Giftcard-Replayed: true" in one.stderr for one in (first, again)] == [False, True]


@pytest.mark.parametrize(
    ("path", "content", "fields"),
    [
        (
            f"{SERVICE}/Redeem",
            {"amount": {"currencyCode": "ZAR", "units": "-1"}},
            {"transaction_id", "card", "amount.units"},
        ),
        (WATCH, {"cursor": "no such"}, {"cursor"}),
    ],
)
def test_an_error_keeps_its_details(opened: Door, path: str, content: object, fields: set[str]) -> None:
    """Reason and every bad field come under the names by which Connect's clients look for them."""
    error = json.loads(asked(opened, path, content).stderr)
    assert error["code"] == "invalid_argument"
    found = details(error)
    info = error_details_pb2.ErrorInfo.FromString(found["google.rpc.ErrorInfo"])
    assert (info.reason, info.domain) == ("FIELD_INVALID", "giftcard.v1")
    bad = error_details_pb2.BadRequest.FromString(found["google.rpc.BadRequest"])
    assert {one.field for one in bad.field_violations} == fields


def test_streams(opened: Door) -> None:
    """Rows go up as a stream, and transactions come down as one, each as it happens."""
    days = {"startTime": "2020-01-01T00:00:00Z", "endTime": "2020-01-02T00:00:00Z"}
    rows = asked(
        opened,
        "/giftcard.v1.ReportService/Reconcile",
        {"scope": {"provider": "electrum-sandbox", **days}},
    )
    assert rows.returncode == 0, rows.stderr
    redeemed = asked(opened, f"{SERVICE}/Redeem", redemption())
    assert redeemed.returncode == 0, redeemed.stderr
    watch = curl(opened, WATCH, {"startTime": "2020-01-01T00:00:00Z"})
    with subprocess.Popen(watch, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        try:
            # It never ends by itself: what it says first is a whole transaction.
            said = ""
            while not said.endswith("\n}\n"):
                line = watching.stdout.readline()
                assert line, said
                said += line
        finally:
            watching.kill()
    assert "transactionId" in json.loads(said)["transaction"]


@pytest.mark.parametrize(
    ("verb", "address", "headers", "status"),
    [
        ("GET", f"{SERVICE}/Balance?connect=v1&encoding=proto&base64=1&message=AAAA", {}, 405),
        ("GET", f"{SERVICE}/Balance?connect=v1&encoding=json&message=%7B%7D", CONNECT, 405),
        ("POST", f"{SERVICE}/Balance", CONNECT | {"content-type": "application/json"}, 415),
        ("POST", WATCH, {"content-type": "application/connect+json"}, 415),
        ("POST", "/v1/cards:balance", CONNECT | {"content-type": "application/json"}, 415),
    ],
)
def test_what_is_not_taken(
    tmp_path_factory: pytest.TempPathFactory, verb: str, address: str, headers: dict[str, str], status: int
) -> None:
    """A GET would put cards into addresses, and the bridge takes no JSON: both are refused as it does."""
    folder = tmp_path_factory.mktemp("refused") / "door"
    with refusing(grpc.StatusCode.NOT_FOUND) as (port, heard), door(folder, port) as opened:
        refused = opened.ask(address, None if verb == "GET" else b"{}", headers, verb=verb)
    assert (refused.status, refused.json["code"], heard) == (status, "unimplemented", [])


def test_a_deadline_reaches_the_gateway(tmp_path: Path) -> None:
    """What Connect says of time is gRPC's deadline by then."""
    request = v1.BalanceRequest(card=v1.Card(number=v1.CardNumber(pan=PAN))).SerializeToString()
    with refusing(grpc.StatusCode.NOT_FOUND) as (port, heard), door(tmp_path / "door", port) as opened:
        refused = opened.ask(
            f"{SERVICE}/Balance", request, CONNECT | {"connect-timeout-ms": f"{PATIENCE_S * 1000:.0f}"}
        )
    assert (refused.status, refused.json["code"]) == (404, "not_found")
    (balance,) = heard
    assert balance.request == request
    assert balance.left_s is not None
    assert balance.left_s <= PATIENCE_S
