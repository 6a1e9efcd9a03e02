"""A console on a real port over a scripted provider, and a browser without a screen that visits it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from giftcard import AsyncClient, new_transaction_id
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_gateway.access.api_keys import make, row_of
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.access import Access, Grant, Scope
from giftcard_gateway.config.settings import Console
from giftcard_gateway.process.app import App
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from tests.patience import PATIENCE_S
from tests.world.app import HOST, open_app, settings
from tests.world.clock import ShiftedClock
from tests.world.journal import Unsteady
from tests.world.observer import Heard
from tests.world.provider import AGAIN, APPROVED, LOST, Scripted

PAN = "6045120000000007"
_STAMP = re.compile(r'name="stamp" value="([0-9a-f]{64})"')
PATIENT_S = 1e6
_PATIENT = Terms(confirm_by_s=PATIENT_S, retry_base_s=1e7, retry_cap_s=1e7)
"""Nobody is too late to decide, and what is owed is not tried again by itself while a test runs."""
REFUSED = Acknowledgement(receipt=Receipt.REFUSED, evidence="blocked")
READ, OPERATE = (Scope.READ,), (Scope.READ, Scope.OPERATE)


class Clock(ShiftedClock):
    """A clock whose hands all move when it is turned."""

    ahead_s = 0.0

    def turn(self, ahead_s: float) -> None:
        """Let time pass."""
        self.ahead_s += ahead_s
        self.skip(seconds=ahead_s)

    def monotonic_s(self) -> float:
        """Return seconds that the turning counts in, too."""
        return SystemClock.monotonic_s() + self.ahead_s


@dataclass
class Place:
    """A console that serves, and what is behind it."""

    app: App
    clock: Clock
    provider: Scripted
    heard: Heard

    @property
    def url(self) -> str:
        """Where the console is."""
        assert self.app.console is not None
        return f"http://{HOST}:{self.app.console.port}"

    async def key(self, name: str, *scopes: Scope, tenant: str = "default") -> str:
        """Make an API key."""
        key, text = make(Grant(name=name, scopes=scopes, tenant=tenant), self.clock)
        await self.app.journal.put_api_key(row_of(key))
        return text

    @asynccontextmanager
    async def till(self) -> AsyncIterator[AsyncClient]:
        """Open a client of a till that redeems."""
        token = await self.key("till-7", Scope.MONEY, Scope.READ)
        async with AsyncClient(f"{HOST}:{self.app.server.port}", plaintext=True, token=token) as client:
            yield client

    @asynccontextmanager
    async def operator(self, name: str) -> AsyncIterator[AsyncClient]:
        """Open a client of somebody who ends what is stuck."""
        token = await self.key(name, *OPERATE)
        async with AsyncClient(f"{HOST}:{self.app.server.port}", plaintext=True, token=token) as client:
            yield client

    async def refused(self, client: AsyncClient) -> str:
        """Redeem, and have the confirmation refused for good; return the transaction's id."""
        self.provider.script.reactions += [APPROVED, REFUSED]
        transaction_id = await self.sold(client)
        return (await client.confirm_redeem(transaction_id=transaction_id)).transaction_id

    async def stuck(self, client: AsyncClient, **fields: Any) -> str:  # noqa: ANN401 - fields of a request
        """Void a card with no answer, which nobody can find out; return the transaction's id."""
        self.provider.script.reactions.append(LOST)
        asked: dict[str, Any] = {
            "transaction_id": new_transaction_id(),
            "card": PAN,
            "provider": "spar-za",
            **fields,
        }
        return (await client.void(**asked)).transaction_id

    async def sold(self, client: AsyncClient) -> str:
        """Redeem; return the transaction's id."""
        asked: dict[str, Any] = {"transaction_id": new_transaction_id(), "card": PAN, "provider": "spar-za"}
        return (await client.redeem(**asked, amount_minor=10_000, currency="ZAR")).transaction_id

    async def owed(self, client: AsyncClient) -> str:
        """Redeem and confirm, and lose every confirmation that is scripted; return the transaction's id."""
        self.provider.script.reactions += [APPROVED, *[AGAIN] * 99]
        transaction_id = await self.sold(client)
        return (await client.confirm_redeem(transaction_id=transaction_id)).transaction_id

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Visitor]:
        """Open a browser of its own."""
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S) as http:
            yield Visitor(http)

    @asynccontextmanager
    async def signed_in(self, *scopes: Scope, name: str = "alex") -> AsyncIterator[Visitor]:
        """Open a browser of somebody who has signed in."""
        async with self.visitor() as visitor:
            assert (await visitor.sign_in(await self.key(name, *scopes))).status_code == 303
            yield visitor


class Visitor:
    """A browser: it keeps cookies, and sends the stamp of the page that it saw last."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        """Have seen nothing."""
        self.http = http
        self.stamp = ""

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Look at a page."""
        return self._seen(await self.http.get(path, headers=headers))

    async def post(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        **fields: Any,  # noqa: ANN401 - texts and lists of them
    ) -> httpx.Response:
        """Send a form."""
        said = {"stamp": self.stamp, **fields}
        return self._seen(await self.http.post(path, data=said, headers=headers))

    async def run(self, **fields: Any) -> str:  # noqa: ANN401 - texts and lists of them
        """Have many done, and wait until all are through; return the page that tells what came of each."""
        begun = await self.post("/bulk/run", **fields)
        assert begun.status_code == 303, begun.text
        return await self.ended(begun.headers["location"].removeprefix("/bulk/"))

    async def ended(self, key: str) -> str:
        """Wait until all of many are through; return the page that tells what came of each."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                page = await self.get(f"/bulk/{key}")
                assert page.status_code == 200, page.text
                if "Done with" in page.text:
                    return page.text

    async def sign_in(self, credential: str, goes_on_to: str = "/") -> httpx.Response:
        """Show a credential on the form."""
        await self.get(f"/sign-in?next={goes_on_to}")
        return await self.post("/sign-in", credential=credential, next=goes_on_to)

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        if found := _STAMP.search(answer.text):
            self.stamp = found[1]
        return answer


@asynccontextmanager
async def open_place(
    *,
    is_open: bool = False,
    reviews: bool = False,
    **wanted: Any,  # noqa: ANN401 - settings of [console]
) -> AsyncIterator[Place]:
    """Serve a console on a free port; the arguments are its settings.

    With `is_open` nobody signs in, with `reviews` an end by hand needs a second person.
    """
    clock = Clock()
    heard, provider = Heard(clock), Scripted.open(clock)
    connection = Connection("spar-za", provider, _PATIENT, clock)
    configured = settings(
        console=Console(**{"listen": f"{HOST}:0", **wanted}),
        access=Access(api_keys=not is_open, second_person=reviews),
    )
    async with open_app(
        configured, clock, heard=heard, journal=Unsteady(), connections=Connections([connection])
    ) as app:
        yield Place(app, clock, provider, heard)
