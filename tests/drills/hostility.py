"""Drill of a provider that is not itself: its answers are garbage, endless, of another sale, or lead away."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from giftcard import CallError, Card, Client, is_approved, new_transaction_id, v1
from giftcard_simulators.catalogue import SANDBOXES
from tests.drills.catalogue import drill
from tests.drills.providers import HURRIED, PAN, SETTINGS, TERMS, comes_to, is_sold, sold, till
from tests.drills.stage import DrillFailed, Scene, Stage
from tests.e2e.processes import free_port
from tests.e2e.sandboxes import ELECTRUM
from tests.patience import PATIENCE_S

HEADING = "A provider answers nonsense"
TIMEOUT_S = 3
ELECTRUM_ID = "electrum-sandbox"
(OTHER,) = (one for one in SANDBOXES if one.provider_id == "gr4vy-sandbox")
TAKEN_BACK = ("PENDING", "REVERSING", "REVERSED")
"""What a caller may be told of a sale whose outcome nobody knows, and which is taken back."""
HUGE_BYTES = 256 * 1024 * 1024
"""What is offered as one answer; the gateway reads no more than a few MiB of any."""
PIECE = b"x" * 65_536


@dataclass
class Impostor:
    """Stands between the gateway and the simulator, passes requests on, and answers as its manner is."""

    port: int = field(default_factory=free_port)
    simulator: int = 0
    manner: str = "fair"
    strays: int = 0
    """Requests that followed a redirection, which none may."""
    heard: int = 0

    @property
    def base_url(self) -> str:
        """Where the gateway finds it."""
        return f"http://127.0.0.1:{self.port}/giftcard/v3"

    def ask(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Have the true provider do it, and return its answer."""
        url = f"http://127.0.0.1:{self.simulator}{path}"
        asked = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310 - our own simulator
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()


class Line(BaseHTTPRequestHandler):
    """One connection to the impostor."""

    protocol_version = "HTTP/1.1"
    impostor: Impostor

    def do_POST(self) -> None:
        """Have it done, and answer in the manner of the moment."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path.startswith("/elsewhere"):
            self.impostor.strays += 1
            return self.say(200, b"{}")
        self.impostor.heard += 1
        passed = {
            name: self.headers[name] for name in ("authorization", "content-type") if name in self.headers
        }
        status, answer = self.impostor.ask(self.path, passed, body)
        # Whoever has heard enough hangs up.
        with suppress(OSError):
            MANNERS[self.impostor.manner](self, status, answer)
        return None

    def say(self, status: int, body: bytes, **headers: str) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Say nothing on the terminal."""


def _fair(line: Line, status: int, answer: bytes) -> None:
    line.say(status, answer)


def _garbage(line: Line, status: int, _answer: bytes) -> None:
    line.say(status, bytes(range(256)) * 16)


def _huge(line: Line, status: int, _answer: bytes) -> None:
    line.send_response(status)
    line.send_header("content-length", str(HUGE_BYTES))
    line.end_headers()
    for _ in range(HUGE_BYTES // len(PIECE)):
        line.wfile.write(PIECE)


def _drip(line: Line, status: int, _answer: bytes) -> None:
    line.send_response(status)
    line.send_header("content-length", str(HUGE_BYTES))
    line.end_headers()
    waiting = threading.Event()
    while True:
        line.wfile.write(b" ")
        line.wfile.flush()
        waiting.wait(0.1)


def _other_id(line: Line, status: int, answer: bytes) -> None:
    line.say(status, json.dumps(json.loads(answer or b"{}") | {"id": new_transaction_id()}).encode())


def _other_amount(line: Line, status: int, answer: bytes) -> None:
    line.say(status, answer.replace(b'"amount":100', b'"amount":100000'))


def _redirect(line: Line, _status: int, _answer: bytes) -> None:
    line.say(307, b"", location=f"http://127.0.0.1:{line.impostor.port}/elsewhere")


MANNERS: dict[str, Callable[[Line, int, bytes], None]] = {
    "fair": _fair,
    "garbage": _garbage,
    "256 MiB": _huge,
    "for another sale": _other_id,
    "another amount": _other_amount,
    "a redirection": _redirect,
    "one byte after the other, without end": _drip,
}
NONSENSE = tuple(MANNERS)[1:]


@contextmanager
def impostor() -> Iterator[Impostor]:
    """Listen until the block ends."""
    one = Impostor()
    handler = type("ImpostorLine", (Line,), {"impostor": one})
    server = ThreadingHTTPServer(("127.0.0.1", one.port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()


def memory_kb(pid: int) -> int:
    """Return the most memory that a process ever had, by Linux."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (one for one in text.splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1])


@drill(HEADING)
def hostile_provider(stage: Stage) -> None:
    """A provider does what it is asked and answers nonsense; it is paused, and the other ones go on."""
    with impostor() as between:
        environ = HURRIED | {f"{SETTINGS}BASE_URL": between.base_url, f"{SETTINGS}TIMEOUT_S": str(TIMEOUT_S)}
        # A probe takes TIMEOUT_S; open for longer than that, the circuit is seen so by who looks each second.
        environ[f"{TERMS}CIRCUIT_COOLDOWN_S"] = "4"
        with stage.gateway(environ) as scene, till(scene) as client:
            between.simulator = scene.sandbox.port + ELECTRUM
            play(stage, scene, client, between)


def play(stage: Stage, scene: Scene, client: Client, between: Impostor) -> None:
    """Answer in every manner, also what takes it back, until the provider is paused and then itself again."""
    gateway = scene.sandbox.running.process.pid
    before_kb = memory_kb(gateway)
    ids = []
    for manner in NONSENSE:
        ids.append(sold_to_nobody(stage, client, between, manner))
        others_sell(client)
    grown_mb = (memory_kb(gateway) - before_kb) // 1024
    if grown_mb * 1024 * 1024 > HUGE_BYTES // 2:
        raise DrillFailed(f"it took {grown_mb} MiB for one answer")
    if between.strays:
        raise DrillFailed("a redirection was followed")
    stage.say("the redirection was followed by nobody, the long answers were not read to their end")
    stage.say("every other provider went on selling")
    scene.rings("GiftcardAdvicesPileUp", sooner=("3600", "1"))
    # Answers that do not end are none; all the others were answers.
    scene.rings("GiftcardCircuitOpen")
    scene.typed(HEADING, 0, PROVIDER=ELECTRUM_ID)
    if refusal(client) != "PROVIDER_PAUSED":
        raise DrillFailed("something new is sent to a provider that is paused")
    others_sell(client)
    between.manner = "fair"
    stage.say("mended: the provider answers as it should")
    for one in ids:
        stage.until(partial(comes_to, client, one, "REVERSED"), "what nobody knows of is reversed")
    stage.say(f"ended: the {len(ids)} sales without an answer are REVERSED")
    scene.is_silent("GiftcardAdvicesPileUp", sooner=("3600", "1"))
    scene.is_silent("GiftcardCircuitOpen")
    scene.typed(HEADING, 1, PROVIDER=ELECTRUM_ID)
    stage.until(lambda: is_sold(client), "a redemption is approved")
    scene.booked(ELECTRUM, "redeem", *["redeem", "reverse"] * len(ids))


def sold_to_nobody(stage: Stage, client: Client, between: Impostor, manner: str) -> str:
    """Redeem one rand that is answered in a manner; return the id, and fail if the answer was believed."""
    between.manner = manner
    heard, transaction_id = between.heard, new_transaction_id()
    try:
        told = client.redeem(transaction_id=transaction_id, card=PAN, amount="1.00", currency="ZAR")
    except CallError as refused:
        raise DrillFailed(f"{manner} is answered with {refused.reason}") from None
    if between.heard == heard:
        raise DrillFailed(f"the provider was not asked, and could not answer {manner}")
    state = v1.TransactionState.Name(told.state).removeprefix("TRANSACTION_STATE_")
    if state not in TAKEN_BACK:
        raise DrillFailed(f"{manner} was believed: {state}")
    stage.say(f"broken: the provider answers {manner}; its caller is told {state}")
    return transaction_id


def others_sell(client: Client) -> None:
    """Redeem a dollar of another provider."""
    number, pin = OTHER.demo_cards["funded"]
    card = Card.number(number, pin=pin)
    told = client.redeem(transaction_id=new_transaction_id(), card=card, amount="1.00", currency="USD")
    if not is_approved(told):
        raise DrillFailed("another provider suffers with it")


def refusal(client: Client) -> str:
    """Redeem one rand, and return why that was refused."""
    try:
        sold(client)
    except CallError as refused:
        return refused.reason
    return ""
