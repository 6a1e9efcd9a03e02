"""JeudiMerci's e-card service, played by us: `simulator` answers requests, `books` is what it opens with."""

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
"""What `serve --sandbox` starts of it."""
