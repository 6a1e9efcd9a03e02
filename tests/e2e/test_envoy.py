"""The real Envoy in front of a real gateway: plain JSON, gRPC-Web and gRPC by one door."""

from __future__ import annotations

import json
import re
import shutil
import signal
import ssl
import struct
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api import annotations_pb2
from google.protobuf.json_format import MessageToDict

from giftcard import Client, new_transaction_id, v1
from tests.conftest import ROOT
from tests.e2e.envoys import JSON, PAGE, Door, door, envoy_program, recipes, refusing, settings, wait_until
from tests.e2e.sandboxes import Sandbox, sandbox, values_in
from tests.e2e.test_secure import KEYS, created
from tests.gateway.wire.filled import METHODS, fill, variants
from tests.patience import PATIENCE_S

PAN = "6045000000000061"
CARD = {"number": {"pan": PAN}}
BALANCE = "/giftcard.v1.GiftCardService/Balance"
REDEEM = "/giftcard.v1.GiftCardService/Redeem"
WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
HTTP: Any = annotations_pb2.http
HTTP_VERBS = {
    name: None if each.server_streaming else each.GetOptions().Extensions[HTTP].WhichOneof("pattern")
    for name, each in METHODS.items()
}
STRICT = ("contract", "is no JSON", "must come once", "excludes", "an object", "a list", "the address")
"""Words of what strict.lua refuses."""
FOREIGN = "https://elsewhere.example"


def redemption(**more: object) -> dict[str, object]:
    """Return a request for one rand, with an id of its own."""
    money = {"currencyCode": "ZAR", "units": "1"}
    return {"transactionId": new_transaction_id(), "card": CARD, "amount": money, **more}


def available(running: Door) -> str:
    """Return what the card has."""
    answer = running.ask("/v1/cards:balance", {"card": CARD})
    return str(answer.json["cardBalance"]["balances"]["available"]["units"])


def frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of each frame of gRPC-Web: 0 is a message, 128 the trailers."""
    while body:
        kind, length = struct.unpack(">BI", body[:5])
        yield kind, body[5 : 5 + length]
        body = body[5 + length :]


def framed(message: v1.BalanceRequest | v1.RedeemRequest) -> bytes:
    """Return a message as one frame of gRPC-Web."""
    content = message.SerializeToString()
    return struct.pack(">BI", 0, len(content)) + content


def test_envoy_takes_the_configuration(tmp_path: Path) -> None:
    """`envoy --mode validate` finds nothing in what `make envoy` puts there but what is told of Connect."""
    settings(tmp_path, {"plain": 26_090, "tls": 26_091, "admin": 26_092, "gateway": 26_093}, PAGE)
    command = [envoy_program(), "--mode", "validate", "-c", "envoy.yaml", "-l", "warn"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "connect_grpc_bridge" not in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_recipes_work(opened: Door) -> None:
    """The page's lines of curl, pasted one after the other, do what the page says of them."""
    shell = "\n".join(
        f"{block}\necho\necho ---" for block in recipes(ROOT / "docs" / "http.md") if "$KEY" not in block
    )
    # A stream is read for three seconds, in which a machine may stand still.
    pasted = shell.replace("http://127.0.0.1:8080", opened.url).replace("--max-time 3", "--max-time 15")
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", pasted], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stderr) in {(0, ""), (0, _timed_out(done.stderr))}
    answers: list[list[Any]] = [list(values_in(part)) for part in done.stdout.split("---\n")[:-1]]
    balance, redeemed, confirmed, reversed_, stands, refused, stream = answers
    assert balance[0]["cardBalance"]["balances"]["available"] == {"currencyCode": "ZAR", "units": "500"}
    assert [state(one) for one in (*redeemed, *confirmed, *reversed_, *stands)] == [
        "APPROVED",
        "CONFIRMED",
        "APPROVED",
        "REVERSED",
        "CONFIRMED",
    ]
    assert "transaction_id: must be set" in str(refused[0]["message"])
    assert {"CONFIRMED", "REVERSED"} <= {state(one) for one in stream}


def _timed_out(said: str) -> str:
    """Return what curl says when a stream was still open at the end of its time."""
    return said if re.fullmatch(r"curl: \(28\) .*\n", said) else "something else"


def state(answer: Any) -> str:  # noqa: ANN401 - plain JSON has no narrower type
    """Return the state of an answer's transaction."""
    return str(answer["transaction"]["state"]).removeprefix("TRANSACTION_STATE_")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_a_token_passes_to_the_gateway_and_nothing_is_logged(tmp_path: Path) -> None:
    """Without a key the door is shut, with one it is open, and neither key nor card gets into Envoy's log."""
    with sandbox(tmp_path, environ=KEYS) as gateway, door(tmp_path / "door", gateway.port) as running:
        key = created(gateway, KEYS, "--scope", "money", "--scope", "read")
        signed = {"authorization": f"Bearer {key}"}
        gateway.running.wait_until(lambda: running.ask("/v1/providers", headers=signed).status == 200)
        (recipe,) = (block for block in recipes(ROOT / "docs" / "http.md") if "$KEY" in block)
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", f"DOOR={running.url} KEY={key}\n{recipe}"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert "electrum-sandbox" in done.stdout, done.stderr
        refused = running.ask("/v1/cards:balance", {"card": CARD})
        assert (refused.status, refused.json["details"][0]["reason"]) == (401, "CREDENTIALS_INVALID")
        assert running.ask("/v1/cards:balance", {"card": CARD}, signed).status == 200
        beyond = running.ask("/v1/providers/electrum-sandbox/offers:sync", {}, signed)
        assert (beyond.status, beyond.json["details"][0]["reason"]) == (403, "SCOPE_MISSING")
        for mistake in (f"/v1/cards/{PAN}", f"/v1/providers?card={PAN}", f"/v1/providers?token={key}"):
            assert running.ask(mistake, headers=signed).status in {400, 404}
        running.stop()
        assert '"call":"/giftcard.v1.GiftCardService/Balance"' in running.said
        assert [secret for secret in (PAN, key, "?") if secret in running.said] == []


def test_an_error_keeps_its_details(opened: Door) -> None:
    """Reason, resource and every bad field come as JSON, under the status that fits the code."""
    refused = opened.ask("/v1/transactions:redeem", {"amount": {"currencyCode": "ZAR", "units": "-1"}})
    details = {one["@type"].rpartition(".")[2]: one for one in refused.json["details"]}
    assert (refused.status, refused.json["code"]) == (400, grpc.StatusCode.INVALID_ARGUMENT.value[0])
    assert details["ErrorInfo"] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "FIELD_INVALID",
        "domain": "giftcard.v1",
    }
    fields = {one["field"] for one in details["BadRequest"]["fieldViolations"]}
    assert fields == {"transaction_id", "card", "amount.units"}
    unknown = opened.ask(f"/v1/transactions/{new_transaction_id()}")
    assert (unknown.status, unknown.json["details"][0]["reason"]) == (404, "TRANSACTION_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('"amount": {"currencyCode": "ZAR", "units": "1", "nano": 500000000}', "amount.nano"),
        ('"amount": {"currencyCode": "ZAR", "units": "1", "units": "2"}', "amount.units"),
        ('"amount": {"currency_code": "ZAR", "currencyCode": "ZAR", "units": "1"}', "amount.currency_code"),
        ('"amount": {"currencyCode": "ZAR", "un\\u0069ts": "1"}', "amount"),
        ('"amount": {"currencyCode": "ZAR", units: "1"}', "amount"),
        ('"amount": {"currencyCode": "ZAR", "units": "1",}', "amount"),
        ('"amount": {"currencyCode": "ZAR", "units": "1"}, "6045000000000061": 1', ""),
        ('"amount": [1]', "amount"),
        ('"amount": {"currencyCode": "ZAR", "units": 0x1}', "amount.units"),
        ('"labels": {"a": "b", "a": "c"}', "labels"),
        ('"basket": {}, "basket": null', "basket"),
        ('"card": {"storedCardId": "x", "number": {"pan": "6045000000000061"}}', "card.number"),
        ('"pointOfSale": {"entryMode": "ENTRY_MODE_TELEPATHY"}', "point_of_sale.entry_mode"),
        (f'"thirdPartyIdentifiers": {"[" * 40}{"]" * 40}', None),
    ],
)
def test_nothing_is_dropped_unsaid(opened: Door, body: str, field: str | None) -> None:
    """What Envoy's transcoder would drop or choose from is refused by name, and no money moves."""
    text = f'{{"transactionId": "{new_transaction_id()}", {body}}}'
    refused = opened.ask("/v1/transactions:redeem", text.encode())
    assert (refused.status, refused.json["details"][0]["reason"]) == (400, "FIELD_INVALID")
    fields = {one["field"] for one in refused.json["details"][1]["fieldViolations"]}
    assert field is None or fields == {field}
    assert PAN not in refused.body.decode()
    assert available(opened) == "500"


@pytest.mark.parametrize(
    "number",
    [PAN, f'"\\ud800 {PAN}"', f'"\\uZZZZ {PAN}"', f"0{PAN}", f'"{PAN}', f"[{PAN}]"],
    ids=["a number", "half a pair", "no escape", "octal", "cut off", "a list"],
)
def test_what_cannot_be_read_is_not_quoted(opened: Door, number: str) -> None:
    """A value of the wrong type, or no JSON, is refused as JSON and never repeated in the answer."""
    text = f'{{"card": {{"number": {{"pan": {number}}}}}}}'
    for body in (text.encode(), text.replace(PAN[:6], "604\xff50").encode("latin-1")):
        refused = opened.ask("/v1/cards:balance", body)
        assert (refused.status, refused.json["code"]) == (400, 3)
        assert PAN[8:] not in refused.body.decode("latin-1")


@pytest.mark.parametrize("name", [name for name, verb in HTTP_VERBS.items() if verb == "post"])
def test_every_field_can_be_said(opened: Door, name: str) -> None:
    """A request with every field filled passes, by either name of a field, and is read by the gateway."""
    method = METHODS[name]
    rule = method.GetOptions().Extensions[HTTP]
    for variant in range(variants(method.input_type)):
        for keeps_names in (True, False):
            body = MessageToDict(fill(method.input_type, variant), preserving_proto_field_name=keeps_names)
            placed = re.findall("{(.*?)}", rule.post)
            said = {field: body.pop(field, None) or body.pop(_camel(field)) for field in placed}
            answer = opened.ask(rule.post.format(**said), [body] if method.client_streaming else body)
            assert [word for word in STRICT if word in answer.body.decode()] == []
            assert answer.headers["content-type"] == "application/json"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)


def test_a_repeat_says_so(opened: Door) -> None:
    """The header `giftcard-replayed` comes with a repeated answer, and the same money moved once."""
    request = redemption()
    first, again = (opened.ask("/v1/transactions:redeem", request) for _ in range(2))
    assert [one.headers["giftcard-replayed"] for one in (first, again)] == [None, "true"]
    assert (first.json, available(opened)) == (again.json, "499")


def test_an_id_stands_in_the_address_alone(opened: Door) -> None:
    """A body that names another transaction than the address is refused."""
    request = redemption()
    opened.ask("/v1/transactions:redeem", request)
    place = f"/v1/transactions/{request['transactionId']}:confirmRedeem"
    assert opened.ask(place, {"transactionId": new_transaction_id()}).status == 400
    assert state(opened.ask(place, {}).json) == "CONFIRMED"


@pytest.mark.parametrize(
    ("verb", "address", "body", "status"),
    [
        ("POST", f"/v1/cards:balance?card.number.pan={PAN}", {}, 400),
        ("GET", "/v1/providers?page_size=1&pageSize=2", None, 400),
        ("GET", "/v1/providers?page_size=1&page%5Fsize=2", None, 400),
        ("GET", "/v1/providers/electrum-sandbox/offers?provider=gr4vy-sandbox", None, 400),
        ("GET", "/v1/providers?page_size=1", {"pageSize": 1}, 400),
        ("POST", "/v1/cards%3Abalance", {"card": CARD}, 404),
        ("POST", "/v1/cards:balance/", {"card": CARD}, 404),
        ("PUT", "/v1/cards:balance", {"card": CARD}, 404),
        ("POST", BALANCE, {"card": CARD}, 404),
    ],
)
def test_addresses_are_taken_as_they_are(
    opened: Door, verb: str, address: str, body: object, status: int
) -> None:
    """What a query or another spelling of an address could bring past the check is refused, unquoted."""
    refused = opened.ask(address, body, verb=verb)
    assert refused.status == status
    assert refused.json["code"] in {3, 5}
    assert PAN not in refused.body.decode()


def test_reads_take_a_query(opened: Door) -> None:
    """A GET takes its fields in the query, lists of them too, and a part of a field by its path."""
    assert len(opened.ask("/v1/providers?page_size=1").json["providers"]) == 1
    several = opened.ask("/v1/events:stream?providers=nobody&providers=nobody-else")
    assert (several.status, several.json["details"][0]["reason"]) == (404, "PROVIDER_NOT_FOUND")
    days = "fromDay.year=2026&fromDay.month=1&from_day.day=2"
    assert "issuedCount" in opened.ask(f"/v1/providers/jeudimerci-sandbox/ticketStatistics?{days}").json


def test_rows_and_a_stream_s_error(opened: Door) -> None:
    """Rows are taken as a list, and a stream's error keeps its details."""
    rows = opened.ask("/v1/transactions:reconcile", [{"scope": {"provider": "electrum-sandbox"}}])
    assert "requests[0].scope.start_time" in rows.body.decode()
    refused = opened.ask("/v1/transactions:watch", {"cursor": "no such"})
    assert (refused.status, refused.json["details"][0]["reason"]) == (400, "FIELD_INVALID")


def test_too_large_a_request_is_refused(opened: Door) -> None:
    """A request above a MiB never reaches the gateway."""
    assert opened.ask("/v1/cards:balance", b" " * 2_000_000).status == 413


def test_grpc_web(opened: Door) -> None:
    """A page's client gets the message, and the trailers with the status and the error's details."""
    answer = opened.ask(BALANCE, framed(v1.BalanceRequest(card=v1.Card(number=v1.CardNumber(pan=PAN)))), WEB)
    (kind, content), (end, trailers) = frames(answer.body)
    assert (kind, end) == (0, 128)
    assert v1.BalanceResponse.FromString(content).card_balance.balances.available.units == 500
    assert b"grpc-status:0" in trailers
    refused = opened.ask(BALANCE, framed(v1.BalanceRequest()), WEB)
    assert (refused.status, refused.headers["grpc-status"]) == (200, "3")
    assert refused.headers["grpc-status-details-bin"]


def test_grpc_passes(opened: Door) -> None:
    """The ordinary client works through the door as it is."""
    with Client(opened.url.removeprefix("http://"), plaintext=True) as client:
        redeemed = client.redeem(transaction_id=new_transaction_id(), card=PAN, amount="1.00", currency="ZAR")
        assert redeemed.state == v1.TransactionState.TRANSACTION_STATE_APPROVED


def test_tls(opened: Door) -> None:
    """The other port speaks TLS, and the same door is behind it."""
    trusted = ssl.create_default_context(cafile=str(opened.folder / "door.crt"))
    asked = urllib.request.Request(
        f"https://127.0.0.1:{opened.ports['tls']}/v1/cards:balance",
        data=json.dumps({"card": CARD}).encode(),
        headers=JSON,
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE_S, context=trusted) as answer:  # noqa: S310 - as above
        assert json.load(answer)["cardBalance"]["maskedCard"] == "604500******0061"


def test_only_pages_we_name_may_call(opened: Door) -> None:
    """A page of a named origin is let in and told so; another one's calls reach nothing."""
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    preflight = opened.ask("/v1/cards:balance", headers={"origin": PAGE, **asks}, verb="OPTIONS")
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    allowed = opened.ask("/v1/cards:balance", {"card": CARD}, {"origin": PAGE})
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, PAGE)
    assert allowed.headers["access-control-allow-credentials"] is None
    for verb in ("OPTIONS", "POST"):
        refused = opened.ask("/v1/cards:balance", headers={"origin": FOREIGN, **asks}, verb=verb)
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (403, None)
    simple = {"origin": FOREIGN, "content-type": "text/plain"}
    assert opened.ask("/v1/transactions:redeem", redemption(), simple).status == 403
    assert available(opened) == "500"


def test_money_is_never_repeated(tmp_path: Path) -> None:
    """A read that meets UNAVAILABLE is tried three times, a call that moves money once."""
    with refusing(grpc.StatusCode.UNAVAILABLE) as (port, asked), door(tmp_path / "door", port) as running:
        assert running.ask("/v1/cards:balance", {"card": CARD}).status == 503
        assert running.ask("/v1/transactions:redeem", redemption()).status == 503
    assert [one.method for one in asked] == [BALANCE, BALANCE, BALANCE, REDEEM]


def test_nobody_is_lent_a_name(tmp_path: Path) -> None:
    """The caller's token reaches the gateway as it came, and no cookie or certificate that it names."""
    shown = {
        "authorization": "Bearer somebody",
        "cookie": "session=somebody-else",
        "x-forwarded-client-cert": "URI=spiffe://shop.example/till-7",
    }
    with refusing(grpc.StatusCode.UNAVAILABLE) as (port, asked), door(tmp_path / "door", port) as running:
        running.ask("/v1/transactions:redeem", redemption(), shown)
    (metadata,) = (one.metadata for one in asked)
    assert metadata["authorization"] == "Bearer somebody"
    assert metadata.keys().isdisjoint({"cookie", "x-forwarded-client-cert"})


def test_one_machine_cannot_take_all(tmp_path: Path, shared: Sandbox) -> None:
    """What a machine asks beyond its measure is refused at the door, and health still answers."""
    with door(tmp_path / "door", shared.port, may={"door": 3}) as running:
        statuses = [running.ask("/v1/cards:balance", {"card": CARD}).status for _ in range(30)]
        assert statuses[:3] == [200] * 3
        assert 429 in statuses
        assert running.ask("/healthz").status == 200


def test_without_a_gateway_the_door_says_so(tmp_path: Path) -> None:
    """Once the gateway is gone, health is 503 and so is every call."""
    with sandbox(tmp_path) as gateway, door(tmp_path / "door", gateway.port) as running:
        assert gateway.running.stop() == 0
        assert running.ask("/v1/cards:balance", {"card": CARD}).status == 503
        wait_until(running, lambda: running.ask("/healthz").status == 503)


def test_a_gateway_that_leaves_is_sent_nothing(tmp_path: Path) -> None:
    """Not even the only one gets calls once it is NOT_SERVING, though it would answer them yet."""
    environ = {"GIFTCARD_GATEWAY__SERVER__LAME_DUCK_S": "3600"}
    with sandbox(tmp_path, environ=environ) as gateway, door(tmp_path / "door", gateway.port) as running:
        gateway.running.send(signal.SIGTERM)
        wait_until(running, lambda: running.ask("/healthz").status == 503)
        assert running.ask("/v1/cards:balance", {"card": CARD}).status == 503
        with gateway.client() as client:
            assert client.balance(card=PAN).balances.available.units == 500
        assert gateway.running.stop() == 0
