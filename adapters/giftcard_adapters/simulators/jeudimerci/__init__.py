"""JeudiMerci's e-card service, played by us: `simulator` answers requests, `books` is what it opens with."""

from giftcard_adapters.simulators.jeudimerci.books import sandbox_settings
from giftcard_adapters.simulators.jeudimerci.simulator import JeudiMerciSimulator

__all__ = ["JeudiMerciSimulator", "sandbox_settings"]
