"""Every simulated provider a sandbox starts: where it listens, and the settings an adapter needs for it.

Adapters are named, never imported. A new provider adds one line here to join `serve --sandbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from giftcard_adapters.simulators import electrum, gatepay, gr4vy, jeudimerci
from giftcard_adapters.simulators.sandbox import Clock, IdSource, Simulator


class _Make(Protocol):
    def __call__(self, *, now: Clock, ids: IdSource) -> Simulator: ...


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated provider; `settings` gives what its adapter needs besides the base URL."""

    provider_id: str
    port: int
    adapter: str
    make: _Make
    settings: Callable[[], Mapping[str, object]]
    base_path: str = ""
    prefixes: tuple[str, ...] = ()
    """Card-number prefixes of its demo cards."""


SANDBOXES = (
    Sandbox(
        provider_id="electrum-sandbox",
        port=50061,
        adapter="giftcard_adapters.electrum:Electrum",
        make=electrum.ElectrumSimulator,
        settings=electrum.sandbox_settings,
        base_path="/giftcard/v3",
        prefixes=("60450",),
    ),
    Sandbox(
        provider_id="gr4vy-sandbox",
        port=50062,
        adapter="giftcard_adapters.gr4vy:Gr4vy",
        make=gr4vy.Gr4vySimulator,
        settings=gr4vy.sandbox_settings,
        prefixes=("60451",),
    ),
    Sandbox(
        provider_id="jeudimerci-sandbox",
        port=50063,
        adapter="giftcard_adapters.jeudimerci:JeudiMerci",
        make=jeudimerci.JeudiMerciSimulator,
        settings=jeudimerci.sandbox_settings,
    ),
    Sandbox(
        provider_id="gatepay-sandbox",
        port=50064,
        adapter="giftcard_adapters.gatepay:GatePay",
        make=gatepay.GatePaySimulator,
        settings=gatepay.sandbox_settings,
    ),
)
