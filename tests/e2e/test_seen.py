"""What a gateway tells of itself while it works: one trace across the wires, and never a secret."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import grpc

from giftcard import v1
from giftcard.stubs import Stubs
from giftcard_simulators.catalogue import SANDBOXES
from tests.e2e.processes import run
from tests.e2e.sandboxes import (
    ELECTRUM,
    SIMULATORS,
    Plain,
    Sandbox,
    redemption,
    sandbox,
    values_in,
)
from tests.patience import PATIENCE_S

EVERYTHING = {
    "OTEL_TRACES_EXPORTER": "console",
    "OTEL_METRICS_EXPORTER": "console",
    "GIFTCARD_GATEWAY__TELEMETRY__LOG_LEVEL": "debug",
}
PAN, PIN_PAN, STRANGER = "6045000000000061", "6045000000000079", "4111111111111111"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PRIVATE_SETTINGS = {
    "password",
    "private_key",
    "webhook_secrets",
    "api_key",
    "webhook_api_key",
    "card_id_key",
    "api_secret",
}


class Wire(ThreadingHTTPServer):
    """Stands between the gateway and a simulator, and keeps the trace each request belongs to."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen; `target` is set once the simulator is known."""
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = 0
        self.traceparents: list[str] = []


class _Passing(BaseHTTPRequestHandler):
    server: Wire
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Pass a request on as it came, and the answer back."""
        self.server.traceparents.append(self.headers.get("traceparent", ""))
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        url = f"http://127.0.0.1:{self.server.target}{self.path}"
        asked = urllib.request.Request(url, data=body, headers=dict(self.headers), method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310 - our own simulator
                content = answer.read()
        except HTTPException:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Wire]:
    """Give a wire that passes requests on until the block ends."""
    with Wire() as wire:
        thread = threading.Thread(target=wire.serve_forever)
        thread.start()
        try:
            yield wire
        finally:
            wire.shutdown()
            thread.join()


def test_one_trace_goes_from_the_caller_to_the_provider(tmp_path: Path) -> None:
    """The caller's trace has our server span, the exchange below it, and what the provider is sent."""
    with listening() as wire:
        through = f"http://127.0.0.1:{wire.server_address[1]}/giftcard/v3"
        base_url = "GIFTCARD_GATEWAY__PROVIDERS__ELECTRUM_SANDBOX__SETTINGS__BASE_URL"
        with sandbox(tmp_path, environ=EVERYTHING | {base_url: through}) as running:
            wire.target = running.port + ELECTRUM
            redeem(running, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
            running.running.stop()
            spans = [one for one in values_in(running.running.complained) if "kind" in one]
    # The journal's commits are client spans of this trace, too.
    ours = {
        one["kind"]: one
        for one in spans
        if context_of(one)["trace_id"] == f"0x{TRACE}" and one["name"] != "COMMIT"
    }
    server, client = ours["SpanKind.SERVER"], ours["SpanKind.CLIENT"]
    assert server["parent_id"] == "0x00f067aa0ba902b7"
    assert client["parent_id"] == context_of(server)["span_id"]
    assert wire.traceparents == [f"00-{TRACE}-{context_of(client)['span_id'].removeprefix('0x')}-01"]


def context_of(span: Plain) -> dict[str, str]:
    """Return what identifies a span."""
    return cast("dict[str, str]", span["context"])


def redeem(running: Sandbox, **metadata: str) -> None:
    """Redeem one rand, in the trace the metadata names."""
    with grpc.insecure_channel(running.address) as channel:
        Stubs(channel).gift_cards.Redeem(
            redemption(PAN), metadata=tuple(metadata.items()), timeout=PATIENCE_S
        )


def test_no_secret_is_told_anywhere(tmp_path: Path) -> None:
    """After a whole story with all telemetry on, no number, PIN, key or password was written anywhere."""
    with sandbox(tmp_path, environ=EVERYTHING) as running:
        story = run("demo", "--address", running.address, folder=tmp_path)
        assert story.returncode == 0, story.stderr
        refusals = "".join(bad_calls(running))
        listed = run("transactions", "--address", running.address, "list", folder=tmp_path).stdout
        cards = [card for one in SIMULATORS for card in running.get(one, "cards")]
        assert running.running.stop() == 0
        seen = running.running.said.partition("Redeem 100.00")[0] + running.running.complained
        kept = b"".join(file.read_bytes() for file in running.data.iterdir() if file.name != "keys.json")
        keys = json.loads((running.data / "keys.json").read_bytes()).values()
    pattern = re.compile("|".join([*secrets_of(cards), *settings_secrets(), *map(re.escape, keys)]))
    everything = {"output": seen, "story": story.stdout + story.stderr, "refusals": refusals, "list": listed}
    everything["journal"] = kept.decode("latin-1")
    for place, text in everything.items():
        assert text, f"nothing was written to {place}"
        found = pattern.search(text)
        assert found is None, (
            f"{place} has a secret after {text[max(0, found.start() - 60) : found.start()]!r}"
        )
    assert pattern.search(json.dumps(cards)), "the search finds what is there"
    assert "giftcard.v1.GiftCardService/Redeem" in seen
    assert "604510******0001" in story.stdout


def bad_calls(running: Sandbox) -> Iterator[str]:
    """Ask for what cannot be, with card numbers in every wrong place, and give whatever comes back."""
    card = v1.Card(number=v1.CardNumber(pan=PAN))
    wrong_pin = v1.Card(number=v1.CardNumber(pan=PIN_PAN, clear_pin="050000"))
    stranger = v1.Card(number=v1.CardNumber(pan=STRANGER))
    known = "electrum-sandbox"
    with grpc.insecure_channel(running.address) as channel:
        stubs = Stubs(channel)
        asks = (
            lambda: stubs.gift_cards.Lookup(
                v1.LookupRequest(card=stranger, provider=known), timeout=PATIENCE_S
            ),
            lambda: stubs.gift_cards.Lookup(
                v1.LookupRequest(card=wrong_pin, provider=known), timeout=PATIENCE_S
            ),
            lambda: stubs.gift_cards.Balance(v1.BalanceRequest(card=card, provider=PAN), timeout=PATIENCE_S),
            lambda: stubs.gift_cards.Redeem(
                v1.RedeemRequest(transaction_id=PAN, card=card), timeout=PATIENCE_S
            ),
            lambda: stubs.transactions.GetTransaction(
                v1.GetTransactionRequest(transaction_id=PAN), timeout=PATIENCE_S
            ),
            lambda: stubs.providers.GetProvider(v1.GetProviderRequest(provider=PAN), timeout=PATIENCE_S),
        )
        for ask in asks:
            try:
                yield str(ask())
            except grpc.RpcError as fault:
                yield f"{fault.code()} {fault.details()} {fault.trailing_metadata()}"


def secrets_of(cards: list[Plain]) -> Iterator[str]:
    """Give a pattern for each card's number, its longer PIN and whatever else it could be spent with."""
    yield STRANGER
    for card in cards:
        labels = cast("dict[str, str]", card["labels"])
        for secret in (
            str(card["number"]),
            *(labels.get(name, "") for name in ("key", "pin_hash", "pin_block")),
        ):
            if len(secret) > 11 and not secret.startswith("ACCOUNT"):
                yield re.escape(secret)
        if len(pin := str(card["pin"])) > 4:
            yield rf"(?<![\w.:-]){pin}(?![\w-])"


def settings_secrets() -> Iterator[str]:
    """Give a pattern for every secret the adapters are configured with, a key's lines one by one."""
    for one in SANDBOXES:
        for name, value in one.settings().items():
            if name in PRIVATE_SETTINGS:
                texts = value if isinstance(value, list) else str(value).splitlines()
                yield from (re.escape(text) for text in texts if not text.startswith("-----"))
