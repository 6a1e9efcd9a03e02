"""GatePay's gift card service, played by us.

`simulator` answers requests, `books` is what it opens with, `envelope` is how answers are wrapped.
"""

from giftcard_adapters.simulators.gatepay.books import sandbox_settings
from giftcard_adapters.simulators.gatepay.simulator import GatePaySimulator

__all__ = ["GatePaySimulator", "sandbox_settings"]
