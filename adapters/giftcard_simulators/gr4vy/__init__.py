"""A simulator of Gr4vy's gift card API, with its sandbox connector `mock-gift-card` behind it.

`simulator` answers requests, `payments` keeps transactions and refunds, `vault` the stored cards,
`service` is the connector, `books` is what it opens with, `webhooks` signs events as Gr4vy does.
"""

from giftcard_simulators.gr4vy.books import sandbox_settings
from giftcard_simulators.sandbox import Sandbox, made_by

__all__ = ["SANDBOX", "sandbox_settings"]

SANDBOX = Sandbox(
    provider_id="gr4vy-sandbox",
    port=50062,
    adapter="giftcard_adapters.gr4vy:Gr4vy",
    make=made_by("giftcard_simulators.gr4vy.simulator", "Gr4vySimulator"),
    settings=sandbox_settings,
    currency="USD",
    prefixes=("60451",),
    demo_cards={
        "inactive": ("6045100000000006", "01234"),
        "funded": ("6045100000000001", "050000"),
        "other": ("6045100000000002", "050000"),
    },
)
"""How `serve --sandbox` starts it."""
