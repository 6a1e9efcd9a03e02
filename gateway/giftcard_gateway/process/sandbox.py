"""Settings and simulated providers for a gateway that needs no configuration.

Its keys and journal live in one folder, and its ports lie at fixed distances from the gateway's, so
that several sandboxes get along on one machine. It is for trying things out: the simulators forget
when they stop, the credentials are public, and nothing here is for real cards.
"""

from __future__ import annotations

import base64
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway import config
from giftcard_gateway.errors import OperatorError
from giftcard_gateway.seal import KEY_BYTES
from giftcard_simulators.catalogue import (
    CONSOLE_PORT,
    HIGHEST_PORT,
    HOST,
    PORT,
    SANDBOXES,
    WEBHOOKS_PORT,
    Sandbox,
    sandboxes_at,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config import Settings
    from giftcard_simulators.serve import Served

_KEYS_FILE = "keys.json"


class FolderUnusable(OperatorError):
    """The folder for the sandbox's data cannot be written; the text says which and why."""


class PortTooHigh(OperatorError):
    """The simulators would have no ports above the gateway's; the text says how high it may be."""


def placed(port: int) -> tuple[Sandbox, ...]:
    """Return every simulated provider on its port beside a gateway on `port`; raise PortTooHigh."""
    if port > HIGHEST_PORT:
        raise PortTooHigh(f"--port may be {HIGHEST_PORT} at most: the simulators take the ports above it")
    return sandboxes_at(port)


@asynccontextmanager
async def simulators(clock: Clock, sandboxes: tuple[Sandbox, ...] = SANDBOXES) -> AsyncIterator[list[Served]]:
    """Serve every simulated provider on its port; raises OSError when one is taken."""
    from giftcard_simulators.serve import serve  # noqa: PLC0415 - most commands only read a sandbox's settings

    async with AsyncExitStack() as stack:
        served = []
        for sandbox in sandboxes:
            simulator = sandbox.make(now=clock.now, ids=clock.uuid4)
            one = await serve(simulator, HOST, sandbox.port, webhooks_url=sandbox.webhooks_url)
            stack.push_async_callback(one.close)
            served.append(one)
        yield served


def settings(folder: Path, environ: Mapping[str, str], clock: Clock, port: int = PORT) -> Settings:
    """Return the settings of a gateway on `port` beside the simulators, with its data in `folder`.

    The environment can override them as it can a file. Raises FolderUnusable or ConfigError.
    """
    keys = _keys(folder, clock)
    sandboxes = placed(port)
    table: dict[str, object] = {
        "server": {"listen": f"{HOST}:{port}"},
        "journal": {"url": f"sqlite:///{folder / 'journal.db'}"},
        "seal": {"keys": {"sandbox": keys["seal"]}, "active": "sandbox", "hash_key": keys["hash"]},
        "webhooks": {"listen": f"{HOST}:{port + WEBHOOKS_PORT - PORT}"},
        "routing": {"default": sandboxes[0].provider_id},
        "providers": {sandbox.provider_id: _stanza(sandbox) for sandbox in sandboxes},
    }
    # Reading puts the environment into a table, so each reading has its own.
    told = config.read(deepcopy(table), environ, folder)
    if told.access.is_on and not told.access.takes_credentials:
        return told  # nobody could sign in to a console
    table["console"] = {"listen": f"{HOST}:{port + CONSOLE_PORT - PORT}"}
    return config.read(table, environ, folder)


def _stanza(sandbox: Sandbox) -> dict[str, object]:
    return {
        "adapter": sandbox.adapter,
        "prefixes": list(sandbox.prefixes),
        "settings": {
            "base_url": f"http://{HOST}:{sandbox.port}{sandbox.base_path}",
            **sandbox.settings(),
        },
    }


def _keys(folder: Path, clock: Clock) -> dict[str, str]:
    """Return the sandbox's own sealing keys, made once and kept beside the journal they open."""
    file = folder / _KEYS_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            keys = {name: _fresh_key(clock) for name in ("seal", "hash")}
            file.touch(mode=0o600, exist_ok=False)
            file.write_bytes(msgspec.json.encode(keys))
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else f"{_KEYS_FILE} in it is damaged"
        raise FolderUnusable(f"the sandbox cannot keep its data in {folder}: {why}") from None


def _fresh_key(clock: Clock) -> str:
    return base64.b64encode(clock.random_bytes(KEY_BYTES)).decode()
