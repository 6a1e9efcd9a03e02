"""A simulator of JeudiMerci: `simulator` answers requests, `books` holds the opening data."""

from giftcard_simulators.jeudimerci.books import sandbox_settings
from giftcard_simulators.sandbox import Sandbox, made_by

__all__ = ["SANDBOX", "sandbox_settings"]

SANDBOX = Sandbox(
    provider_id="jeudimerci-sandbox",
    port=50063,
    adapter="giftcard_adapters.jeudimerci:JeudiMerci",
    make=made_by("giftcard_simulators.jeudimerci.simulator", "JeudiMerciSimulator"),
    settings=sandbox_settings,
    currency="EUR",
)
"""How `serve --sandbox` starts it."""
