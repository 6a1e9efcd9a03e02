"""Gr4vy's gift card side, played by us with its sandbox connector `mock-gift-card` behind it.

`simulator` answers requests, `payments` keeps transactions and refunds, `vault` the stored cards,
`service` is the connector, `books` is what it opens with, `webhooks` signs events as Gr4vy does.
"""

from giftcard_adapters.simulators.gr4vy.books import sandbox_settings
from giftcard_adapters.simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_adapters.simulators.gr4vy.webhooks import signed_event

__all__ = ["Gr4vySimulator", "sandbox_settings", "signed_event"]
