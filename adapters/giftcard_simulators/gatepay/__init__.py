"""A simulator of GatePay's gift card service.

`simulator` answers requests, `books` is what it opens with, `envelope` is how answers are wrapped.
"""

from giftcard_simulators.gatepay.books import sandbox_settings
from giftcard_simulators.gatepay.simulator import GatePaySimulator
from giftcard_simulators.sandbox import Sandbox

__all__ = ["SANDBOX", "GatePaySimulator", "sandbox_settings"]

SANDBOX = Sandbox(
    provider_id="gatepay-sandbox",
    port=50064,
    adapter="giftcard_adapters.gatepay:GatePay",
    make=GatePaySimulator,
    settings=sandbox_settings,
    currency="USD",
    prefixes=("60452",),
)
"""How `serve --sandbox` starts it."""
