"""One round: trouble for one step of a transaction, and then the provider's books compared with our state.

Either the provider is frozen past our time-out: what was asked waits in its sockets, and so may its
reversal, and which of them is handled first when it thaws is not decided here. Or somebody between us and
the provider answers in its place, as rate limiters and proxies do.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from giftcard import AsyncClient, GiftcardError, v1
from giftcard_simulators.catalogue import SANDBOXES
from tests.conftest import ROOT
from tests.crash.processes.gateways import HURRIED, Gateway, write_config
from tests.e2e.processes import environment
from tests.patience import PATIENCE_S
from tests.providers.cells import CELLS, Cell
from tests.providers.world import BY_RPC

TIMEOUT_S = 1.0
HOLDS_S = (TIMEOUT_S + 0.3, TIMEOUT_S * 2.6)
"""How long the provider stands still: past the request's time-out, and past the first reversal's too."""
TERMS: Mapping[str, object] = {**HURRIED, "settling_s": TIMEOUT_S * 5, "confirm_by_s": 600.0}
_LOOK_S = 0.25
_STATE = v1.TransactionState
_OPEN = frozenset(
    {
        _STATE.TRANSACTION_STATE_PENDING,
        _STATE.TRANSACTION_STATE_CONFIRMING,
        _STATE.TRANSACTION_STATE_REVERSING,
    }
)
_BETWEEN = (429, 204, 302, 409, 425, 503, 499)
"""What somebody in between answers, one after the other; no provider documents any of them as a refusal."""
_STANDS = frozenset({_STATE.TRANSACTION_STATE_APPROVED, _STATE.TRANSACTION_STATE_CONFIRMED})
_NOTHING_MOVED = frozenset({_STATE.TRANSACTION_STATE_DECLINED, _STATE.TRANSACTION_STATE_FAILED})


class Step(StrEnum):
    """Which step of a transaction meets the trouble."""

    REQUEST = "request"
    CONFIRM = "confirm"
    REVERSE = "reverse"


@dataclass(frozen=True)
class Ended:
    """How a round ended: the state we tell, the effects in the provider's books, and whether they agree."""

    state: str
    effects: Mapping[str, int]
    is_right: bool


@dataclass
class Table:
    """A gateway process beside a provider process."""

    client: AsyncClient
    provider: subprocess.Popen[str]
    urls: Mapping[str, str]

    def read(self, cell: Cell, path: str) -> list[dict[str, object]]:
        """Return a list of the sandbox's own paths."""
        rows: list[dict[str, object]] = httpx.get(
            f"{self._url(cell)}/_sandbox/{path}", timeout=PATIENCE_S
        ).json()[path]
        return rows

    def reset(self, cell: Cell) -> None:
        """Open the provider's books afresh."""
        httpx.post(f"{self._url(cell)}/_sandbox/reset", timeout=PATIENCE_S).raise_for_status()

    def spoil(self, cell: Cell, statuses: Sequence[int]) -> None:
        """Let the next calls be answered with these statuses in place of the provider."""
        script = [{"fault": "status", "status": status} for status in statuses]
        httpx.post(f"{self._url(cell)}/_sandbox/faults", json=script, timeout=PATIENCE_S).raise_for_status()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the provider stand still while the block lasts."""
        os.kill(self.provider.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.provider.pid, signal.SIGCONT)

    async def play(self, cell: Cell, step: Step, hold_s: float) -> Ended:
        """Freeze the provider for `hold_s` while `step` is under way, and say how it ended."""
        if step is Step.REQUEST:
            self.reset(cell)
            fields = cell.fresh()
            transaction_id = str(fields["transaction_id"])
            work = self._ask(cell, fields)
        else:
            transaction_id = await self._sell(cell)
            work = self._decide(cell, transaction_id, step)
        with self.frozen():
            doing = asyncio.ensure_future(work)
            await asyncio.sleep(hold_s)
        await doing
        transaction = await self._settled(transaction_id)
        if step is Step.REQUEST and transaction.state == _STATE.TRANSACTION_STATE_APPROVED:
            # What was found after all is undone, so that every round ends.
            await self._decide(cell, transaction_id, Step.REVERSE)
            transaction = await self._settled(transaction_id)
        return self._end(cell, transaction, step)

    async def interrupt(self, cell: Cell, step: Step, _: float) -> Ended:
        """Let somebody in between answer every early try of an advice, and say how it ended."""
        transaction_id = await self._sell(cell)
        self.spoil(cell, _BETWEEN)
        await self._decide(cell, transaction_id, step)
        return self._end(cell, await self._settled(transaction_id), step)

    def _end(self, cell: Cell, transaction: v1.Transaction, step: Step) -> Ended:
        effects = Counter(str(effect["kind"]) for effect in self.read(cell, "effects"))
        return Ended(
            state=_STATE.Name(transaction.state).removeprefix("TRANSACTION_STATE_"),
            effects=effects,
            is_right=_agrees(cell, transaction, effects) and _is_kept(cell, transaction, effects, step),
        )

    async def _ask(self, cell: Cell, fields: Mapping[str, object]) -> None:
        try:
            await getattr(self.client, BY_RPC[cell.operation].method)(provider=_ID[cell.provider], **fields)
        except GiftcardError:
            return

    async def _decide(self, cell: Cell, transaction_id: str, step: Step) -> None:
        rpc = BY_RPC[cell.operation]
        try:
            if step is Step.CONFIRM:
                await getattr(self.client, rpc.confirm_method)(transaction_id=transaction_id)
            else:
                await getattr(self.client, rpc.reverse_method)(
                    transaction_id=transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
                )
        except GiftcardError:
            return

    async def _sell(self, cell: Cell) -> str:
        """Return the id of an approved transaction; one that a slow machine lost is asked for anew."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.reset(cell)
                fields = cell.fresh()
                await self._ask(cell, fields)
                transaction = await self._settled(str(fields["transaction_id"]))
                if transaction.state == _STATE.TRANSACTION_STATE_APPROVED:
                    return transaction.transaction_id

    async def _settled(self, transaction_id: str) -> v1.Transaction:
        for _ in range(int(PATIENCE_S / _LOOK_S)):
            transaction: v1.Transaction = await self.client.get_transaction(transaction_id)
            if transaction.state not in _OPEN:
                return transaction
            await asyncio.sleep(_LOOK_S)
        return transaction

    def _url(self, cell: Cell) -> str:
        return self.urls[_ID[cell.provider]]


_ID = {cell.provider: f"{cell.provider}-sandbox" for cell in CELLS}


def _agrees(cell: Cell, transaction: v1.Transaction, effects: Counter[str]) -> bool:
    """Tell whether the books say what the state says; of UNRESOLVED they may say anything but twice.

    A request is booked once, however many cards it issues; what issued several is undone card by card.
    """
    asked, undone = effects[cell.kind], effects["reverse"]
    if asked > 1 or undone > cell.quantity:
        return False
    if transaction.state == _STATE.TRANSACTION_STATE_REVERSED:
        return undone == asked * cell.quantity
    if transaction.state in _NOTHING_MOVED:
        return not effects
    if transaction.state in _STANDS:
        return asked == 1 and not undone
    return transaction.state == _STATE.TRANSACTION_STATE_UNRESOLVED


def _is_kept(cell: Cell, transaction: v1.Transaction, effects: Counter[str], step: Step) -> bool:
    """Tell whether what a caller decided of an approval is what became of it."""
    if step is Step.CONFIRM:
        is_told = effects["confirm"] == 1 or not cell.is_confirmation_told
        return transaction.state == _STATE.TRANSACTION_STATE_CONFIRMED and is_told
    if step is Step.REVERSE and cell.guarantee != v1.Guarantee.GUARANTEE_NONE:
        return transaction.state == _STATE.TRANSACTION_STATE_REVERSED
    return True


@asynccontextmanager
async def lay(folder: Path) -> AsyncIterator[Table]:
    """Start a provider process and a gateway process beside it; end both by their ids."""
    provider = _start_provider()
    gateway: Gateway | None = None
    try:
        assert provider.stdout is not None
        urls: Mapping[str, str] = json.loads(provider.stdout.readline())
        write_config(folder / "gateway.toml", f"sqlite:///{folder / 'journal.db'}", _stanzas(urls), TERMS)
        gateway = Gateway(folder / "gateway.toml", folder, "frozen")
        await gateway.start()
        async with AsyncClient(gateway.address, plaintext=True) as client:
            yield Table(client, provider, urls)
    finally:
        if gateway is not None and gateway.process is not None:
            gateway.process.terminate()
            gateway.process.wait(PATIENCE_S)
        os.kill(provider.pid, signal.SIGCONT)
        provider.kill()
        provider.wait()
        if provider.stdout is not None:
            provider.stdout.close()


def _start_provider() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crash.frozen.provider"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )


def _stanzas(urls: Mapping[str, str]) -> dict[str, dict[str, object]]:
    return {
        one.provider_id: {
            "adapter": one.adapter,
            "settings": {
                **one.settings(),
                "base_url": urls[one.provider_id] + one.base_path,
                "timeout_s": TIMEOUT_S,
            },
        }
        for one in SANDBOXES
    }
