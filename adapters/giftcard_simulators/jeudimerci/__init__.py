"""A simulator of JeudiMerci: `simulator` answers requests, `books` holds the opening data."""

from giftcard_simulators.jeudimerci.books import sandbox_settings
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from giftcard_simulators.sandbox import Sandbox

__all__ = ["SANDBOX", "JeudiMerciSimulator", "sandbox_settings"]

SANDBOX = Sandbox(
    provider_id="jeudimerci-sandbox",
    port=50063,
    adapter="giftcard_adapters.jeudimerci:JeudiMerci",
    make=JeudiMerciSimulator,
    settings=sandbox_settings,
    currency="EUR",
)
"""How `serve --sandbox` starts it."""
