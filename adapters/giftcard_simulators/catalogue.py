"""Every simulated provider a sandbox starts: whatever package beside this module says `SANDBOX`."""

from __future__ import annotations

import importlib
import pkgutil

import giftcard_simulators
from giftcard_simulators.sandbox import Sandbox

__all__ = ["SANDBOXES", "Sandbox"]


def _found() -> list[Sandbox]:
    packages = [one.name for one in pkgutil.iter_modules(giftcard_simulators.__path__) if one.ispkg]
    modules = [importlib.import_module(f"{giftcard_simulators.__name__}.{name}") for name in packages]
    return [module.SANDBOX for module in modules if hasattr(module, "SANDBOX")]


SANDBOXES: tuple[Sandbox, ...] = tuple(sorted(_found(), key=lambda sandbox: sandbox.port))
"""In the order of their ports."""
