"""A whole gateway in the test's own process, assembled and started by the same code as in production."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config.settings import Limits, Seal, Server, Settings
from giftcard_gateway.process.app import App
from giftcard_gateway.telemetry import Telemetry, open_telemetry
from tests.patience import PATIENCE_S
from tests.world.observer import Heard

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.http.webhooks import WebhookEdge

HOST = "127.0.0.1"
DAY_S = 86_400.0
SLOW_TO_FORGIVE = Limits(
    guess_every_s=DAY_S, end_user_guess_every_s=DAY_S, pin_guess_every_s=DAY_S, wrong_credential_every_s=DAY_S
)
"""The usual budgets for wrong guesses, of which nothing comes back while a test runs, however slowly."""
KEY, HASH_KEY = (base64.b64encode(bytes([fill]) * 32).decode() for fill in (1, 2))


async def until(fact: Callable[[], bool]) -> None:
    """Return once a fact holds that no event tells of; raise TimeoutError when it does not come to hold."""
    async with asyncio.timeout(PATIENCE_S):
        while not fact():  # noqa: ASYNC110 - what is looked at belongs to others and tells nobody
            await asyncio.sleep(0.005)


def settings(server: Server | None = None, **tables: Any) -> Settings:  # noqa: ANN401 - the tables of Settings
    """Return the settings of a gateway on a free port, whose connections are handed in."""
    return Settings(
        seal=Seal(keys={"k1": Secret(KEY)}, active="k1", hash_key=Secret(HASH_KEY)),
        providers={},
        server=server or Server(listen=f"{HOST}:0"),
        **tables,
    )


def assemble(
    settings: Settings,
    clock: Clock,
    *,
    heard: Heard | None = None,
    telemetry: Telemetry | None = None,
    **parts: Any,  # noqa: ANN401 - parts of App
) -> App:
    """Put a gateway together, with parts of the test's own where it hands them in; nothing is opened yet."""
    telemetry = telemetry or open_telemetry({}, clock)
    telemetry.observer = heard or telemetry.observer
    return App(settings, clock, telemetry, name=clock.uuid4(), **parts)


def edge_of(app: App) -> WebhookEdge:
    """Return the edge for providers' events of a gateway whose settings name one."""
    assert app.webhooks is not None
    return app.webhooks


@asynccontextmanager
async def open_app(settings: Settings, clock: Clock, **parts: Any) -> AsyncIterator[App]:  # noqa: ANN401 - parts of App
    """Start a gateway, and stop it when the block ends."""
    app = assemble(settings, clock, **parts)
    try:
        await app.start()
        yield app
    finally:
        await app.stop()
        app.telemetry.close()
