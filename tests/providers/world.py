"""A whole gateway for tests: real gRPC, real HTTP, a SQLite journal, and every simulated provider on a port.

What is asked of it stands in the tests; what each provider can do stands in `cells`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
from grpc import aio

from giftcard import AsyncClient, ConfirmationFailed, RepeatPolicy, v1
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from giftcard_gateway import config
from giftcard_gateway.process.app import App
from giftcard_simulators.catalogue import PROVIDERS, Sandbox
from giftcard_simulators.sandbox import SimAnswer, SimRequest, Simulator
from giftcard_simulators.serve import Served, serve
from tests.house.tables import package_of
from tests.patience import ANSWER_S, PATIENCE_S
from tests.world.app import HASH_KEY, HOST, KEY, SLOW_TO_FORGIVE, edge_of, open_app, until
from tests.world.clock import ShiftedClock

ELECTRUM, GR4VY, JEUDIMERCI, GATEPAY = "electrum", "gr4vy", "jeudimerci", "gatepay"
_SANDBOXES = {package_of(one).replace("_", "-"): one for one in PROVIDERS}
NAMES = tuple(_SANDBOXES)
"""Every simulated provider, called like its adapter's package; those above are known to the tests by name."""
BY_RPC = {names_of(operation).rpc: names_of(operation) for operation in Operation}
"""What an operation is called, by the name of its RPC."""

Table = dict[str, Any]
"""Raw tables of `gateway.toml`."""
Adjust = Callable[[Table], None]


def overhear(simulator: Simulator) -> list[SimRequest]:
    """Keep the requests a simulator answers from now on, so that a test can say what reached the provider."""
    heard: list[SimRequest] = []
    answer = simulator.answer

    def keep_and_answer(request: SimRequest) -> SimAnswer:
        heard.append(request)
        return answer(request)

    simulator.answer = keep_and_answer  # type: ignore[method-assign]  # every simulator alike
    return heard


@dataclass(frozen=True)
class Books:
    """A provider's cards at one moment: what is on each, and the state it is in."""

    balances: Mapping[str, tuple[int, int]]
    states: Mapping[str, str]

    def moved_since(self, before: Books) -> dict[str, tuple[int, int]]:
        """Return by how much each card's book and available balance changed; a new card had nothing."""
        moved = {
            number: (
                book - before.balances.get(number, (0, 0))[0],
                left - before.balances.get(number, (0, 0))[1],
            )
            for number, (book, left) in self.balances.items()
        }
        return {number: change for number, change in moved.items() if change != (0, 0)}


class Provider:
    """One simulated provider, spoken to as its sandbox allows: over HTTP."""

    def __init__(
        self, sandbox: Sandbox, simulator: Simulator, served: Served, http: httpx.AsyncClient
    ) -> None:
        """Keep what serves it, and what reaches it."""
        self.sandbox = sandbox
        self.simulator = simulator
        self.served = served
        self.heard = overhear(simulator)
        self._http = http

    async def effects(self) -> list[dict[str, Any]]:
        """Return every money effect, as the sandbox tells it."""
        told: list[dict[str, Any]] = (await self._get("effects"))["effects"]
        return told

    async def kinds(self) -> list[str]:
        """Return what kinds of effect there were, in order."""
        return [effect["kind"] for effect in await self.effects()]

    async def heard_of(self, method: str = "") -> None:
        """Return once a request has reached the provider, of this method if one is named."""
        await until(lambda: any(method in {"", one.method} for one in self.heard))

    async def script_played(self) -> None:
        """Return once everything has gone wrong that was scripted."""
        await until(lambda: not self.served.script.left())

    async def books(self) -> Books:
        """Return what is on every card."""
        cards = (await self._get("cards"))["cards"]
        return Books(
            {card["number"]: (card["book_minor"], card["available_minor"]) for card in cards},
            {card["number"]: card["state"] for card in cards},
        )

    async def go_wrong(self, *faults: Mapping[str, object]) -> None:
        """Script what goes wrong next."""
        (await self._http.post(self._url("faults"), json=list(faults))).raise_for_status()

    async def faults_left(self) -> int:
        """Return how many lines of the script were not played."""
        return len((await self._get("faults"))["faults"])

    async def reset(self) -> None:
        """Open the books anew and forget the script."""
        (await self._http.post(self._url("reset"))).raise_for_status()
        self.heard.clear()

    def _url(self, path: str) -> str:
        return f"{self.served.url}/_sandbox/{path}"

    async def _get(self, path: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self._http.get(self._url(path))).raise_for_status().json()
        return told


class World:
    """A gateway, its providers, and callers."""

    def __init__(
        self, app: App, clock: ShiftedClock, providers: Mapping[str, Provider], channel: aio.Channel
    ) -> None:
        """Keep the parts; callers come over `channel`, which repeats nothing by itself."""
        self.app = app
        self.clock = clock
        self.providers = providers
        self.client = AsyncClient(channel, policy=RepeatPolicy(deadline_s=PATIENCE_S, attempts=1))
        self.stubs = self.client.stubs
        self.address = f"{HOST}:{app.server.port}"

    async def post_event(self, provider: str, event: SimRequest) -> httpx.Response:
        """Bring a provider's event to the gateway, as the provider would."""
        return await self.post_webhook(provider, event.headers, event.body)

    async def post_webhook(self, provider: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """Post a body to a provider's webhook address."""
        async with httpx.AsyncClient(verify=False, timeout=PATIENCE_S) as http:  # noqa: S501 - plain HTTP
            url = f"http://{HOST}:{edge_of(self.app).port}/webhooks/{provider}"
            return await http.post(url, headers=dict(headers), content=body)

    async def ask(self, provider: str, operation: str, fields: Mapping[str, object]) -> v1.Transaction:
        """Ask one provider for a money operation; `fields` are the client's keywords."""
        told: v1.Transaction = await getattr(self.client, BY_RPC[operation].method)(
            provider=provider, **fields
        )
        return told

    async def confirm(self, operation: str, transaction_id: str, **fields: object) -> v1.Transaction:
        """Confirm a transaction."""
        confirm = getattr(self.client, BY_RPC[operation].confirm_method)
        try:
            told: v1.Transaction = await confirm(transaction_id=transaction_id, **fields)
        except ConfirmationFailed as fault:
            # What is asked here is what the gateway said, not what a shop should make of it.
            raise fault.failure from None
        return told

    async def reverse(self, operation: str, transaction_id: str, **fields: object) -> v1.Transaction:
        """Reverse a transaction, because the customer changed their mind."""
        reverse = getattr(self.client, BY_RPC[operation].reverse_method)
        reason = v1.ReversalReason.REVERSAL_REASON_CANCELLED
        told: v1.Transaction = await reverse(transaction_id=transaction_id, reason=reason, **fields)
        return told

    async def idle(self) -> None:
        """Return once this gateway drives no transaction; what is left waits for its next try."""
        await until(lambda: not self.app.pipeline.driver.load)

    async def settled(self, transaction_id: str) -> v1.Transaction:
        """Return a transaction once nothing is being found out about it."""
        return await self.client.get_transaction(transaction_id, wait_s=PATIENCE_S)


def raw_settings(folder: Path, providers: Mapping[str, Provider], *, timeout_s: float) -> Table:
    """Return the tables of a gateway whose retries are quick and whose breakers stay closed."""
    return {
        "server": {"listen": f"{HOST}:0", "drain_s": 5.0},
        "journal": {"url": f"sqlite:///{folder / 'journal.db'}"},
        "seal": {"keys": {"test": KEY}, "active": "test", "hash_key": HASH_KEY},
        "webhooks": {"listen": f"{HOST}:0"},
        "limits": msgspec.to_builtins(SLOW_TO_FORGIVE),
        "routing": {"rules": []},
        "providers": {name: stanza(one, timeout_s=timeout_s) for name, one in providers.items()},
    }


def stanza(provider: Provider, *, timeout_s: float = ANSWER_S) -> Table:
    """Return the stanza of a connection to `provider`."""
    sandbox = provider.sandbox
    return {
        "adapter": sandbox.adapter,
        "prefixes": list(sandbox.prefixes),
        "settings": {
            "base_url": f"{provider.served.url}{sandbox.base_path}",
            "timeout_s": timeout_s,
            **sandbox.settings(),
        },
        "terms": {"retry_base_s": 0.02, "retry_cap_s": 0.1, "circuit_threshold": 1000, "settling_s": 0.2},
    }


@asynccontextmanager
async def open_world(
    folder: Path,
    adjust: Adjust = lambda _: None,
    *,
    timeout_s: float = ANSWER_S,
    makers: Mapping[str, Callable[..., Simulator]] | None = None,
    **parts: Any,  # noqa: ANN401 - parts of App
) -> AsyncIterator[World]:
    """Assemble a world with its journal in `folder`; `adjust` may change the raw settings first.

    `makers` make a provider's simulator in another way; `parts` are the gateway's, as `assemble` takes them.
    """
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        # Nothing here speaks TLS, and reading the system's trusted authorities takes its time.
        http = await stack.enter_async_context(httpx.AsyncClient(verify=False, timeout=PATIENCE_S))  # noqa: S501 - as above
        providers = {}
        for name, sandbox in _SANDBOXES.items():
            make = (makers or {}).get(name, sandbox.make)
            simulator = make(now=clock.now, ids=clock.uuid4)
            served = await serve(simulator, HOST, 0)
            stack.push_async_callback(served.close)
            providers[name] = Provider(sandbox, simulator, served, http)
        table = raw_settings(folder, providers, timeout_s=timeout_s)
        adjust(table)
        app = await stack.enter_async_context(open_app(config.read(table, {}, folder), clock, **parts))
        channel = await stack.enter_async_context(aio.insecure_channel(f"{HOST}:{app.server.port}"))
        yield World(app, clock, providers, channel)
