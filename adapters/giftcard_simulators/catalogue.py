"""Finds the simulated providers of a sandbox: each package beside this module that defines `SANDBOX`."""

from __future__ import annotations

import importlib
import pkgutil

import msgspec

import giftcard_simulators
from giftcard_simulators.sandbox import Sandbox

__all__ = ["HOST", "PORT", "SANDBOXES", "Sandbox", "sandboxes_at"]

HOST = "127.0.0.1"
PORT = 50051
"""Where a sandbox's gateway listens, unless it is told otherwise."""


def _found() -> list[Sandbox]:
    packages = [one.name for one in pkgutil.iter_modules(giftcard_simulators.__path__) if one.ispkg]
    modules = [importlib.import_module(f"{giftcard_simulators.__name__}.{name}") for name in packages]
    return [module.SANDBOX for module in modules if hasattr(module, "SANDBOX")]


SANDBOXES: tuple[Sandbox, ...] = tuple(sorted(_found(), key=lambda sandbox: sandbox.port))
"""Every simulated provider, in the order of their ports."""


def sandboxes_at(port: int) -> tuple[Sandbox, ...]:
    """Return every simulated provider, on the port it has beside a gateway on `port`."""
    return tuple(msgspec.structs.replace(one, port=one.port - PORT + port) for one in SANDBOXES)
