"""A simulator of Electrum's gift card service: all 19 operations under `/giftcard/v3`.

`simulator` answers requests, `rules` is what it may and may not do to cards, `messages` and
`values` are what it reads, `books` is what it opens with.
"""

from giftcard_simulators.electrum.books import sandbox_settings
from giftcard_simulators.sandbox import Sandbox, made_by

__all__ = ["SANDBOX", "sandbox_settings"]

SANDBOX = Sandbox(
    provider_id="electrum-sandbox",
    port=50061,
    adapter="giftcard_adapters.electrum:Electrum",
    make=made_by("giftcard_simulators.electrum.simulator", "ElectrumSimulator"),
    settings=sandbox_settings,
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
)
"""How `serve --sandbox` starts it."""
