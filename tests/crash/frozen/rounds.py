"""One round: freeze the provider, ask, wait past the time-out, thaw it, and compare its books with our state.

What was asked waits in the provider's sockets while it is frozen, and so may its reversal. Which of them is
handled first when it thaws is not decided here.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from giftcard import AsyncClient, GiftcardError, v1
from giftcard_simulators.catalogue import SANDBOXES
from tests.conftest import ROOT
from tests.crash.processes.gateways import HURRIED, Gateway, write_config
from tests.e2e.processes import environment
from tests.providers.cells import CELLS, Cell
from tests.providers.world import BY_RPC

TIMEOUT_S = 1.0
HOLDS_S = (TIMEOUT_S + 0.3, TIMEOUT_S * 2.6)
"""How long the provider stands still: past the request's time-out, and past the first reversal's too."""
TERMS: Mapping[str, object] = {**HURRIED, "settling_s": TIMEOUT_S * 5, "confirm_by_s": 600.0}
_ENDS_S = 180.0
"""How long a transaction may take to end, on a busy machine."""
_LOOK_S = 0.25
_STATE = v1.TransactionState
_OPEN = frozenset(
    {
        _STATE.TRANSACTION_STATE_PENDING,
        _STATE.TRANSACTION_STATE_CONFIRMING,
        _STATE.TRANSACTION_STATE_REVERSING,
    }
)
_NOTHING_MOVED = frozenset({_STATE.TRANSACTION_STATE_DECLINED, _STATE.TRANSACTION_STATE_FAILED})


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
        rows: list[dict[str, object]] = httpx.get(f"{self._url(cell)}/_sandbox/{path}").json()[path]
        return rows

    def reset(self, cell: Cell) -> None:
        """Open the provider's books afresh."""
        httpx.post(f"{self._url(cell)}/_sandbox/reset").raise_for_status()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the provider stand still while the block lasts."""
        os.kill(self.provider.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.provider.pid, signal.SIGCONT)

    async def play(self, cell: Cell, hold_s: float) -> Ended:
        """Play one round and say how it ended."""
        self.reset(cell)
        fields = cell.fresh()
        with self.frozen():
            asked = asyncio.ensure_future(self._ask(cell, fields))
            await asyncio.sleep(hold_s)
        await asked
        transaction = await self._ended(str(fields["transaction_id"]))
        if transaction.state == _STATE.TRANSACTION_STATE_APPROVED:
            # What was found after all is undone, so that every round ends.
            transaction = await self._reversed(cell, transaction)
        effects = Counter(str(effect["kind"]) for effect in self.read(cell, "effects"))
        return Ended(
            state=_STATE.Name(transaction.state).removeprefix("TRANSACTION_STATE_"),
            effects=effects,
            is_right=_agrees(cell, transaction, effects),
        )

    async def _ask(self, cell: Cell, fields: Mapping[str, object]) -> None:
        try:
            await getattr(self.client, BY_RPC[cell.operation].method)(provider=_ID[cell.provider], **fields)
        except GiftcardError:
            return

    async def _ended(self, transaction_id: str) -> v1.Transaction:
        for _ in range(int(_ENDS_S / _LOOK_S)):
            transaction: v1.Transaction = await self.client.get_transaction(transaction_id)
            if transaction.state not in _OPEN:
                return transaction
            await asyncio.sleep(_LOOK_S)
        return transaction

    async def _reversed(self, cell: Cell, transaction: v1.Transaction) -> v1.Transaction:
        reverse = getattr(self.client, BY_RPC[cell.operation].reverse_method)
        try:
            await reverse(
                transaction_id=transaction.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
            )
        except GiftcardError:
            return transaction
        return await self._ended(transaction.transaction_id)

    def _url(self, cell: Cell) -> str:
        return self.urls[_ID[cell.provider]]


_ID = {cell.provider: f"{cell.provider}-sandbox" for cell in CELLS}


def _agrees(cell: Cell, transaction: v1.Transaction, effects: Counter[str]) -> bool:
    """Tell whether the books say what the state says; of UNRESOLVED they may say anything but twice."""
    asked, undone = effects[cell.kind], effects["reverse"]
    if asked > cell.quantity or undone > cell.quantity:
        return False
    if transaction.state == _STATE.TRANSACTION_STATE_REVERSED:
        return asked == undone
    if transaction.state in _NOTHING_MOVED:
        return not effects
    if transaction.state == _STATE.TRANSACTION_STATE_APPROVED:
        return asked == cell.quantity and not undone
    return transaction.state == _STATE.TRANSACTION_STATE_UNRESOLVED or transaction.state in _OPEN


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
            gateway.process.wait(30)
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
