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
    currency: str
    """What its demo cards hold."""
    prefixes: tuple[str, ...] = ()
    """Card-number prefixes of its demo cards."""
    demo_cards: Mapping[str, tuple[str, str]] = {}
    """Number and PIN of a few of its cards, by what they are good for in a demonstration."""


SANDBOXES = (
    Sandbox(
        provider_id="electrum-sandbox",
        port=50061,
        adapter="giftcard_adapters.electrum:Electrum",
        make=electrum.ElectrumSimulator,
        settings=electrum.sandbox_settings,
        base_path="/giftcard/v3",
        currency="ZAR",
        prefixes=("60450",),
        demo_cards={
            "inactive": ("6045000000000012", ""),
            "spare": ("6045000000000020", ""),
            "funded": ("6045000000000061", ""),
            "poor": ("6045000000000087", ""),
            "empty": ("6045000000000095", ""),
        },
    ),
    Sandbox(
        provider_id="gr4vy-sandbox",
        port=50062,
        adapter="giftcard_adapters.gr4vy:Gr4vy",
        make=gr4vy.Gr4vySimulator,
        settings=gr4vy.sandbox_settings,
        currency="USD",
        prefixes=("60451",),
        demo_cards={
            "inactive": ("6045100000000006", "01234"),
            "funded": ("6045100000000001", "050000"),
            "other": ("6045100000000002", "050000"),
        },
    ),
    Sandbox(
        provider_id="jeudimerci-sandbox",
        port=50063,
        adapter="giftcard_adapters.jeudimerci:JeudiMerci",
        make=jeudimerci.JeudiMerciSimulator,
        settings=jeudimerci.sandbox_settings,
        currency="EUR",
    ),
    Sandbox(
        provider_id="gatepay-sandbox",
        port=50064,
        adapter="giftcard_adapters.gatepay:GatePay",
        make=gatepay.GatePaySimulator,
        settings=gatepay.sandbox_settings,
        currency="USD",
        prefixes=("60452",),
    ),
)
