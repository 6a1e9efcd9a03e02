"""A simulator of GatePay's gift card service.

`simulator` answers requests, `books` is what it opens with, `envelope` is how answers are wrapped.
"""

import msgspec

from giftcard_simulators.gatepay.books import guide_settings, sandbox_settings
from giftcard_simulators.sandbox import Sandbox, made_by

__all__ = ["SANDBOX", "SANDBOXES", "sandbox_settings"]

SANDBOX = Sandbox(
    provider_id="gatepay-sandbox",
    port=50064,
    adapter="giftcard_adapters.gatepay:GatePay",
    make=made_by("giftcard_simulators.gatepay.simulator", "GatePaySimulator"),
    settings=sandbox_settings,
    currency="USD",
    prefixes=("60452",),
)
"""How `serve --sandbox` starts it."""

SANDBOXES = (
    SANDBOX,
    msgspec.structs.replace(
        SANDBOX,
        provider_id="gatepay-guide-sandbox",
        port=50065,
        make=made_by("giftcard_simulators.gatepay.simulator", "GatePaySimulator", dialect="guide"),
        settings=guide_settings,
        prefixes=(),
        is_variant=True,
    ),
)
"""GatePay in both dialects; cards of the guide's are found by naming the provider."""
