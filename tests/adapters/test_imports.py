"""Importing an adapter loads what it needs and nothing else."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import giftcard_adapters

ADAPTERS = sorted(one.name for one in pkgutil.iter_modules(giftcard_adapters.__path__) if one.ispkg)
ADAPTERS.remove("values")
SHOW = "import sys, giftcard_adapters.{name}; print(*sys.modules, sep='\\n')"


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_loads_little(name: str) -> None:
    """An adapter loads no HTTP library, no other adapter and no simulator."""
    command = [sys.executable, "-c", SHOW.format(name=name)]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert f"giftcard_adapters.{name}.adapter" in loaded
    others = {f"giftcard_adapters.{other}" for other in ADAPTERS if other != name}
    unwanted = {"aiohttp", "httptools", "httpx", "giftcard_simulators", "giftcard_conformance"} | others
    assert not loaded & unwanted
    assert ("joserfc" in loaded) == (name == "gr4vy")
