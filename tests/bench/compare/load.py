"""Load on one design, and what it took: rates, times, wrong answers, CPU time a call."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec
from google.type.money_pb2 import Money

from giftcard import v1
from tests.bench.compare.rig import Rig, Serving, load_program

PLACEHOLDER = "00000000-0000-4000-8000-000000000000"
"""What load/message.go writes an id over."""
_SERVICE = "/giftcard.v1.GiftCardService/"
_STATES = {
    "Redeem": v1.TransactionState.TRANSACTION_STATE_APPROVED,
    "ConfirmRedeem": v1.TransactionState.TRANSACTION_STATE_CONFIRMED,
    "ReverseRedeem": v1.TransactionState.TRANSACTION_STATE_REVERSED,
}
"""The state each answer's transaction must be in; other methods' answers have none."""


class Told(msgspec.Struct, kw_only=True):
    """What the load program saw."""

    seconds: float
    kinds: dict[str, int]
    ms: dict[str, dict[str, float]]
    texts: dict[str, str] = {}


@dataclass
class Slice:
    """Some seconds of load on one design."""

    design: str
    callers: int
    told: Told
    cpu_us: float
    """CPU microseconds a call took in the design's processes."""
    postgres_us: float
    """CPU microseconds a call took in PostgreSQL; none where the design keeps nothing there."""
    provider_us: float
    wrong: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> int:
        """How many calls were answered well."""
        return self.told.kinds.get("OK", 0)

    @property
    def per_s(self) -> float:
        """How many calls were answered well, a second."""
        return self.good / self.told.seconds

    def ms(self, share: str) -> float:
        """Return how long a call took that was answered well: `p50`, `p90`, `p99` or `max`."""
        return self.told.ms.get("OK", {}).get(share, float("nan"))


def prepare(folder: Path) -> None:
    """Write the requests that the load program sends."""
    card = v1.Card(number=v1.CardNumber(pan="6045000000000061", expiry="4912"))
    requests = {
        "Redeem": v1.RedeemRequest(
            transaction_id=PLACEHOLDER,
            card=card,
            amount=Money(currency_code="ZAR", units=100),
            external_reference="order-2026-11-25-000123",
            basket_reference="basket-77",
            labels={"shop": "cape-town-12", "till": "till-4", "cashier": "c-119", "channel": "in-store"},
        ),
        "ConfirmRedeem": v1.ConfirmRedeemRequest(transaction_id=PLACEHOLDER),
        "ReverseRedeem": v1.ReverseRedeemRequest(
            transaction_id=PLACEHOLDER, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
        ),
        "Balance": v1.BalanceRequest(card=card),
        "Lookup": v1.LookupRequest(card=card),
    }
    for method, request in requests.items():
        (folder / f"{method}.bin").write_bytes(request.SerializeToString())


def load(rig: Rig, design: Serving, callers: int, *, method: str = "Redeem", **more: object) -> Slice:
    """Call a design from `callers` at once; further options are the load program's, as in `lasting="2s"`."""
    options: dict[str, object] = {
        "address": design.address,
        "callers": callers,
        "method": f"{_SERVICE}{method}",
        "request": rig.folder / f"{method}.bin",
        "key": design.key,
        "state": int(_STATES.get(method, 0)),
        "ours": str(design.name != "noop").lower(),
    }
    if method == "Redeem" and design.heard:
        options["told"] = design.heard
    options |= more
    command = [str(load_program()), *(f"-{name}={value}" for name, value in options.items())]
    before = design.cpu_s, rig.postgres_cpu_s, rig.provider_cpu_s
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    after = design.cpu_s, rig.postgres_cpu_s, rig.provider_cpu_s
    if ran.returncode:
        raise click.ClickException(f"load on {design.name}: {ran.stderr}")
    told = msgspec.json.decode(ran.stdout, type=Told)
    calls = sum(told.kinds.values())
    own_us, postgres_us, provider_us = (
        (late - early) / max(calls, 1) * 1e6 for early, late in zip(before, after, strict=True)
    )
    if not design.journal.startswith("postgresql"):
        postgres_us = 0.0
    wrong = {kind: count for kind, count in told.kinds.items() if kind != "OK"}
    return Slice(design.name, callers, told, own_us, postgres_us, provider_us, wrong)
