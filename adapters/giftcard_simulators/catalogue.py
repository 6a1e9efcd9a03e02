"""Finds a sandbox's simulated providers: a package beside this module has a `SANDBOX` or `SANDBOXES`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from types import ModuleType

import msgspec

import giftcard_simulators
from giftcard_simulators.sandbox import Sandbox

__all__ = [
    "CONSOLE_PORT",
    "HIGHEST_PORT",
    "HOST",
    "PORT",
    "PROVIDERS",
    "SANDBOXES",
    "WEBHOOKS_PORT",
    "Sandbox",
    "SandboxClash",
    "in_order",
    "sandboxes_at",
]

HOST = "127.0.0.1"
PORT, CONSOLE_PORT, WEBHOOKS_PORT = 50051, 50059, 50060
"""Where a sandbox's gateway listens, unless it is told otherwise; every simulator is above them."""
_LAST_PORT = 65535


class SandboxClash(ValueError):
    """Two sandboxes want one port, or one wants a port of the gateway; the text says which."""


def in_order(sandboxes: Sequence[Sandbox]) -> tuple[Sandbox, ...]:
    """Return sandboxes in the order of their ports; raise SandboxClash where two cannot run together."""
    taken: dict[int, str] = {}
    for one in sandboxes:
        if one.port <= WEBHOOKS_PORT:
            raise SandboxClash(
                f"{one.provider_id} says port {one.port}: simulators are above {WEBHOOKS_PORT}"
            )
        if one.port in taken:
            raise SandboxClash(f"{one.provider_id} says port {one.port}, which {taken[one.port]} has already")
        taken[one.port] = one.provider_id
    return tuple(sorted(sandboxes, key=lambda sandbox: sandbox.port))


def _found() -> list[Sandbox]:
    packages = [one.name for one in pkgutil.iter_modules(giftcard_simulators.__path__) if one.ispkg]
    modules = [importlib.import_module(f"{giftcard_simulators.__name__}.{name}") for name in packages]
    return [one for module in modules for one in _said_by(module)]


def _said_by(module: ModuleType) -> tuple[Sandbox, ...]:
    if hasattr(module, "SANDBOXES"):
        return tuple(module.SANDBOXES)
    return (module.SANDBOX,) if hasattr(module, "SANDBOX") else ()


SANDBOXES = in_order(_found())
"""Every simulated provider, in the order of their ports."""
PROVIDERS = tuple(one for one in SANDBOXES if not one.is_variant)
"""One of them for each adapter."""
HIGHEST_PORT = _LAST_PORT - (SANDBOXES[-1].port - PORT)
"""The highest port for a sandbox's gateway, so that its last simulator has one too."""


def sandboxes_at(port: int) -> tuple[Sandbox, ...]:
    """Return every simulated provider, on the port it has beside a gateway on `port`."""
    edge = f"http://{HOST}:{WEBHOOKS_PORT - PORT + port}/webhooks"
    return tuple(
        msgspec.structs.replace(one, port=one.port - PORT + port, webhooks_url=f"{edge}/{one.provider_id}")
        for one in SANDBOXES
    )
