"""How many calls one Redeem and one exchange make in our own code: a figure that no busy machine blurs.

A whole gateway answers in this process, with signing in, budgets, audit, sealing, spans and metrics. The
journal and the provider answer at once, and gRPC and the HTTP engine are not there: what is counted is every
Python and C function that the thread of the loop calls between a request's bytes and its answer's.

`python -m tests.bench.calls` prints the counts; `--top 40` also which functions they are. `make check` fails
above BUDGETS.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from google.type.money_pb2 import Money
from opentelemetry.sdk.trace import SpanProcessor

from giftcard import v1
from giftcard_adapters.calls import Reply
from giftcard_adapters.electrum import Electrum
from giftcard_adapters.roundtrip import Outgoing, RoundTrips
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_gateway.access import api_keys
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.access import Access, Grant, Scope
from giftcard_gateway.config.settings import Routing
from giftcard_gateway.journal.sqlite.journal import Sqlite
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from giftcard_gateway.services import handlers
from giftcard_gateway.telemetry import open_telemetry
from giftcard_gateway.telemetry.durations import InMemory
from giftcard_simulators.electrum import SANDBOX
from tests.world.app import open_app, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from types import FrameType

    from giftcard_adapters.calls import Call, Signer
    from giftcard_adapters.exchange import Exchange
    from giftcard_gateway.journal.contract import Row
    from giftcard_gateway.journal.notes import AuditRow
    from giftcard_gateway.process.app import App
    from giftcard_gateway.telemetry import Telemetry

_ROOT = Path(__file__).parents[2]
BUDGETS = {"Redeem": 600, "Exchange.send": 55}
"""The most calls there may be. Lower them with every improvement; wanted are 350 and 120."""
PAN = "6045000000000061"
ROUNDS = 20
CLOCK = SystemClock()
_ANSWER = (
    b'{"id":"%s","time":"2026-11-25T12:00:00.000Z","thirdPartyIdentifiers":[],"rrn":"261125000001",'
    b'"card":{"pan":"604500******0061","expiryDate":"4912"},"amounts":'
    b'{"requestAmount":{"amount":10000,"currency":"710"},"approvedAmount":{"amount":10000,"currency":"710"},'
    b'"balanceAmount":{"amount":40000,"currency":"710"},"availableBalance":{"amount":40000,"currency":"710"}}}'
)


class AtOnce(RoundTrips):
    """A provider that approves at once."""

    async def roundtrip(self, sent: Outgoing) -> Reply:
        """Answer as Electrum does."""
        name = sent.target.rpartition("/")[2].encode()
        return Reply(status=201, headers={"content-type": "application/json"}, body=_ANSWER % name)


class Granting(Sqlite):
    """A journal that says yes at once to what a redemption writes."""

    async def open(self, row: Row) -> Row | None:  # noqa: ARG002 - the journal's own shape
        """Take a new row."""
        return None

    async def write(self, row: Row) -> bool:  # noqa: ARG002 - the journal's own shape
        """Take a row."""
        await asyncio.sleep(0)
        return True

    async def add_audit(self, rows: Sequence[AuditRow], *, rides: bool = False) -> None:
        """Take records."""


class Ignored(SpanProcessor):
    """Takes every span, as an exporter does, and drops it."""


class Context:
    """What gRPC hands to a call."""

    def __init__(self, key: str) -> None:
        """Show a key."""
        self._metadata = (("user-agent", "x"), ("authorization", f"Bearer {key}"))

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what the caller sent beside the request."""
        return self._metadata

    def peer(self) -> str:
        """Return where the call comes from."""
        return "ipv4:127.0.0.1:50000"

    def time_remaining(self) -> float:
        """Return what is left of the deadline."""
        return 30.0

    def set_trailing_metadata(self, metadata: object) -> None:
        """Take what goes behind the answer."""

    async def abort(self, *told: object) -> None:
        """Fail: every call here is a good one."""
        raise AssertionError(told)


class Counting:
    """Counts the calls that this thread makes, by function: those inside an exchange, and all others."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.begin()

    def begin(self) -> None:
        """Begin at nothing, again."""
        self.redeem: Counter[str] = Counter()
        self.exchange: Counter[str] = Counter()
        self._now = self.redeem

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:  # noqa: ANN401 - what the interpreter hands
        """Take one event of the interpreter."""
        code = frame.f_code
        if code.co_filename == __file__:
            return  # what stands here for gRPC, the journal and the provider is not the gateway's
        if event == "call":
            self._now[f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname}"] += 1
        elif event == "c_call":
            self._now[f"built in {argument.__qualname__} from {code.co_filename}"] += 1

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Surround what is counted."""
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)

    def split(self, exchange: Exchange) -> None:
        """Count what an exchange sends as its own; nothing else runs meanwhile, since it answers at once."""
        send = exchange.send

        async def sent(call: Call, *, sign: Signer, name: str) -> Reply:
            self._now = self.exchange
            try:
                return await send(call, sign=sign, name=name)
            finally:
                self._now = self.redeem

        exchange.send = sent  # type: ignore[method-assign]  # what a test may do to a part it owns


def connected(telemetry: Telemetry) -> Connection:
    """Return a connection to Electrum whose far end approves at once."""
    stanza = {**SANDBOX.settings(), "base_url": "http://127.0.0.1:1/giftcard/v3"}
    told = read_settings(Electrum, stanza)
    transport = telemetry.traced(AtOnce(), "electrum")
    provider = open_provider(Electrum, told, transport=transport, moment=CLOCK.moment)
    return Connection("electrum", provider, Terms(), CLOCK)


@asynccontextmanager
async def gateway() -> AsyncIterator[tuple[App, str]]:
    """Start a gateway with all that costs anything on; give it and a key that signs in."""
    telemetry = open_telemetry({}, CLOCK, processors=[Ignored()], readers=[InMemory()])
    with tempfile.TemporaryDirectory() as folder:
        journal = Granting(f"{folder}/journal.db")
        async with open_app(
            settings(access=Access(api_keys=True), routing=Routing(default="electrum")),
            CLOCK,
            telemetry=telemetry,
            journal=journal,
            connections=Connections([connected(telemetry)]),
        ) as app:
            key, text = api_keys.make(Grant(name="till-7", scopes=(Scope.MONEY, Scope.READ)), CLOCK)
            await journal.put_api_key(api_keys.row_of(key))
            if app.signing_in.keys is not None:
                await app.signing_in.keys.read()
            yield app, text


def request() -> bytes:
    """Return the bytes of a Redeem of its own."""
    amount = Money(currency_code="ZAR", units=100)
    card = v1.Card(number=v1.CardNumber(pan=PAN))
    return v1.RedeemRequest(transaction_id=CLOCK.uuid4(), card=card, amount=amount).SerializeToString()


@dataclass
class _Details:
    """What gRPC tells of a call to find its handler."""

    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...] = ()


def handler(app: App, method: str) -> Any:  # noqa: ANN401 - gRPC's own shapes
    """Return the handler of a method."""
    found = (one.service(_Details(method)) for one in handlers(app.dependencies))
    return next(one for one in found if one is not None)


async def measured() -> tuple[Counter[str], Counter[str]]:
    """Count the calls of a redemption, and those inside its exchange.

    Of ROUNDS it is the one that made the fewest: now and then a task in the background has its turn.
    """
    async with gateway() as (app, key):
        redeem = handler(app, "/giftcard.v1.GiftCardService/Redeem")
        counting = Counting()
        counting.split(app.connections.get("electrum").provider.exchange)
        context = Context(key)
        counted: list[tuple[Counter[str], Counter[str]]] = []
        for sent in [request() for _ in range(2 * ROUNDS)]:
            counting.begin()
            with counting.counting():
                answer = redeem.response_serializer(await redeem.unary_unary(sent, context))
            counted.append((counting.redeem, counting.exchange))
            told = v1.RedeemResponse.FromString(answer).transaction
            assert told.state == v1.TransactionState.TRANSACTION_STATE_APPROVED
        # The first ones make what is made once.
        return min(counted[ROUNDS:], key=lambda round_of: round_of[0].total())


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.calls", description="Count a Redeem's calls; 1 above the budgets."
    )
    parser.add_argument(
        "--top", type=int, default=0, metavar="N", help="also print the N functions called most"
    )
    parser.add_argument("--rooms", action="store_true", help="also print how many calls each module makes")
    given = parser.parse_args()
    redeem, exchange = uvloop.run(measured())
    too_many = False
    for name, calls in (("Redeem", redeem), ("Exchange.send", exchange)):
        count, budget = calls.total(), BUDGETS[name]
        too_many |= count > budget
        sys.stdout.write(f"{name}: {count} calls of the {budget} there may be\n")
        rooms = Counter[str]()
        for function, calls_of in calls.items():
            rooms[function.rpartition(" from ")[2].partition(":")[0]] += calls_of
        for shown in (calls.most_common(given.top), rooms.most_common() if given.rooms else ()):
            for name_of, calls_of in shown:
                sys.stdout.write(f"  {calls_of:5}  {name_of.replace(str(_ROOT), '')}\n")
    return 1 if too_many else 0


if __name__ == "__main__":
    sys.exit(main())
